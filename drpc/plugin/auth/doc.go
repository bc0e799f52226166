// Package auth has the plugins by which a client shows who it is before its session is up: the bearer sends a credential, on
// every dial and redial, and the checker reads it and decides. Calls and pushes of the user come after that.
//
//	cli := drpc.NewEndpoint(cfg, auth.NewBearerPlugin(auth.Token(token)))
//	srv := drpc.NewEndpoint(cfg, auth.NewCheckerPlugin(auth.CheckToken(func(sess auth.Session, token string) *drpc.Status {
//		if !auth.Equal(token, secret) {
//			return drpc.NewStatus(drpc.CodeUnauthorized, "wrong token")
//		}
//		return nil
//	})))
//
// The exchange is one message each way, an AUTH_CALL and an AUTH_REPLY, and has [DefaultTimeout]: a client that connects
// and says nothing, or says it a byte a second, is closed. Credentials travel as they are, so give them to nobody but a
// server that TLS has shown to be the right one. This package writes none of them to a log or an error.
//
// Plugins may be used by several endpoints and are called from many goroutines at once.
package auth

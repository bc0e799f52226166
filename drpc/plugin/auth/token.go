package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
)

// Equal reports whether two secrets are the same, in a time that depends neither on where they differ nor on the length
// of the one that is right.
func Equal(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Token is a bearer whose credential is a text.
func Token(token string) Bearer {
	return func(_ Session, fn SendOnce) *drpc.Status { return fn(token, nil) }
}

// CheckToken is a checker for the credentials of Token. check decides, and may name the session; compare with Equal.
func CheckToken(check func(sess Session, token string) *drpc.Status) Checker {
	return func(sess Session, fn ReCvOnce) (any, *drpc.Status) {
		var token string
		if stat := fn(&token); !stat.OK() {
			return nil, stat
		}
		return nil, check(sess, token)
	}
}

// TLSState returns what TLS knows of the connection of a session, such as the certificates that the client has shown,
// and whether there is TLS. It can be asked by a Bearer and a Checker.
func TLSState(sess Session) (state tls.ConnectionState, ok bool) {
	early, isEarly := sess.(drpc.EarlySession)
	if !isEarly {
		return state, false
	}
	early.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
		var c interface{ ConnectionState() tls.ConnectionState }
		if c, ok = conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
			state = c.ConnectionState()
		}
		return nil, nil
	})
	return state, ok
}

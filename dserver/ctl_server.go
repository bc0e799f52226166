package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/logger"
)

const (
	maxCtlSessions = 64                     // more are turned away
	ctlCloseTime   = 300 * time.Millisecond // for calls that are being answered when the server leaves
)

// ctlServer serves the control socket of a running server.
type ctlServer struct {
	server   *DServer
	listener net.Listener
	endpoint drpc.Endpoint
	lines    *logHub
	reporter reporter
	others   func() []otherProcess // the workers, for a master; nil for none
	tails    workerTails
	accepts  sync.WaitGroup
}

// openCtl listens at path and serves until close.
func (s *DServer) openCtl(path string) (*ctlServer, error) {
	endpoint, err := drpc.New(drpc.EndpointConfig{
		Network: "unix", ListenIP: path, DefaultBodyCodec: "json", MaxMessageSize: maxCtlMessage,
	})
	if err != nil {
		return nil, err
	}
	c := &ctlServer{server: s, endpoint: endpoint, lines: newLogHub()}
	m, isMaster := s.model.(*master)
	if isMaster {
		c.others = m.workers
		c.tails = workerTails{hub: c.lines, workers: m.workers}
	}
	c.reporter = reporter{server: s, hidden: func(e drpc.Endpoint) bool {
		return e == endpoint || isMaster && !drpc.Serves(e) // a master calls nobody but its workers
	}}
	c.register()
	if c.listener, err = s.listenCtl(path); err != nil {
		return nil, errors.Join(err, endpoint.Close())
	}
	c.accepts.Go(c.accept)
	return c, nil
}

// listenCtl listens at path, or takes the socket of the predecessor over. Workers have sockets of their own, which no
// other process takes over.
func (s *DServer) listenCtl(path string) (net.Listener, error) {
	if s.up == nil || s.role == roleWorker {
		return instance.Listen(path)
	}
	if err := instance.CheckSocket(path); err != nil {
		return nil, err
	}
	lis, err := s.up.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return lis, nil
}

// ctlMethod answers one method of the control socket.
type ctlMethod func(sess drpc.CtxSession, body []byte) (any, *drpc.Status)

// register makes the methods known. They are looked up here and not in the
// router, because the names of the control socket must stay what they are
// whatever service method mapper the program chooses for its own.
func (c *ctlServer) register() {
	methods := map[string]ctlMethod{
		methodInfo:        withArg(c.info),
		methodVersion:     withArg(c.version),
		methodStart:       withArg(c.start),
		methodStop:        withArg(c.stop),
		methodReload:      withArg(c.reload),
		methodDebug:       withArg(c.debug),
		methodOpenLogger:  withArg(c.openLogger),
		methodCloseLogger: withArg(c.closeLogger),
		methodSessions:    withArg(c.sessions),
		methodRoutes:      withArg(c.routes),
		methodLoad:        withArg(c.load),
	}
	if !c.server.hasCtl() {
		methods = map[string]ctlMethod{methodVersion: withArg(c.version)} // which says that somebody is there
	}
	if c.server.pages != nil {
		maps.Copy(methods, c.server.pages.methods())
	}
	c.endpoint.SetUnknownCall(func(ctx drpc.UnknownCallCtx) (any, *drpc.Status) {
		method, ok := methods[ctx.ServiceMethod()]
		if !ok {
			return nil, drpc.NewStatus(drpc.CodeNotFound, drpc.CodeText(drpc.CodeNotFound))
		}
		return method(ctx.Session(), ctx.InputBodyBytes())
	})
}

// withArg makes a method of a function by decoding its argument; an empty body
// is the zero value.
func withArg[Arg any](fn func(sess drpc.CtxSession, arg Arg) (any, *drpc.Status)) ctlMethod {
	return func(sess drpc.CtxSession, body []byte) (any, *drpc.Status) {
		var arg Arg
		if len(body) > 0 {
			if err := json.Unmarshal(body, &arg); err != nil {
				return nil, drpc.NewStatus(drpc.CodeBadMessage, drpc.CodeText(drpc.CodeBadMessage), err)
			}
		}
		return fn(sess, arg)
	}
}

// accept hands connections of this user to the endpoint. The endpoint does not
// listen itself, so that nobody gets to speak before it is known who speaks.
func (c *ctlServer) accept() {
	for {
		conn, err := c.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			logger.Warningf(context.Background(), "ctl: accept: %v", err)
			time.Sleep(10 * time.Millisecond) // out of descriptors, for a while
			continue
		}
		if err := c.admit(conn); err != nil {
			logger.Warningf(context.Background(), "ctl: connection refused: %v", err)
			conn.Close()
		}
	}
}

func (c *ctlServer) admit(conn net.Conn) error {
	if err := instance.CheckPeer(conn); err != nil {
		return err
	}
	if c.endpoint.CountSession() >= maxCtlSessions {
		return errors.New("too many control connections")
	}
	if _, stat := c.endpoint.ServeConn(conn); !stat.OK() {
		return errors.New(stat.String())
	}
	return nil
}

// close removes the socket and ends the sessions. It waits a moment only: a
// call that is still being answered belongs to a sandbox that does not end.
func (c *ctlServer) close() {
	c.listener.Close()
	c.accepts.Wait()
	c.reporter.rest()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.tails.close()
		c.lines.close()
		if err := c.endpoint.Close(); err != nil {
			logger.Warningf(context.Background(), "ctl: %v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(ctlCloseTime):
	}
}

func (c *ctlServer) info(drpc.CtxSession, ctlNone) (any, *drpc.Status) {
	ctx, cancel := context.WithTimeout(context.Background(), c.server.answerTime)
	defer cancel()
	return ctlInfos{List: c.server.model.infos(ctx)}, nil
}

func (c *ctlServer) version(drpc.CtxSession, ctlNone) (any, *drpc.Status) {
	return ownVersion(), nil
}

func (c *ctlServer) start(_ drpc.CtxSession, name string) (any, *drpc.Status) {
	return c.act("start", name, c.server.limits.ready, c.server.model.start)
}

func (c *ctlServer) stop(_ drpc.CtxSession, name string) (any, *drpc.Status) {
	return c.act("stop", name, c.server.stopLimit(), c.server.model.stop)
}

// act does what is asked with what bears the name.
func (c *ctlServer) act(what, name string, limit time.Duration, do func(context.Context, string) error) (any, *drpc.Status) {
	if name == "" {
		return nil, drpc.NewStatus(ctlNoName, "no sandbox was named")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := do(ctx, name); err != nil {
		return nil, ctlStatus(what, name, err)
	}
	logger.Noticef(context.Background(), "ctl: %s [%s]: done", what, name)
	return ctlNone{}, nil
}

// reload replaces what bears the name, or everything. It is not bound by the connection: who gives up waiting does not
// mean to end it.
func (c *ctlServer) reload(_ drpc.CtxSession, name string) (any, *drpc.Status) {
	if err := c.server.model.reload(context.Background(), name); err != nil {
		logger.Errorf(context.Background(), "reload failed, serving on: %v", err)
		return nil, ctlStatus("reload", name, explainReload(err))
	}
	return ctlReloaded{Replaced: c.server.handsOver()}, nil
}

// ctlStatus is the status of a request that was not fulfilled.
func ctlStatus(what, name string, err error) *drpc.Status {
	switch {
	case errors.Is(err, errNoSandbox), errors.Is(err, errAmbiguous):
		return drpc.NewStatus(ctlNotFound, "not found: ["+name+"]", err)
	case refused(err):
		return drpc.NewStatus(ctlRefused, err.Error())
	}
	return drpc.NewStatus(ctlFailed, what+" failed", err)
}

// debug switches debug lines, for this process and for those it starts.
func (c *ctlServer) debug(_ drpc.CtxSession, on bool) (any, *drpc.Status) {
	logger.SetDebug(on)
	if err := os.Setenv("DEBUG", strconv.FormatBool(on)); err != nil {
		return nil, drpc.NewStatus(ctlFailed, "debug failed", err)
	}
	c.askOthers(methodDebug, on, func(json.RawMessage) {})
	return ctlNone{}, nil
}

func (c *ctlServer) openLogger(sess drpc.CtxSession, level int) (any, *drpc.Status) {
	c.lines.open(sess.ID(), level, sess)
	if c.others != nil {
		c.tails.follow()
	}
	return ctlNone{}, nil
}

func (c *ctlServer) closeLogger(sess drpc.CtxSession, _ ctlNone) (any, *drpc.Status) {
	c.lines.drop(sess.ID())
	return ctlNone{}, nil
}

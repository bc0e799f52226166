package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	c.reporter = reporter{server: s, hidden: func(e drpc.Endpoint) bool { return e == endpoint }}
	c.register()
	if c.listener, err = instance.Listen(path); err != nil {
		return nil, errors.Join(err, endpoint.Close())
	}
	c.accepts.Go(c.accept)
	return c, nil
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
		methodDebug:       withArg(c.debug),
		methodOpenLogger:  withArg(c.openLogger),
		methodCloseLogger: withArg(c.closeLogger),
		methodSessions:    withArg(c.sessions),
		methodRoutes:      withArg(c.routes),
		methodLoad:        withArg(c.load),
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
	now, own := time.Now(), c.reporter.process()
	var infos ctlInfos
	for _, u := range c.server.allUnits() {
		st := u.status()
		info := ctlInfo{
			SandBoxName: u.name,
			ServiceName: u.service.name,
			Status:      string(st.state),
			Description: st.describe(now),
			Reason:      st.reason,
		}
		if st.state == StateRunning {
			info.PID, info.Uptime = own.PID, now.Sub(st.since).Seconds()
			info.Generation, info.Memory = own.Generation, own.Memory
			info.Description += fmt.Sprintf(", generation %d, %s", own.Generation, byteText(float64(own.Memory)))
		}
		infos.List = append(infos.List, info)
	}
	return infos, nil
}

func (c *ctlServer) version(drpc.CtxSession, ctlNone) (any, *drpc.Status) {
	return ownVersion(), nil
}

func (c *ctlServer) start(_ drpc.CtxSession, name string) (any, *drpc.Status) {
	u, stat := c.find(name)
	if stat != nil {
		return nil, stat
	}
	if err := c.server.startUnit(u); err != nil {
		return nil, drpc.NewStatus(ctlRefused, err.Error())
	}
	logger.Noticef(context.Background(), "ctl: sandbox [%s] started", u.name)
	if err := u.outcome(settleTime); err != nil {
		return nil, drpc.NewStatus(ctlFailed, "start failed", err)
	}
	return ctlNone{}, nil
}

func (c *ctlServer) stop(_ drpc.CtxSession, name string) (any, *drpc.Status) {
	u, stat := c.find(name)
	if stat != nil {
		return nil, stat
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.server.stopLimit())
	defer cancel()
	err := u.stop(ctx)
	switch {
	case errors.Is(err, errNotRunning):
		return nil, drpc.NewStatus(ctlRefused, err.Error())
	case err != nil:
		return nil, drpc.NewStatus(ctlFailed, "stop failed", err)
	}
	logger.Noticef(context.Background(), "ctl: sandbox [%s] stopped", u.name)
	return ctlNone{}, nil
}

func (c *ctlServer) find(name string) (*unit, *drpc.Status) {
	if name == "" {
		return nil, drpc.NewStatus(ctlNoName, "no sandbox was named")
	}
	u, err := c.server.findUnit(name)
	if err != nil {
		return nil, drpc.NewStatus(ctlNotFound, "not found: ["+name+"]", err)
	}
	return u, nil
}

// debug switches debug lines, for this process and for those it starts.
func (c *ctlServer) debug(_ drpc.CtxSession, on bool) (any, *drpc.Status) {
	logger.SetDebug(on)
	if err := os.Setenv("DEBUG", strconv.FormatBool(on)); err != nil {
		return nil, drpc.NewStatus(ctlFailed, "debug failed", err)
	}
	return ctlNone{}, nil
}

func (c *ctlServer) openLogger(sess drpc.CtxSession, level int) (any, *drpc.Status) {
	c.lines.open(sess.ID(), level, sess)
	return ctlNone{}, nil
}

func (c *ctlServer) closeLogger(sess drpc.CtxSession, _ ctlNone) (any, *drpc.Status) {
	c.lines.drop(sess.ID())
	return ctlNone{}, nil
}

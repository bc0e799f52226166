package dserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gogf/gf/v2/util/gconv"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/dserver/internal/instance"
)

// answerTime is the usual DServer.answerTime: a server that does not answer is found out within a second.
const answerTime = 450 * time.Millisecond

// ctlClient is a connection to a running server.
type ctlClient struct {
	endpoint drpc.Endpoint
	session  drpc.Session
	lines    *lineOrder
	incoming chan string // lines of the log, in order
	done     chan struct{}
}

// errNoAnswer says that the socket is there and nobody serves it.
var errNoAnswer = errors.New("no answer")

// dialCtl connects to the server whose socket is at path and makes sure that
// it answers, with so much time for either.
func dialCtl(path string, limit time.Duration) (*ctlClient, error) {
	// The socket of somebody else who prepared a directory of this name would
	// be told what to stop, and could answer anything.
	if err := instance.Check(filepath.Dir(path)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, instance.ErrNotRunning
		}
		return nil, err
	}
	endpoint, err := drpc.New(drpc.EndpointConfig{
		Network: "unix", DefaultBodyCodec: "json", DialTimeout: limit, MaxMessageSize: maxCtlMessage,
	})
	if err != nil {
		return nil, err
	}
	c := &ctlClient{endpoint: endpoint, incoming: make(chan string, logQueue), done: make(chan struct{})}
	c.lines = newLineOrder(c.enqueue)
	endpoint.SetUnknownPush(c.pushed)
	session, stat := endpoint.Dial(path)
	if !stat.OK() {
		c.close()
		return nil, fmt.Errorf("%w: %v", instance.ErrNotRunning, stat.Cause())
	}
	c.session = session
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if stat := c.call(ctx, methodVersion, nil, new(versionInfo)); !stat.OK() {
		c.close()
		return nil, errNoAnswer
	}
	return c, nil
}

// call calls a method and waits for its reply or for the end of ctx.
func (c *ctlClient) call(ctx context.Context, method string, arg, reply any) *drpc.Status {
	return c.session.Call(method, arg, reply, message.WithContext(ctx)).Status()
}

// lost is closed when the server has gone.
func (c *ctlClient) lost() <-chan struct{} { return c.session.CloseNotify() }

// pushed receives what the server pushes: lines of the log, by either name. As
// on the server's side, the names do not depend on the program's mapper.
func (c *ctlClient) pushed(ctx drpc.UnknownPushCtx) *drpc.Status {
	switch ctx.ServiceMethod() {
	case methodLogLine, methodLogLineOld:
		number, _ := strconv.Atoi(gconv.String(ctx.PeekMeta(metaLine)))
		c.lines.add(number, string(ctx.InputBodyBytes()))
		return nil
	}
	return drpc.NewStatus(drpc.CodeNotFound, drpc.CodeText(drpc.CodeNotFound))
}

// enqueue waits for the reader of the lines: the server drops what it cannot
// send, and says so.
func (c *ctlClient) enqueue(line string) {
	select {
	case c.incoming <- line:
	case <-c.done:
	}
}

// close ends the connection.
func (c *ctlClient) close() {
	close(c.done)
	_ = c.endpoint.Close() // there is nobody left to tell
}

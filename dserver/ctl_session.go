package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/logger"
)

// ctlSession is one use of ctl: a single command, or a shell.
type ctlSession struct {
	*app
	ctlFlags
	shell bool
	leave bool // exit was typed

	dialing sync.Mutex                // held by who looks for a new connection
	client  atomic.Pointer[ctlClient] // nil until a command needs it
}

// connect makes sure that there is a connection.
func (s *ctlSession) connect() error {
	if s.client.Load() != nil {
		return nil
	}
	if !s.debug {
		logger.SetLevel(logger.LevelCritical) // what goes wrong is told by statuses
	}
	path, err := s.socketPath()
	if err != nil {
		return err
	}
	client, err := dialCtl(path, s.server.answerTime)
	switch {
	case errors.Is(err, errNoAnswer):
		return fmt.Errorf(msgNoAnswer.in(s.msg), path)
	case errors.Is(err, instance.ErrNotRunning):
		return fmt.Errorf(msgNotRunning.in(s.msg), s.name, path, instance.EnvDir)
	case err != nil:
		return fmt.Errorf(msgNoService.in(s.msg), path, err)
	}
	s.client.Store(client)
	return nil
}

func (s *ctlSession) socketPath() (string, error) {
	dir, err := s.runDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, s.name+".sock"), nil
}

// connection is the connection of now. There is one once connect has succeeded.
func (s *ctlSession) connection() *ctlClient { return s.client.Load() }

// isLost reports whether the server has gone, or has made way for another one.
func (s *ctlSession) isLost() bool {
	select {
	case <-s.connection().lost():
		return true
	default:
		return false
	}
}

// reconnect waits, after a connection was lost, for the process that takes the place of the one that has left: that of
// a reload, or the next one of a supervisor. It gives up when nobody runs under the server's name any more, and after
// patience. Any number of goroutines may ask for it.
func (s *ctlSession) reconnect(ctx context.Context) error {
	s.dialing.Lock()
	defer s.dialing.Unlock()
	if !s.isLost() {
		return nil // somebody else was here
	}
	path, err := s.socketPath()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reconnectTime)
	defer cancel()
	for {
		client, err := dialCtl(path, s.server.answerTime)
		if err == nil {
			s.client.Swap(client).close()
			return nil
		}
		if !errors.Is(err, errNoAnswer) && !s.serverRuns() {
			return errors.New(msgLost.in(s.msg))
		}
		select {
		case <-ctx.Done():
			return errors.New(msgLost.in(s.msg))
		case <-time.After(redialPause):
		}
	}
}

const (
	reconnectTime = 20 * time.Second // for a reload to finish
	redialPause   = 50 * time.Millisecond
)

// serverRuns reports whether a process holds the server's name.
func (s *ctlSession) serverRuns() bool {
	dir, err := s.runDir()
	if err != nil {
		return false
	}
	holder, err := instance.FindHolder(filepath.Join(dir, s.name+".pid"))
	if err != nil {
		return false
	}
	holder.Close()
	return true
}

// close ends the connection, if there is one.
func (s *ctlSession) close() {
	if c := s.client.Swap(nil); c != nil {
		c.close()
	}
}

// untilInterrupt ends the context at Ctrl-C, or at a request to end.
func (s *ctlSession) untilInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, stopSignals...)
}

// briefly is the time that a question beside the point may take.
func (s *ctlSession) briefly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), s.server.answerTime)
}

// historyFile is where the shell keeps its lines, "" if there is no home.
func (s *ctlSession) historyFile() string {
	home := s.getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return ""
		}
	}
	return filepath.Join(home, "."+s.name+".hist")
}

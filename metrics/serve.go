package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/logger"
)

// Limits of who asks for pages.
const (
	maxConnections   = 64
	maxSnapshots     = 4 // made at the same time
	maxHeader        = 16 << 10
	headerTimeout    = 5 * time.Second
	snapshotTimeout  = 10 * time.Second
	answerTimeout    = 30 * time.Second
	idleTimeout      = 2 * time.Minute
	shutdownPatience = 5 * time.Second
)

// ErrPathTaken is what the error of Serve matches with errors.Is when a page of this process is shown there already.
var ErrPathTaken = errors.New("a page is shown there already")

// Serve shows a page over HTTP. Pages of one process may share an address with different paths. The listener is bound
// as those of endpoints are, so that a process that replaces this one takes it over.
//
// The error names the address, and matches that of the system with errors.Is. Nothing but GET and HEAD of the page is
// answered with figures; connections and snapshots under way are limited.
func Serve(p Page) (Published, error) {
	return servers.add(p)
}

// servers is the registry of the HTTP servers of this process, by address.
var servers = serverTable{byAddress: make(map[string]*server)}

type serverTable struct {
	mu        sync.Mutex
	byAddress map[string]*server
}

// server is one address.
type server struct {
	key       string // in the table
	ln        net.Listener
	http      *http.Server
	snapshots chan struct{} // a token for each that is being made
	ended     chan struct{}

	mu    sync.RWMutex
	pages map[string]Page // by path
}

// add shows p, at a server that is there already if one is.
func (t *serverTable) add(p Page) (Published, error) {
	_, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return nil, fmt.Errorf("metrics page: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byAddress[p.Address]
	if s == nil {
		if s, err = newServer(p.Address); err != nil {
			return nil, err
		}
		if s.key = p.Address; port == "0" {
			s.key = s.ln.Addr().String() // the next one at port 0 wants another
		}
		t.byAddress[s.key] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.pages[p.Path]; taken {
		return nil, fmt.Errorf("metrics page http://%s%s: %w", p.Address, p.Path, ErrPathTaken)
	}
	s.pages[p.Path] = p
	return &served{table: t, server: s, page: p}, nil
}

func newServer(address string) (*server, error) {
	ln, err := netproto.Bind(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics page at %s: %w", address, err)
	}
	s := &server{
		ln: ln, pages: make(map[string]Page),
		snapshots: make(chan struct{}, maxSnapshots), ended: make(chan struct{}),
	}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(debugLog{}, "", 0),
	}
	go func() {
		defer close(s.ended)
		err := s.http.Serve(netutil.LimitListener(ln, maxConnections))
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			logger.Errorf(context.Background(), "metrics page at %s is down: %v", ln.Addr(), err)
		}
	}()
	return s, nil
}

// debugLog is where the HTTP server complains about who it talks to, which anybody can make it do.
type debugLog struct{}

func (debugLog) Write(line []byte) (int, error) {
	logger.Debugf(context.Background(), "metrics page: %s", bytes.TrimSpace(line))
	return len(line), nil
}

// ServeHTTP answers with a page.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	p, ok := s.pages[r.URL.Path]
	s.mu.RUnlock()
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	select {
	case s.snapshots <- struct{}{}:
		defer func() { <-s.snapshots }()
	default:
		http.Error(w, "too many are asking", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), snapshotTimeout)
	defer cancel()
	body, err := p.Snapshot(ctx)
	if err != nil {
		logger.Warningf(ctx, "metrics page %s: %v", p.Path, err)
		http.Error(w, "the figures could not be taken; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", p.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // who has gone does not miss it
}

// served is one page.
type served struct {
	table  *serverTable
	server *server
	page   Page
	once   sync.Once
	err    error
}

// Addr is where the page is shown.
func (p *served) Addr() net.Addr { return p.server.ln.Addr() }

// Close takes the page down, and with the last one of an address the listener.
func (p *served) Close() error {
	p.once.Do(func() {
		if p.table.remove(p) {
			p.err = p.server.shutdown()
		}
	})
	return p.err
}

// remove reports whether it was the last page of its server, which is then nobody's any more.
func (t *serverTable) remove(p *served) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := p.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pages) > 1 {
		delete(s.pages, p.page.Path)
		return false
	}
	// The page stays where it is until the last one asking has its answer.
	delete(t.byAddress, s.key)
	_ = s.ln.Close() // at once, for whoever wants the address next; Shutdown closes it again
	return true
}

func (s *server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.ended
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

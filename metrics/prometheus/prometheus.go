package prometheus

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/backoff"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
)

// Defaults of the options.
const (
	defaultHost = "0.0.0.0"
	defaultPort = 9101
	defaultPath = "/metrics"
)

// Pauses between attempts to show a page whose address was taken.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// PromMetrics records what the endpoints do that its plugin was given to.
type PromMetrics struct {
	figures  figures
	registry *prom.Registry

	optsMu sync.Mutex // taken by pages while they are locked, so nothing else is locked under it
	opts   metrics.Options

	mu      sync.Mutex
	page    *page              // while it is shown
	retry   context.CancelFunc // ends the attempts to show it
	retried chan struct{}      // closed when they have ended
}

var _ metrics.Metrics = (*PromMetrics)(nil)

// NewPromMetrics returns metrics that record from Start on. The page is http://0.0.0.0:9101/metrics unless the options
// say otherwise. It may be reached from everywhere: the figures tell service methods and how often they are called.
func NewPromMetrics(opts ...metrics.Option) *PromMetrics {
	m := &PromMetrics{registry: prom.NewRegistry()}
	m.opts = metrics.Options{Host: defaultHost, Port: defaultPort, Path: defaultPath}
	m.opts.Plugins = []drpc.Plugin{NewPrometheusPlugin(m)}
	m.Init(opts...)
	return m
}

// Init changes the options; before Start only.
func (m *PromMetrics) Init(option ...metrics.Option) {
	m.optsMu.Lock()
	defer m.optsMu.Unlock()
	for _, set := range option {
		set(&m.opts)
	}
	if m.opts.Path == "" || m.opts.Path[0] != '/' {
		m.opts.Path = "/" + m.opts.Path
	}
}

// Options returns the options. The plugins are the caller's to change.
func (m *PromMetrics) Options() metrics.Options {
	m.optsMu.Lock()
	defer m.optsMu.Unlock()
	opts := m.opts
	opts.Plugins = slices.Clone(opts.Plugins)
	return opts
}

// Enabled reports whether figures are recorded.
func (m *PromMetrics) Enabled() bool { return m.figures.enabled.Load() }

// String returns "prometheus".
func (m *PromMetrics) String() string { return "prometheus" }

// Registerer is where a program registers metrics of its own, to be shown on the same page. Their names must not be those
// of another member of the page.
func (m *PromMetrics) Registerer() prom.Registerer { return m.registry }

// Addr is where the page is shown; nil before Start, without a page, and where another process shows it.
func (m *PromMetrics) Addr() net.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.page == nil {
		return nil
	}
	return m.page.addr()
}

// Start begins to record and shows the page. Where its address is taken, as by a process that this one replaces, that is
// logged and tried again until Shutdown.
func (m *PromMetrics) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Enabled() {
		return
	}
	m.figures.enabled.Store(true)
	err := m.show()
	if err == nil {
		return
	}
	logger.Errorf(context.Background(), "%v; it will be tried again", err)
	ctx, cancel := context.WithCancel(context.Background())
	m.retry, m.retried = cancel, make(chan struct{})
	go m.showLater(ctx, m.retried)
}

// StartPage is Start that returns the error of showing the page; nothing is started then.
func (m *PromMetrics) StartPage() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Enabled() {
		return nil
	}
	if err := m.show(); err != nil {
		return err
	}
	m.figures.enabled.Store(true)
	return nil
}

// show shows the page if there is to be one. The caller holds the lock.
func (m *PromMetrics) show() (err error) {
	opts := m.Options()
	if opts.Port < 0 {
		return nil
	}
	m.page, err = pages.join(m, net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)), opts.Path)
	return err
}

// showLater tries to show the page until it is shown or ctx ends.
func (m *PromMetrics) showLater(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	for pauses := (backoff.Series{First: firstRetry, Last: lastRetry}); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pauses.Next()):
		}
		m.mu.Lock()
		err := ctx.Err()
		if err == nil {
			err = m.show()
		}
		m.mu.Unlock()
		if err == nil {
			logger.Infof(ctx, "the metrics page is shown now")
			return
		}
	}
}

// Shutdown takes the page down and stops recording.
func (m *PromMetrics) Shutdown() {
	m.mu.Lock()
	m.figures.enabled.Store(false)
	page, retry, retried := m.page, m.retry, m.retried
	m.page, m.retry, m.retried = nil, nil, nil
	if retry != nil {
		retry()
	}
	m.mu.Unlock()
	if retried != nil {
		<-retried
	}
	if page != nil {
		if err := pages.leave(page, m); err != nil {
			logger.Warningf(context.Background(), "closing the metrics page: %v", err)
		}
	}
}

// Snapshot returns the figures in the text format of Prometheus, with or without a page.
func (m *PromMetrics) Snapshot(context.Context) ([]byte, error) {
	return newPage(m).snapshot()
}

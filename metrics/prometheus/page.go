package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/osgochina/dmicro/metrics"
)

// Format is the name of the text format of Prometheus, version 0.0.4.
const Format = "prometheus"

var textFormat = expfmt.NewFormat(expfmt.TypeTextPlain)

// page is what one or more metrics show together, with the Go runtime and the process.
type page struct {
	registry *prom.Registry

	mu        sync.Mutex
	members   []*PromMetrics
	published metrics.Published
	key       pageKey
}

func newPage(members ...*PromMetrics) *page {
	p := &page{registry: prom.NewRegistry(), members: members}
	p.registry.MustRegister(collector{p.all}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p
}

func (p *page) all() []*PromMetrics {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.members)
}

func (p *page) addr() net.Addr { return p.published.Addr() }

// snapshot writes all there is to show.
func (p *page) snapshot() ([]byte, error) {
	gatherers := prom.Gatherers{p.registry}
	for _, m := range p.all() {
		gatherers = append(gatherers, m.registry)
	}
	families, err := gatherers.Gather()
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, textFormat)
	for _, family := range families {
		if err = encoder.Encode(family); err != nil {
			return nil, fmt.Errorf("prometheus: metric %s: %w", family.GetName(), err)
		}
	}
	return out.Bytes(), nil
}

// pageKey is where a page is shown.
type pageKey struct{ address, path string }

// pages is the registry of the pages that this process shows.
var pages = pageTable{byKey: make(map[pageKey]*page)}

type pageTable struct {
	mu    sync.Mutex
	byKey map[pageKey]*page
}

// join shows m at an address, together with who is shown there already.
func (t *pageTable) join(m *PromMetrics, address, path string) (*page, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := pageKey{address, path}
	if p := t.byKey[key]; p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.members = append(p.members, m)
		return p, nil
	}
	p := newPage(m)
	p.key = key
	published, err := metrics.Publish(metrics.Page{
		Format: Format, ContentType: string(textFormat), Address: address, Path: path,
		Snapshot: func(context.Context) ([]byte, error) { return p.snapshot() },
	})
	if err != nil {
		return nil, err
	}
	p.published = published
	if addr := published.Addr(); addr != nil && strings.HasSuffix(address, ":0") {
		p.key.address = addr.String() // the next one at port 0 wants another
	}
	t.byKey[p.key] = p
	return p, nil
}

// leave takes m off its page, and the page down with the last one.
func (t *pageTable) leave(p *page, m *PromMetrics) error {
	t.mu.Lock()
	p.mu.Lock()
	p.members = slices.DeleteFunc(p.members, func(other *PromMetrics) bool { return other == m })
	last := len(p.members) == 0
	if last && t.byKey[p.key] == p {
		delete(t.byKey, p.key)
	}
	p.mu.Unlock()
	t.mu.Unlock()
	if !last {
		return nil
	}
	return p.published.Close()
}

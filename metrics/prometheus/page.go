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

	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
)

// Format is the name of the text format of Prometheus, version 0.0.4.
const Format = "prometheus"

var textFormat = expfmt.NewFormat(expfmt.TypeTextPlain)

// maxFormer bounds how many metrics that have left a page are kept apart.
const maxFormer = 8

// page is what one or more metrics show together, with the Go runtime and the process. What those have counted that have
// left stays: or a server of several that ends would look as if calls had been taken back.
type page struct {
	runtime *prom.Registry

	mu        sync.Mutex
	members   []*PromMetrics
	former    []*PromMetrics // that have left, and may come back
	past      []byte         // counters of those that left before them; nil if there are none
	published metrics.Published
	key       pageKey
	anyPort   bool // the address was chosen by the system
}

func newPage(members ...*PromMetrics) *page {
	p := &page{runtime: prom.NewRegistry(), members: members}
	p.runtime.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p
}

func (p *page) addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published.Addr()
}

// enter makes m a member; the lock is held.
func (p *page) enter(m *PromMetrics) {
	p.former = slices.DeleteFunc(p.former, func(other *PromMetrics) bool { return other == m })
	p.members = append(p.members, m)
}

// retire makes m a former member; the lock is held.
func (p *page) retire(m *PromMetrics) {
	p.members = slices.DeleteFunc(p.members, func(other *PromMetrics) bool { return other == m })
	p.former = append(p.former, m)
	if len(p.former) <= maxFormer {
		return
	}
	oldest, err := gather(p.former[:1])
	p.former = slices.Delete(p.former, 0, 1)
	if err == nil {
		oldest, err = Merge(nil, append(p.pastList(), oldest))
	}
	if err != nil {
		logger.Warningf(context.Background(), "what a part of the metrics page has counted is lost: %v", err)
		return
	}
	p.past = oldest
}

func (p *page) pastList() [][]byte {
	if p.past == nil {
		return nil
	}
	return [][]byte{p.past}
}

// snapshot writes all there is to show.
func (p *page) snapshot() ([]byte, error) {
	p.mu.Lock()
	members, former, gone := slices.Clone(p.members), slices.Clone(p.former), p.pastList()
	p.mu.Unlock()
	live, err := gather(members, p.runtime)
	if err != nil || len(former)+len(gone) == 0 {
		return live, err
	}
	for _, m := range former { // each by itself: metrics of their own may have the same names
		text, err := gather([]*PromMetrics{m})
		if err != nil {
			return nil, err
		}
		gone = append(gone, text)
	}
	return Merge([][]byte{live}, gone)
}

// gather writes the figures of some metrics, and of others.
func gather(list []*PromMetrics, others ...prom.Gatherer) ([]byte, error) {
	own := prom.NewRegistry()
	own.MustRegister(collector{func() []*PromMetrics { return list }})
	gatherers := append(prom.Gatherers{own}, others...)
	for _, m := range list {
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
	p := t.byKey[key]
	if p == nil {
		p = newPage()
		p.key = key
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.members) > 0 {
		p.enter(m)
		return p, nil
	}
	published, err := metrics.Publish(metrics.Page{
		Format: Format, ContentType: string(textFormat), Address: address, Path: path,
		Snapshot: func(context.Context) ([]byte, error) { return p.snapshot() },
	})
	if err != nil {
		return nil, err
	}
	p.published = published
	p.enter(m)
	if addr := published.Addr(); addr != nil && strings.HasSuffix(address, ":0") {
		p.anyPort = true
		p.key.address = addr.String() // the next one at port 0 wants another
	}
	t.byKey[p.key] = p
	return p, nil
}

// leave takes m off its page, and the page down with the last one.
func (t *pageTable) leave(p *page, m *PromMetrics) error {
	t.mu.Lock()
	p.mu.Lock()
	p.retire(m)
	last, published := len(p.members) == 0, p.published
	if last && p.anyPort && t.byKey[p.key] == p {
		delete(t.byKey, p.key) // nobody will ask for this address again; others find what was counted before
	}
	p.mu.Unlock()
	t.mu.Unlock()
	if !last {
		return nil
	}
	return published.Close()
}

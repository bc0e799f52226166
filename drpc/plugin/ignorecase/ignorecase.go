package ignorecase

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc"
)

// Name is the name of the plugin.
const Name = "ignoreCase"

// Plugin folds the case of service methods. NewIgnoreCase makes one.
type Plugin struct {
	mu sync.Mutex
	// spelled has the registered names that are not all lower case, by themselves and by their lower-case form. Published
	// maps never change.
	spelled atomic.Pointer[map[string]string]
}

var (
	_ drpc.AfterRegRouterPlugin      = (*Plugin)(nil)
	_ drpc.AfterReadCallHeaderPlugin = (*Plugin)(nil)
	_ drpc.AfterReadPushHeaderPlugin = (*Plugin)(nil)
)

// NewIgnoreCase returns the plugin for an endpoint. Give it to drpc.NewEndpoint, so that it sees all handlers, and
// before plugins that look at the service method.
func NewIgnoreCase() *Plugin { return new(Plugin) }

// Name returns the name of the plugin.
func (*Plugin) Name() string { return Name }

// AfterRegRouter remembers a handler whose name is not all lower case. Of two that differ in nothing but case each is
// found by its exact name, and the first one by any other spelling.
func (p *Plugin) AfterRegRouter(h *drpc.Handler) error {
	name := h.Name()
	lower := strings.ToLower(name)
	if lower == name {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[string]string)
	if old := p.spelled.Load(); old != nil {
		next = maps.Clone(*old)
	}
	next[name] = name
	if next[lower] == "" {
		next[lower] = name
	}
	p.spelled.Store(&next)
	return nil
}

// AfterReadCallHeader folds the service method of a call.
func (p *Plugin) AfterReadCallHeader(ctx drpc.ReadCtx) *drpc.Status { return p.fold(ctx) }

// AfterReadPushHeader folds the service method of a push.
func (p *Plugin) AfterReadPushHeader(ctx drpc.ReadCtx) *drpc.Status { return p.fold(ctx) }

func (p *Plugin) fold(ctx drpc.ReadCtx) *drpc.Status {
	method := ctx.ServiceMethod()
	folded := strings.ToLower(method)
	if spelled := p.spelled.Load(); spelled != nil {
		if (*spelled)[method] == method {
			return nil // exactly what is registered
		}
		if name := (*spelled)[folded]; name != "" {
			folded = name
		}
	}
	if folded != method {
		ctx.ResetServiceMethod(folded)
	}
	return nil
}

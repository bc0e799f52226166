package ignorecase

import (
	"strings"
	"sync"

	"github.com/osgochina/dmicro/drpc"
)

// Name is the name of the plugin.
const Name = "ignoreCase"

// Plugin folds the case of service methods. NewIgnoreCase makes one.
type Plugin struct {
	// names has every registered name, by itself and by its lower-case form; string to string.
	names sync.Map
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

// AfterRegRouter remembers a handler. Of two whose names differ in nothing but case each is found by its exact name; any
// other spelling finds the one that is all lower case, else the first.
func (p *Plugin) AfterRegRouter(h *drpc.Handler) error {
	p.names.LoadOrStore(strings.ToLower(h.Name()), h.Name())
	p.names.Store(h.Name(), h.Name())
	return nil
}

// AfterReadCallHeader folds the service method of a call.
func (p *Plugin) AfterReadCallHeader(ctx drpc.ReadCtx) *drpc.Status { return p.fold(ctx) }

// AfterReadPushHeader folds the service method of a push.
func (p *Plugin) AfterReadPushHeader(ctx drpc.ReadCtx) *drpc.Status { return p.fold(ctx) }

func (p *Plugin) fold(ctx drpc.ReadCtx) *drpc.Status {
	method := ctx.ServiceMethod()
	if name := p.spell(method); name != method {
		ctx.ResetServiceMethod(name)
	}
	return nil
}

// spell returns the name of the handler that is meant, in lower case where there is none.
func (p *Plugin) spell(method string) string {
	if name, ok := p.names.Load(method); ok {
		return name.(string)
	}
	folded := strings.ToLower(method)
	if name, ok := p.names.Load(folded); ok {
		return name.(string)
	}
	return folded
}

package metrics

import (
	"slices"

	"github.com/osgochina/dmicro/drpc"
)

// Metrics records what endpoints do, and shows it.
type Metrics interface {
	// Init changes the options; before Start only.
	Init(...Option)
	// Options returns the options as they are.
	Options() Options
	// Enabled reports whether figures are recorded: from Start to Shutdown.
	Enabled() bool
	// Start begins to record and shows the figures on the configured page. A page that cannot be shown is logged, and
	// keeps nothing from running. A second Start does nothing.
	Start()
	// Shutdown takes the page down, having answered who was asking, and stops recording. After that Start begins anew.
	Shutdown()
	// String names the implementation.
	String() string
}

// Options are what implementations have in common.
type Options struct {
	// Host is the address to show the page at, "0.0.0.0" by default.
	Host string
	// Port is its port, 9101 by default. 0 takes a free one; with a negative one there is no page.
	Port int
	// Path is the path of the page, "/metrics" by default.
	Path string
	// ServiceName tells the figures of this service from others on the same page; servers and clients fill in theirs
	// where it is empty.
	ServiceName string
	// Plugins are what endpoints get that are to be recorded, the one of the implementation among them.
	Plugins []drpc.Plugin
}

// Option changes one of the options.
type Option func(*Options)

// OptHost sets the address to show the page at.
func OptHost(host string) Option { return func(o *Options) { o.Host = host } }

// OptPort sets its port.
func OptPort(port int) Option { return func(o *Options) { o.Port = port } }

// OptPath sets the path of the page.
func OptPath(path string) Option { return func(o *Options) { o.Path = path } }

// OptServiceName sets the name that the figures carry.
func OptServiceName(name string) Option { return func(o *Options) { o.ServiceName = name } }

// OptPlugin adds a plugin to those that recorded endpoints get.
func OptPlugin(plugin drpc.Plugin) Option {
	return func(o *Options) { o.Plugins = append(slices.Clip(o.Plugins), plugin) }
}

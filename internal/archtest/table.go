package archtest

// Row declares where one package, or all packages below a folder, stand.
type Row struct {
	// Path is relative to the module: "drpc/message" is that package alone, "drpc/proto/*" everything below
	// drpc/proto at any depth, "." the module root. An exact path wins over a folder, a deeper folder over a
	// shallower one.
	Path string
	// Beside lists the packages of the same layer that this one may import, in the same notation.
	Beside []string
}

// Layer is a set of packages at one height.
type Layer struct {
	Name string // short, unique: "L0"
	What string // for the picture
	// Only limits what the layer may import to the named layer. Empty means every layer below.
	Only string
	Rows []Row
}

// Layers is the architecture of this module, lowest layer first.
var Layers = []Layer{
	{Name: "L0", What: "foundations", Rows: []Row{
		{Path: "."},
		{Path: "internal/*", Beside: []string{"internal/*"}},
		{Path: "drpc/status", Beside: []string{"internal/*"}},
		{Path: "drpc/codec", Beside: []string{"internal/*"}},
		{Path: "drpc/tfilter", Beside: []string{"internal/*"}},
		{Path: "logger", Beside: []string{"internal/*"}},
		{Path: "eventbus", Beside: []string{"logger"}},
	}},
	{Name: "L1", What: "the message", Rows: []Row{
		{Path: "drpc/message"},
	}},
	{Name: "L2", What: "wire protocols | transports", Rows: []Row{
		{Path: "drpc/proto"},
		{Path: "drpc/proto/*", Beside: []string{"drpc/proto", "drpc/proto/*", "drpc/internal/payload"}},
		{Path: "drpc/internal/payload", Beside: []string{"drpc/proto"}},
		{Path: "drpc/netproto"},
		{Path: "drpc/netproto/*", Beside: []string{"drpc/netproto", "drpc/netproto/*"}},
	}},
	{Name: "L3", What: "the socket", Rows: []Row{
		{Path: "drpc/socket"},
	}},
	{Name: "L4", What: "endpoint, session, router, hooks, contexts", Rows: []Row{
		{Path: "drpc/internal/*", Beside: []string{"drpc/internal/*"}},
		{Path: "drpc", Beside: []string{"drpc/internal/*"}},
	}},
	{Name: "L5", What: "plugins, mixers, metrics, registry, selector", Rows: []Row{
		{Path: "drpc/internal/conformance"},
		{Path: "drpc/internal/transporttest", Beside: []string{"drpc/internal/conformance"}},
		{Path: "drpc/internal/peertest"},
		{Path: "drpc/plugin/*"},
		{Path: "drpc/mixer/*", Beside: []string{"drpc/mixer/*"}},
		{Path: "metrics"},
		{Path: "metrics/*", Beside: []string{"metrics"}},
		{Path: "registry"},
		{Path: "registry/*", Beside: []string{"registry"}},
		{Path: "selector", Beside: []string{"registry", "registry/cache"}},
	}},
	{Name: "L6", What: "endpoints with registry, selector and metrics", Rows: []Row{
		{Path: "client"},
		{Path: "server"},
	}},
	{Name: "side", What: "processes and listeners", Only: "L0", Rows: []Row{
		{Path: "supervisor/*", Beside: []string{"supervisor/*"}},
		{Path: "graceful"},
	}},
	{Name: "L7", What: "the application runner", Rows: []Row{
		{Path: "dserver/internal/*", Beside: []string{"dserver/internal/*"}},
		{Path: "dserver", Beside: []string{"dserver/internal/*"}},
	}},
	{Name: "L8", What: "programs", Rows: []Row{
		{Path: "examples/*", Beside: []string{"examples/*"}},
	}},
}

// Library declares which packages may import a library that must not spread.
type Library struct {
	Path string // import path of its module, covers everything below
	Why  string // said in the error
	In   []string
	Max  int // at most so many packages of In; 0 means any number
}

// Libraries are the libraries with a fence round them. Others are free.
var Libraries = []Library{
	{
		Path: "github.com/gogf/gf", Why: "GoFrame types appear only where exported signatures need them",
		In: []string{
			"logger", "drpc/message", "drpc/socket", "drpc", "drpc/plugin/*", "drpc/mixer/*",
			"client", "supervisor/*", "dserver", "dserver/internal/*", "examples/*",
		},
	},
	{
		Path: "github.com/abiosoft/ishell", Why: "the shell library is unmaintained and stays behind one front",
		In: []string{"dserver", "dserver/internal/*"}, Max: 1,
	},
	{
		Path: "github.com/abiosoft/readline", Why: "it belongs to the shell",
		In: []string{"dserver", "dserver/internal/*"}, Max: 1,
	},
	{
		Path: "github.com/spf13/cobra", Why: "the command line belongs to the application runner",
		In: []string{"dserver", "dserver/internal/*", "examples/*"},
	},
	{Path: "github.com/quic-go/quic-go", Why: "one package a transport", In: []string{"drpc/netproto/quic"}},
	{Path: "github.com/xtaci/kcp-go", Why: "one package a transport", In: []string{"drpc/netproto/kcp"}},
	{Path: "github.com/gorilla/websocket", Why: "one package a transport", In: []string{"drpc/mixer/websocket", "drpc/mixer/websocket/*"}},
	{Path: "go.etcd.io/etcd", Why: "one package a registry", In: []string{"registry/etcd"}},
	{Path: "github.com/hashicorp/mdns", Why: "one package a registry", In: []string{"registry"}},
	{Path: "github.com/prometheus", Why: "metrics are an interface", In: []string{"metrics/prometheus", "examples/metrics"}},
}

package dserver

// The methods of the running server, called over the control socket. Bodies
// are JSON over the raw protocol.
const (
	methodInfo        = "/ctl/info"
	methodStart       = "/ctl/start"
	methodStop        = "/ctl/stop"
	methodReload      = "/ctl/reload"
	methodDebug       = "/ctl/debug"
	methodVersion     = "/ctl/version"
	methodOpenLogger  = "/ctl/open_logger"
	methodCloseLogger = "/ctl/close_logger"
)

// methodLogLine is pushed by the server with a log line as its body.
// methodLogLineOld is how DMicro 1.x servers spell it.
const (
	methodLogLine    = "/ctrl_logger_push/logger"
	methodLogLineOld = "/ctl_logger_push/logger"
)

// metaLine numbers the lines of one subscription from 1 on. Handlers of pushes
// run side by side, so that the receiver needs it to keep the order.
const metaLine = "Line"

// The codes of the statuses that the methods return.
const (
	ctlNoName   int32 = 100 // no sandbox was named
	ctlNotFound int32 = 101 // the name leads to no sandbox
	ctlRefused  int32 = 102 // not in this state
	ctlFailed   int32 = 103 // it was tried and went wrong
)

// maxCtlMessage bounds a message on the control socket, in bytes.
const maxCtlMessage = 1 << 20

// ctlInfos is the reply of methodInfo.
type ctlInfos struct {
	List []ctlInfo `json:"list,omitempty"`
}

// ctlInfo is one sandbox.
type ctlInfo struct {
	SandBoxName string `json:"SandBoxName,omitempty"`
	ServiceName string `json:"ServiceName,omitempty"`
	Status      string `json:"Status,omitempty"`
	Description string `json:"Description,omitempty"`
	Reason      string `json:"Reason,omitempty"` // why it failed

	// What Description says of a running sandbox, for programs.
	PID        int     `json:"Pid,omitempty"`
	Uptime     float64 `json:"UptimeSeconds,omitempty"` // of the sandbox
	Generation int     `json:"Generation,omitempty"`    // of its process
	Memory     uint64  `json:"MemoryBytes,omitempty"`   // of its process
}

// ctlReloaded is the reply of methodReload.
type ctlReloaded struct {
	Replaced bool `json:"Replaced,omitempty"` // another process serves now
}

// ctlNone is the reply of the methods that only do something, and the argument
// of those that need none.
type ctlNone struct{}

// The replies of the methods below are lists that the processes of one application join. What could be of any length is
// cut where it would not fit into a message, and says how much there is in all.
const (
	methodSessions = "/ctl/sessions"
	methodRoutes   = "/ctl/routes"
	methodLoad     = "/ctl/load"
)

const (
	maxSessionsTold = 1000
	maxRoutesTold   = 2000
	maxMethodsTold  = 200 // of each process
)

// ctlProcess is one process of the application.
type ctlProcess struct {
	PID        int     `json:"pid"`
	Service    string  `json:"service,omitempty"` // of a worker; a process without one has them all
	Generation int     `json:"generation"`
	Uptime     float64 `json:"uptimeSeconds"`
	Memory     uint64  `json:"memoryBytes"` // resident, where the system tells
}

// ctlSessions is the reply of methodSessions, whose argument is how many of them are wanted.
type ctlSessions struct {
	Total int          `json:"total"`
	List  []ctlPeerNow `json:"list"`
}

// ctlPeerNow is a session and what goes on over it.
type ctlPeerNow struct {
	PID      int     `json:"pid"`
	Service  string  `json:"service,omitempty"`
	ID       string  `json:"id"`
	Remote   string  `json:"remote"`
	Local    string  `json:"local"`
	Dialed   bool    `json:"dialed"` // by this side
	Age      float64 `json:"ageSeconds"`
	Idle     float64 `json:"idleSeconds"`
	Serving  int     `json:"serving"` // requests of the peer that are at work
	Calling  int     `json:"calling"` // calls to the peer that wait for their reply
	Queued   int     `json:"queuedBytes"`
	BytesIn  uint64  `json:"bytesIn"`
	BytesOut uint64  `json:"bytesOut"`
	Redials  uint64  `json:"redials"`
}

// ctlRoutes is the reply of methodRoutes.
type ctlRoutes struct {
	Total int        `json:"total"`
	List  []ctlRoute `json:"list"`
}

// ctlRoute is a service method.
type ctlRoute struct {
	Service string `json:"service,omitempty"`
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Arg     string `json:"arg,omitempty"`
	Reply   string `json:"reply,omitempty"`
}

// ctlLoads is the reply of methodLoad: the counters of each process, two of which make a frame of top.
type ctlLoads struct {
	List []ctlLoad `json:"list"`
}

// ctlLoad is what a process has done since it was first asked, and what it is doing.
type ctlLoad struct {
	ctlProcess
	CPU      float64         `json:"cpuSeconds"` // 0 where the system does not tell
	Sessions int             `json:"sessions"`
	Serving  int             `json:"serving"`
	Calling  int             `json:"calling"`
	BytesIn  uint64          `json:"bytesIn"`
	BytesOut uint64          `json:"bytesOut"`
	Methods  []ctlMethodLoad `json:"methods"`
}

// ctlMethodLoad is what one method has done.
type ctlMethodLoad struct {
	Kind    string      `json:"kind"`
	Path    string      `json:"path"`
	Done    uint64      `json:"done"`
	Failed  uint64      `json:"failed"`
	Running int         `json:"running"`
	Latency [][2]uint64 `json:"latency"` // class and count, of the classes of drpc.Histogram that are not empty
}

package dserver

// The methods of the running server, called over the control socket. Bodies
// are JSON over the raw protocol.
const (
	methodInfo        = "/ctl/info"
	methodStart       = "/ctl/start"
	methodStop        = "/ctl/stop"
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
}

// ctlNone is the reply of the methods that only do something, and the argument
// of those that need none.
type ctlNone struct{}

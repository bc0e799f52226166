package drpc

import (
	"strconv"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
)

// The run log is one line for each message sent or handled, at debug level:
//
//	CALL-> <addr> <cost> "<method>" SEND(<msg>) RECV(<msg>)
//	CALL<- <addr> <cost> "<method>" RECV(<msg>) SEND(<msg>)
//	PUSH-> <addr> <cost> "<method>" SEND(<msg>)
//	PUSH<- <addr> <cost> "<method>" RECV(<msg>)

func (e *endpoint) logCall(c *callCmd, in *message.Msg) {
	logDebugf("CALL-> %s %s %q SEND(%s) RECV(%s)", runAddr(&c.output, c.sess), e.runCost(c.cost),
		c.output.ServiceMethod(), e.runMessage(&c.output), e.runMessage(in))
}

func (e *endpoint) logPush(c *handlerCtx) {
	logDebugf("PUSH-> %s %s %q SEND(%s)", runAddr(&c.output, c.sess), e.runCost(c.start.Since()),
		c.output.ServiceMethod(), e.runMessage(&c.output))
}

func (e *endpoint) logRequest(c *handlerCtx) {
	addr, cost, method := runAddr(&c.input, c.sess), e.runCost(c.start.Since()), c.input.ServiceMethod()
	if !c.kind.answered {
		logDebugf("PUSH<- %s %s %q RECV(%s)", addr, cost, method, e.runMessage(&c.input))
		return
	}
	logDebugf("CALL<- %s %s %q RECV(%s) SEND(%s)", addr, cost, method, e.runMessage(&c.input), e.runMessage(&c.output))
}

// runAddr is the address of the peer and the one that the message claims to come from.
func runAddr(m *message.Msg, s *session) string {
	ip := s.RemoteAddr().String()
	switch real := realIP(m, s); real {
	case ip:
		return ip + "(real:same)"
	case "":
		return ip + "(real:-)"
	default:
		return ip + "(real:" + real + ")"
	}
}

func (e *endpoint) runCost(d time.Duration) string {
	if e.cfg.SlowCometDuration > 0 && d >= e.cfg.SlowCometDuration {
		return d.String() + "(slow)"
	}
	return d.String() + "(fast)"
}

// runMessage is what the log tells of a message; meta and body only if the endpoint is configured for it.
func (e *endpoint) runMessage(m *message.Msg) []byte {
	b := strconv.AppendUint(append(make([]byte, 0, 64), `{"size":`...), uint64(m.Size()), 10)
	if stat := m.Status(); stat != nil {
		b = append(b, `,"status":`...)
		b = stat.AppendJSON(b)
	}
	if e.cfg.PrintDetail {
		if m.MetaLen() > 0 {
			b = m.AppendMetaText(append(b, `,"meta":`...))
		}
		if m.Body() != nil || len(m.EncodedBody()) > 0 {
			b = m.AppendBodyText(append(b, `,"body":`...))
		}
	}
	return append(b, '}')
}

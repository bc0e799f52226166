package dserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// tell has the worker start or stop one of its sandboxes.
func (v *service) tell(ctx context.Context, method, sandbox string) error {
	w := v.current()
	if w == nil {
		return fmt.Errorf("sandbox [%s] %w", sandbox, errNotRunning)
	}
	stat := w.call(ctx, method, sandbox, new(ctlNone))
	switch {
	case stat.OK():
		v.want(sandbox, method == methodStart)
		return nil
	case stat.Code() == ctlRefused:
		return &refusal{stat.Msg()}
	case stat.Cause() != nil:
		return fmt.Errorf("%s: %w", stat.Msg(), stat.Cause())
	}
	return errors.New(stat.Msg())
}

// infos tells of the sandboxes of the service: what the worker says of them, and what is known without it.
func (v *service) infos(ctx context.Context) []ctlInfo {
	var told ctlInfos
	if w := v.current(); w != nil && w.call(ctx, methodInfo, nil, &told).OK() {
		return slices.DeleteFunc(told.List, func(i ctlInfo) bool { return i.ServiceName != v.name })
	}
	st := v.status()
	var infos []ctlInfo
	for _, u := range v.units {
		info := ctlInfo{SandBoxName: u.name, ServiceName: v.name, Status: string(st.state), Reason: st.reason}
		if w := v.current(); w != nil {
			info.PID, info.Uptime = w.pid, time.Since(w.since).Seconds()
			info.Description = fmt.Sprintf("pid %d, uptime %s, does not answer", w.pid, uptime(time.Since(w.since)))
		} else if st.state != StateStopped {
			info.Description = st.since.Format(time.DateTime)
		}
		infos = append(infos, info)
	}
	return infos
}

// refusal is what a worker said when it refused.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

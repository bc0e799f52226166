package dserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// model is how the sandboxes of a server are run: in this process, or in workers. Its methods may be called from any
// goroutine once begin has returned.
type model interface {
	// begin starts the sandboxes that were selected, and returns when they are up: the names of those that run, and the
	// reasons of those that do not.
	begin(ctx context.Context) (running, failed []string, err error)
	// infos tells of every sandbox.
	infos(ctx context.Context) []ctlInfo
	// start and stop are for what bears the name: a sandbox, or a service with all of its sandboxes. A name that leads
	// nowhere gives errNoSandbox or errAmbiguous.
	start(ctx context.Context, name string) error
	stop(ctx context.Context, name string) error
	// reload replaces what runs by the program as it is now: the service that is named or that holds the sandbox, or with
	// no name everything. It returns when the new one serves, and the old one has begun to leave.
	reload(ctx context.Context, name string) error
	// end ends everything, within ctx.
	end(ctx context.Context) stopOutcome
	// abandon ends other processes at once, because this one does.
	abandon()
}

// Why a request was refused; nothing was done.
var (
	errNotAlone = errors.New("a single process is reloaded as a whole: reload without a name")
	errVetoed   = errors.New("BeforeStop refused it")
)

// targets finds what a name stands for: a sandbox, as it is spelled or else ignoring case, or all sandboxes of a service.
func (s *DServer) targets(name string) ([]*unit, error) {
	u, err := s.findUnit(name)
	if err == nil {
		return []*unit{u}, nil
	}
	var units []*unit
	for _, u := range s.allUnits() {
		if u.service.name == name {
			units = append(units, u)
		}
	}
	if len(units) == 0 {
		for _, u := range s.allUnits() {
			if strings.EqualFold(u.service.name, name) {
				units = append(units, u)
			}
		}
	}
	if len(units) == 0 {
		return nil, err
	}
	return units, nil
}

// single runs the sandboxes in this process.
type single struct {
	server   *DServer
	units    []*unit // selected
	strict   bool
	before   []string // what the predecessor ran
	unwanted []string // what was stopped by hand in the predecessor
}

func (m *single) begin(ctx context.Context) (running, failed []string, err error) {
	s := m.server
	w := &start{server: s, strict: m.strict, fewer: missing(m.before, m.units)}
	if s.binder != nil {
		w.inherited = len(s.binder.up.Unclaimed())
	}
	for _, u := range m.units {
		if slices.Contains(m.unwanted, u.name) {
			u.keepStopped()
			continue
		}
		if err := s.startUnit(u); err != nil {
			return nil, nil, err
		}
		w.units = append(w.units, u)
	}
	w.began = time.Now()
	running, failed, err = w.watch(ctx)
	if err == nil && len(failed) > 0 && s.nothingLeft() {
		return nil, nil, s.allFailed()
	}
	return running, failed, err
}

func (m *single) infos(context.Context) []ctlInfo {
	own := (&reporter{server: m.server}).process()
	var infos []ctlInfo
	for _, u := range m.server.allUnits() {
		infos = append(infos, u.info(own))
	}
	return infos
}

func (m *single) start(ctx context.Context, name string) error {
	units, err := m.server.targets(name)
	if err != nil {
		return err
	}
	return each(units, func(u *unit) error {
		if err := m.server.startUnit(u); err != nil {
			return err
		}
		w := &start{server: m.server, units: []*unit{u}, began: time.Now()}
		if _, _, err := w.watch(ctx); err != nil {
			return err
		}
		if err := w.failure(); err != nil {
			return err
		}
		u.isUp()
		return nil
	}, errRunning)
}

func (m *single) stop(ctx context.Context, name string) error {
	units, err := m.server.targets(name)
	if err != nil {
		return err
	}
	return each(units, func(u *unit) error {
		err := u.stop(ctx)
		if err == nil {
			u.keepStopped()
		}
		return err
	}, errNotRunning)
}

func (m *single) abandon() {}

// each does something with several sandboxes. Of one alone any error counts; of several, the error that says that there
// was nothing to do counts only if it was so for all.
func each(units []*unit, do func(*unit) error, idle error) error {
	var errs, idles []error
	for _, u := range units {
		switch err := do(u); {
		case errors.Is(err, idle):
			idles = append(idles, err)
		default:
			errs = append(errs, err)
		}
	}
	if len(idles) == len(units) {
		return errors.Join(idles...)
	}
	return errors.Join(errs...)
}

func (m *single) reload(ctx context.Context, name string) error {
	if name != "" {
		if _, err := m.server.targets(name); err != nil {
			return err
		}
		return errNotAlone
	}
	return m.server.reload(ctx)
}

func (m *single) end(ctx context.Context) stopOutcome {
	cut := m.server.drain(ctx, m.server.succeeded())
	out := stopUnits(ctx, m.server.activeUnits())
	out.failed = out.failed || cut
	return out
}

// names splits what join has joined.
func names(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// joinNames returns the names of the sandboxes that fit, for names.
func joinNames(units []*unit, fits func(*unit) bool) string {
	var list []string
	for _, u := range units {
		if fits(u) {
			list = append(list, u.name)
		}
	}
	return strings.Join(list, ",")
}

// refused reports whether an error says that nothing was done, because of the state in which things are.
func refused(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return true
	}
	for _, reason := range []error{errRunning, errNotRunning, errStopping, errNotAlone, errVetoed, errBusy} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// info is what ps tells of a sandbox of this process.
func (u *unit) info(own ctlProcess) ctlInfo {
	st, at := u.status(), time.Now()
	info := ctlInfo{
		SandBoxName: u.name,
		ServiceName: u.service.name,
		Status:      string(st.state),
		Description: st.describe(at),
		Reason:      st.reason,
	}
	if st.state == StateRunning {
		info.PID, info.Uptime = own.PID, at.Sub(st.since).Seconds()
		info.Generation, info.Memory = own.Generation, own.Memory
		info.Description += fmt.Sprintf(", generation %d, %s", own.Generation, byteText(float64(own.Memory)))
	}
	return info
}

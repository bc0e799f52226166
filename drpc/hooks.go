package drpc

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
)

// hookKind names one of the 27 hooks.
type hookKind uint8

const (
	hookBeforeNewEndpoint hookKind = iota
	hookAfterNewEndpoint
	hookBeforeCloseEndpoint
	hookAfterCloseEndpoint
	hookAfterRegRouter
	hookAfterListen
	hookBeforeDial
	hookAfterDial
	hookAfterDialFail
	hookAfterAccept
	hookBeforeWriteCall
	hookAfterWriteCall
	hookBeforeWriteReply
	hookAfterWriteReply
	hookBeforeWritePush
	hookAfterWritePush
	hookBeforeReadHeader
	hookAfterReadCallHeader
	hookBeforeReadCallBody
	hookAfterReadCallBody
	hookAfterReadPushHeader
	hookBeforeReadPushBody
	hookAfterReadPushBody
	hookAfterReadReplyHeader
	hookBeforeReadReplyBody
	hookAfterReadReplyBody
	hookAfterDisconnect
	hookCount
)

// hookScope says whose plugins a hook runs: those of the endpoint, or also those of the groups and the handler that a
// message is routed to.
type hookScope bool

const (
	endpointScope hookScope = false
	routeScope    hookScope = true
)

// hookDecl is everything there is to know about one hook.
type hookDecl struct {
	name   string
	scope  hookScope
	when   string // it runs
	effect string // what a result that is not OK does
	// bind adds p to the set if it implements the hook, and reports whether it does.
	bind func(set *hookSet, kind hookKind, p Plugin) bool
}

// hookTable declares the hooks, each once; dispatch, validation and documentation follow from it.
var hookTable = [hookCount]hookDecl{
	hookBeforeNewEndpoint:    rareHook[BeforeNewEndpointPlugin](endpointScope, "before the configuration is checked", "the endpoint is not made"),
	hookAfterNewEndpoint:     rareHook[AfterNewEndpointPlugin](endpointScope, "the endpoint is made", "the endpoint is not made"),
	hookBeforeCloseEndpoint:  rareHook[BeforeCloseEndpointPlugin](endpointScope, "first step of Close", "joined to the error of Close"),
	hookAfterCloseEndpoint:   rareHook[AfterCloseEndpointPlugin](endpointScope, "last step of Close", "joined to the error of Close"),
	hookAfterRegRouter:       rareHook[AfterRegRouterPlugin](routeScope, "a handler is registered", "the handler is not registered"),
	hookAfterListen:          rareHook[AfterListenPlugin](endpointScope, "bound, before the first Accept", "ListenAndServe returns it"),
	hookBeforeDial:           rareHook[BeforeDialPlugin](endpointScope, "before a dial or redial", "Dial returns it; a redial goes on"),
	hookAfterDial:            rareHook[AfterDialPlugin](endpointScope, "connected, nothing sent yet", "the attempt has failed"),
	hookAfterDialFail:        rareHook[AfterDialFailPlugin](endpointScope, "all attempts have failed", "logged"),
	hookAfterAccept:          rareHook[AfterAcceptPlugin](endpointScope, "accepted, nothing read yet", "the session is closed"),
	hookBeforeWriteCall:      writeHook(endpointScope, "a call is about to be encoded", "the call ends with it", func(p BeforeWriteCallPlugin) writeFunc { return p.BeforeWriteCall }),
	hookAfterWriteCall:       writeHook(endpointScope, "a call was written", "logged", func(p AfterWriteCallPlugin) writeFunc { return p.AfterWriteCall }),
	hookBeforeWriteReply:     writeHook(routeScope, "a reply is about to be encoded", "logged", func(p BeforeWriteReplyPlugin) writeFunc { return p.BeforeWriteReply }),
	hookAfterWriteReply:      writeHook(routeScope, "a reply was written", "logged", func(p AfterWriteReplyPlugin) writeFunc { return p.AfterWriteReply }),
	hookBeforeWritePush:      writeHook(endpointScope, "a push is about to be encoded", "Push returns it", func(p BeforeWritePushPlugin) writeFunc { return p.BeforeWritePush }),
	hookAfterWritePush:       writeHook(endpointScope, "a push was written", "logged", func(p AfterWritePushPlugin) writeFunc { return p.AfterWritePush }),
	hookBeforeReadHeader:     rareHook[BeforeReadHeaderPlugin](endpointScope, "before each message is waited for", "the connection ends"),
	hookAfterReadCallHeader:  readHook(endpointScope, "header of a call read, no handler looked up yet", "the reply carries it", func(p AfterReadCallHeaderPlugin) readFunc { return p.AfterReadCallHeader }),
	hookBeforeReadCallBody:   readHook(routeScope, "handler known, body not decoded", "the reply carries it", func(p BeforeReadCallBodyPlugin) readFunc { return p.BeforeReadCallBody }),
	hookAfterReadCallBody:    readHook(routeScope, "body decoded", "the reply carries it", func(p AfterReadCallBodyPlugin) readFunc { return p.AfterReadCallBody }),
	hookAfterReadPushHeader:  readHook(endpointScope, "as for calls", "the push is dropped", func(p AfterReadPushHeaderPlugin) readFunc { return p.AfterReadPushHeader }),
	hookBeforeReadPushBody:   readHook(routeScope, "as for calls", "the push is dropped", func(p BeforeReadPushBodyPlugin) readFunc { return p.BeforeReadPushBody }),
	hookAfterReadPushBody:    readHook(routeScope, "as for calls", "the push is dropped", func(p AfterReadPushBodyPlugin) readFunc { return p.AfterReadPushBody }),
	hookAfterReadReplyHeader: readHook(endpointScope, "a reply was matched to its call", "the call ends with it", func(p AfterReadReplyHeaderPlugin) readFunc { return p.AfterReadReplyHeader }),
	hookBeforeReadReplyBody:  readHook(endpointScope, "body not decoded", "the call ends with it", func(p BeforeReadReplyBodyPlugin) readFunc { return p.BeforeReadReplyBody }),
	hookAfterReadReplyBody:   readHook(endpointScope, "body decoded", "the call ends with it", func(p AfterReadReplyBodyPlugin) readFunc { return p.AfterReadReplyBody }),
	hookAfterDisconnect:      rareHook[AfterDisconnectPlugin](endpointScope, "the session has ended for good", "logged"),
}

// String returns the name of the hook's method.
func (k hookKind) String() string { return hookTable[k].name }

// hookSet is the hooks of one plugin container, sorted out when the container changes, so that an unused hook costs a
// message one comparison and a used one no type assertion. It never changes once made.
type hookSet struct {
	write [hookCount][]bound[WriteCtx]
	read  [hookCount][]bound[ReadCtx]
	rare  [hookCount][]Plugin
}

// bound is the hook method of one plugin.
type bound[C any] struct {
	plugin Plugin
	fn     func(C) *Status
}

// writeFunc and readFunc are hook methods of a plugin.
type (
	writeFunc = func(WriteCtx) *Status
	readFunc  = func(ReadCtx) *Status
)

func newHookSet(plugins []Plugin) *hookSet {
	set := new(hookSet)
	for _, p := range plugins {
		for kind := range hookCount {
			hookTable[kind].bind(set, kind, p)
		}
	}
	return set
}

// hooksOf returns the hooks that p implements.
func hooksOf(p Plugin) []hookKind {
	var kinds []hookKind
	for kind := range hookCount {
		if hookTable[kind].bind(new(hookSet), kind, p) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func writeHook[P Plugin](scope hookScope, when, effect string, method func(P) writeFunc) hookDecl {
	return hookDecl{name: hookName[P](), scope: scope, when: when, effect: effect, bind: func(set *hookSet, kind hookKind, p Plugin) bool {
		impl, ok := p.(P)
		if ok {
			set.write[kind] = append(set.write[kind], bound[WriteCtx]{p, method(impl)})
		}
		return ok
	}}
}

func readHook[P Plugin](scope hookScope, when, effect string, method func(P) readFunc) hookDecl {
	return hookDecl{name: hookName[P](), scope: scope, when: when, effect: effect, bind: func(set *hookSet, kind hookKind, p Plugin) bool {
		impl, ok := p.(P)
		if ok {
			set.read[kind] = append(set.read[kind], bound[ReadCtx]{p, method(impl)})
		}
		return ok
	}}
}

// rareHook declares a hook that is not on the path of a message; who runs it asserts its type.
func rareHook[P Plugin](scope hookScope, when, effect string) hookDecl {
	return hookDecl{name: hookName[P](), scope: scope, when: when, effect: effect, bind: func(set *hookSet, kind hookKind, p Plugin) bool {
		_, ok := p.(P)
		if ok {
			set.rare[kind] = append(set.rare[kind], p)
		}
		return ok
	}}
}

func hookName[P Plugin]() string {
	return strings.TrimSuffix(reflect.TypeFor[P]().Name(), "Plugin")
}

// onWrite runs a hook of the writing side; the first status that is not OK stops it.
func (set *hookSet) onWrite(kind hookKind, c WriteCtx) *Status {
	if list := set.write[kind]; len(list) > 0 {
		return runBound(kind, list, c)
	}
	return nil
}

// onRead runs a hook of the reading side; the first status that is not OK stops it.
func (set *hookSet) onRead(kind hookKind, c ReadCtx) *Status {
	if list := set.read[kind]; len(list) > 0 {
		return runBound(kind, list, c)
	}
	return nil
}

func runBound[C any](kind hookKind, list []bound[C], c C) (stat *Status) {
	i := 0
	defer func() {
		if r := recover(); r != nil {
			stat = newStatus(CodeInternalServerError, hookPanicked(kind, list[i].plugin, r))
		}
	}()
	for ; i < len(list); i++ {
		if stat = list[i].fn(c); !stat.OK() {
			return stat
		}
	}
	return nil
}

// runRare runs a hook off the message path, with call asserting and calling each plugin; the first error stops it.
func runRare[P Plugin](set *hookSet, kind hookKind, call func(P) error) (err error) {
	list := set.rare[kind]
	i := 0
	defer func() {
		if r := recover(); r != nil {
			err = hookPanicked(kind, list[i], r)
		}
	}()
	for ; i < len(list); i++ {
		if err = call(list[i].(P)); err != nil {
			return fmt.Errorf("plugin %s: %s: %w", list[i].Name(), kind, err)
		}
	}
	return nil
}

// statusError carries a status through an error.
type statusError struct{ stat *Status }

func (e *statusError) Error() string { return e.stat.String() }

// runRareStatus is runRare for hooks that return a status. A panic becomes a status with panicCode.
func runRareStatus[P Plugin](set *hookSet, kind hookKind, panicCode int32, call func(P) *Status) *Status {
	if len(set.rare[kind]) == 0 {
		return nil
	}
	err := runRare(set, kind, func(p P) error {
		if stat := call(p); !stat.OK() {
			return &statusError{stat}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	var carried *statusError
	if errors.As(err, &carried) {
		return carried.stat
	}
	return newStatus(panicCode, err)
}

// hookPanicked logs the panic of a plugin with its stack and returns it as an error that names both.
func hookPanicked(kind hookKind, p Plugin, r any) error {
	logErrorf("plugin %s panicked in %s: %v\n%s", p.Name(), kind, r, debug.Stack())
	return fmt.Errorf("plugin %s panicked in %s: %v", p.Name(), kind, r)
}

// warnHook logs the status of a hook that cannot change what happens.
func (s *session) warnHook(kind hookKind, stat *Status) {
	if !stat.OK() {
		logWarnf("%s: %v (session %s)", kind, stat, s.ID())
	}
}

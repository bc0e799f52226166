package drpc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

// Abacus is a controller as programs write them.
type Abacus struct{ CallCtx }

func (*Abacus) Add(arg *[]int) (int, *Status) {
	sum := 0
	for _, n := range *arg {
		sum += n
	}
	return sum, nil
}

// Bell is a controller of pushes.
type Bell struct {
	PushCtx
	Rung chan string
}

func (b *Bell) Ring(arg *string) *Status {
	b.Rung <- *arg
	return nil
}

// Desk is what other controllers embed to get their context.
type Desk struct {
	CallCtx
	Drawer string
}

func (d *Desk) Whose(arg *string) (string, *Status) { return d.Drawer + *arg + d.ServiceMethod(), nil }

// shelf embeds its context two structs down, with neighbours that a write to a wrong place would hit.
type shelf struct {
	Before [64]byte
	Desk
	After [64]byte
}

// pointedShelf embeds the struct with its context by pointer.
type pointedShelf struct {
	Before [64]byte
	*Desk
	After [64]byte
}

func (s *shelf) Intact(*int) (bool, *Status) {
	return s.Before == [64]byte{} && s.After == [64]byte{} && s.Drawer == "d", nil
}

func (s *pointedShelf) Intact(*int) (bool, *Status) {
	return s.Before == [64]byte{} && s.After == [64]byte{} && s.Drawer == "d", nil
}

type Point struct{ X, Y int }

func swapped(_ CallCtx, arg *Point) (*Point, *Status) { return &Point{arg.Y, arg.X}, nil }

func rawBody(ctx CallCtx, arg *[]byte) ([]byte, *Status) { return append([]byte("raw "), *arg...), nil }

func anyArg(_ CallCtx, arg *any) (any, *Status) { return *arg, nil }

func mapArg(_ CallCtx, arg *map[string]int) (map[string]int, *Status) { return *arg, nil }

func (d *Desk) method(_ CallCtx, arg *string) (string, *Status) { return d.Drawer + *arg, nil }

func onDesk(d *Desk, arg *string) (string, *Status) { return d.IP() + *arg, nil }

func generic[T any](_ CallCtx, arg *T) (T, *Status) { return *arg, nil }

func nothing(CallCtx, *string) (any, *Status) { return nil, nil }

func TestEveryShapeOfCallHandlerIsServed(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	r := srv.Router()
	local := sess.LocalAddr().String()
	for _, c := range []struct {
		name  string
		add   func(any, ...Plugin) (string, error)
		what  any
		path  string
		arg   any
		reply any
	}{
		{"function", r.AddCallFunc, swapped, "/swapped", Point{1, 2}, Point{2, 1}},
		{"raw body", r.AddCallFunc, rawBody, "/raw_body", []byte("x"), []byte("raw x")},
		{"any", r.AddCallFunc, anyArg, "/any_arg", "s", any("s")},
		{"map", r.AddCallFunc, mapArg, "/map_arg", map[string]int{"a": 1}, map[string]int{"a": 1}},
		{"nil result", r.AddCallFunc, nothing, "/nothing", "x", any(nil)},
		{"closure", r.AddCallFunc, func(_ CallCtx, s *string) (string, *Status) { return "c" + *s, nil }, "/func1", "x", "cx"},
		{"method value", r.AddCallFunc, (&Desk{Drawer: "d"}).method, "/method-fm", "x", "dx"},
		{"method expression", r.AddCallFunc, (*Abacus).Add, "/add", []int{1, 2}, 3},
		{"generic function", r.AddCallFunc, generic[string], "/generic", "x", "x"},
		{"function with a controller", r.AddCallFunc, onDesk, "/on_desk", "x", local + "x"},
	} {
		path, err := c.add(c.what)
		if err != nil || path != c.path {
			t.Errorf("%s: registered as %q, %v; want %q", c.name, path, err, c.path)
			continue
		}
		reply := reflect.New(reflect.TypeFor[any]())
		if c.reply != nil {
			reply = reflect.New(reflect.TypeOf(c.reply))
		}
		stat := sess.Call(path, c.arg, reply.Interface()).Status()
		if got := reply.Elem().Interface(); stat != nil || !reflect.DeepEqual(got, c.reply) {
			t.Errorf("%s: %v, reply %v, want %v", c.name, stat, got, c.reply)
		}
	}
}

func TestPushHandlersAreServed(t *testing.T) {
	t.Parallel()
	rung := make(chan string, 1)
	srv := newPeer(t, EndpointConfig{})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	routes := srv.RoutePush(&Bell{Rung: rung})
	routes = append(routes, srv.RoutePushFunc(func(ctx PushCtx, arg *string) *Status {
		rung <- ctx.ServiceMethod() + *arg
		return nil
	}))
	if want := []string{"/bell/ring", "/func1"}; !slices.Equal(routes, want) {
		t.Fatalf("routes %q, want %q", routes, want)
	}
	for i, want := range []string{"ding", "/func1ding"} {
		if stat := sess.Push(routes[i], "ding"); stat != nil {
			t.Fatal(stat)
		}
		if got := polltest.Receive(t, routes[i], rung); got != want {
			t.Errorf("%s: %q, want %q", routes[i], got, want)
		}
	}
}

// What follows cannot be a handler.
type (
	secret       struct{}
	bare         struct{}
	namedCtx     struct{ Ctx CallCtx }
	idle         struct{ CallCtx }
	hiddenHolder struct{ CallCtx }
	hiddenPtr    struct{ *hiddenHolder }
	twoArgs      struct{ CallCtx }
	noArg        struct{ CallCtx }
	valueArg     struct{ CallCtx }
	secretArg    struct{ CallCtx }
	oneOut       struct{ CallCtx }
	secretOut    struct{ CallCtx }
	plainError   struct{ CallCtx }
	callOnly     struct{ CallCtx }
	pushTwoOuts  struct{ PushCtx }
	pushError    struct{ PushCtx }
	pushTwoArgs  struct{ PushCtx }
	// other[S] returns a status of somebody else's making.
	other[S any] struct{ CallCtx }
)

func (*bare) Do(*int) (int, *Status)             { return 0, nil }
func (*namedCtx) Do(*int) (int, *Status)         { return 0, nil }
func (*hiddenPtr) Do(*int) (int, *Status)        { return 0, nil }
func (*twoArgs) Do(*int, *int) (int, *Status)    { return 0, nil }
func (*noArg) Do() (int, *Status)                { return 0, nil }
func (*valueArg) Do(int) (int, *Status)          { return 0, nil }
func (*secretArg) Do(*secret) (int, *Status)     { return 0, nil }
func (*oneOut) Do(*int) *Status                  { return nil }
func (*secretOut) Do(*int) (secret, *Status)     { return secret{}, nil }
func (*plainError) Do(*int) (int, error)         { return 0, nil }
func (*callOnly) Do(*int) (int, *Status)         { return 0, nil }
func (*pushTwoOuts) Do(*int) (int, *Status)      { return 0, nil }
func (*pushError) Do(*int) error                 { return nil }
func (*pushTwoArgs) Do(*int, *int) *Status       { return nil }
func (*other[S]) Do(*int) (int, *S)              { return 0, nil }
func oneIn(CallCtx) (int, *Status)               { return 0, nil }
func threeIn(CallCtx, *int, *int) (int, *Status) { return 0, nil }
func firstInt(int, *int) (int, *Status)          { return 0, nil }
func firstBare(*bare, *int) (int, *Status)       { return 0, nil }
func firstPush(PushCtx, *int) (int, *Status)     { return 0, nil }
func fnValueArg(CallCtx, int) (int, *Status)     { return 0, nil }
func fnVariadic(CallCtx, ...int) (int, *Status)  { return 0, nil }
func fnOneOut(CallCtx, *int) *Status             { return nil }
func fnError(CallCtx, *int) (int, error)         { return 0, nil }
func fnSecretOut(CallCtx, *int) (*secret, *Status) {
	return nil, nil
}
func fnPushTwoOuts(PushCtx, *int) (int, *Status) { return 0, nil }
func fnPushError(PushCtx, *int) error            { return nil }
func fnPushCall(CallCtx, *int) *Status           { return nil }

func TestWhatCannotBeAHandlerIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	type Status struct{} // prints as *drpc.Status, but is not the one
	e := newPeer(t, EndpointConfig{})
	r := e.Router()
	for _, c := range []struct {
		add  func(any, ...Plugin) error
		what any
		text string
	}{
		{several(r.AddCall), nil, "call-handler: the type is not struct point: <nil>"},
		{several(r.AddCall), 5, "call-handler: the type is not struct point: int"},
		{several(r.AddCall), Abacus{}, "call-handler: the type is not struct point: drpc.Abacus"},
		{several(r.AddCall), new(bare), "call-handler: the struct do not have anonymous field drpc.CallCtx: *drpc.bare"},
		{several(r.AddCall), new(namedCtx), "call-handler: the struct do not have anonymous field drpc.CallCtx: *drpc.namedCtx"},
		{several(r.AddCall), new(Bell), "call-handler: the struct do not have anonymous field drpc.CallCtx: *drpc.Bell"},
		{several(r.AddCall), new(idle), "call-handler: *drpc.idle has no exported method to register"},
		{several(r.AddCall), new(hiddenPtr), "call-handler: *drpc.hiddenPtr embeds an unexported pointer that holds drpc.CallCtx: export it or embed the struct itself"},
		{several(r.AddCall), new(twoArgs), "call-handler: twoArgs.Do needs one in argument, but have 3"},
		{several(r.AddCall), new(noArg), "call-handler: noArg.Do needs one in argument, but have 1"},
		{several(r.AddCall), new(valueArg), "call-handler: valueArg.Do arg type need be a pointer: int"},
		{several(r.AddCall), new(secretArg), "call-handler: secretArg.Do arg type not exported: *drpc.secret"},
		{several(r.AddCall), new(oneOut), "call-handler: oneOut.Do needs two out arguments, but have 1"},
		{several(r.AddCall), new(secretOut), "call-handler: secretOut.Do first reply type not exported: drpc.secret"},
		{several(r.AddCall), new(plainError), "call-handler: plainError.Do second out argument error is not *drpc.status.Status"},
		{several(r.AddCall), new(other[Status]), "Do second out argument *drpc.Status is not *drpc.status.Status"},
		{one(r.AddCallFunc), 5, "call-handler: the type is not function: int"},
		{one(r.AddCallFunc), nil, "call-handler: the type is not function: <nil>"},
		{one(r.AddCallFunc), (func(CallCtx, *int) (int, *Status))(nil), "call-handler: the type is not function: func("},
		{one(r.AddCallFunc), oneIn, "call-handler: oneIn needs two in argument, but have 1"},
		{one(r.AddCallFunc), threeIn, "call-handler: threeIn needs two in argument, but have 3"},
		{one(r.AddCallFunc), firstInt, "call-handler: firstInt's first arg must be drpc.CallCtx type or struct pointer: int"},
		{one(r.AddCallFunc), firstPush, "call-handler: firstPush's first arg must be drpc.CallCtx type or struct pointer: drpc.PushCtx"},
		{one(r.AddCallFunc), firstBare, "call-handler: firstBare's first arg do not have anonymous field drpc.CallCtx: *drpc.bare"},
		{one(r.AddCallFunc), fnValueArg, "call-handler: fnValueArg arg type need be a pointer: int"},
		{one(r.AddCallFunc), fnVariadic, "call-handler: fnVariadic arg type need be a pointer: []int"},
		{one(r.AddCallFunc), fnOneOut, "call-handler: fnOneOut needs two out arguments, but have 1"},
		{one(r.AddCallFunc), fnSecretOut, "call-handler: fnSecretOut first reply type not exported: *drpc.secret"},
		{one(r.AddCallFunc), fnError, "call-handler: fnError second out argument error is not *drpc.status.Status"},
		{one(r.AddCallFunc), func(CallCtx, *int) (int, *Status) { return 0, nil }, "second out argument *drpc.Status is not *drpc.status.Status"},
		{several(r.AddPush), 5, "push-handler: the type is not struct point: int"},
		{several(r.AddPush), new(callOnly), "push-handler: the struct do not have anonymous field drpc.PushCtx: *drpc.callOnly"},
		{several(r.AddPush), new(pushTwoArgs), "push-handler: pushTwoArgs.Do needs one in argument, but have 3"},
		{several(r.AddPush), new(pushTwoOuts), "push-handler: pushTwoOuts.Do needs one out arguments, but have 2"},
		{several(r.AddPush), new(pushError), "push-handler: pushError.Do first out argument error is not *drpc.status.Status"},
		{one(r.AddPushFunc), 5, "push-handler: the type is not function: int"},
		{one(r.AddPushFunc), fnPushTwoOuts, "push-handler: fnPushTwoOuts needs one out arguments, but have 2"},
		{one(r.AddPushFunc), fnPushError, "push-handler: fnPushError first out argument error is not *drpc.status.Status"},
		{one(r.AddPushFunc), fnPushCall, "push-handler: fnPushCall's first arg must be drpc.PushCtx type or struct pointer: drpc.CallCtx"},
		{one(r.AddPushFunc), func(PushCtx, *int) *Status { return nil }, "first out argument *drpc.Status is not *drpc.status.Status"},
	} {
		err := c.add(c.what)
		if err == nil {
			t.Errorf("%T is accepted, want %q", c.what, c.text)
		} else if got := err.Error(); got != c.text && !partial(c.text, got) {
			t.Errorf("got  %q\nwant %q", got, c.text)
		}
	}
	if n := len(e.(*endpoint).router.table.calls.all) + len(e.(*endpoint).router.table.pushes.all); n != 0 {
		t.Errorf("%d handlers were left behind", n)
	}
}

// partial allows for names of closures and instantiated types, which are the compiler's.
func partial(want, got string) bool {
	return (!strings.Contains(want, "-handler: ") || strings.HasSuffix(want, "(")) && strings.Contains(got, want)
}

func several(add func(any, ...Plugin) ([]string, error)) func(any, ...Plugin) error {
	return func(what any, plugin ...Plugin) error {
		_, err := add(what, plugin...)
		return err
	}
}

func one(add func(any, ...Plugin) (string, error)) func(any, ...Plugin) error {
	return func(what any, plugin ...Plugin) error {
		_, err := add(what, plugin...)
		return err
	}
}

// mistakes end the process that makes them with the text.
var mistakes = map[string]struct {
	make func(e Endpoint)
	text string
}{
	"RouteCall":      {func(e Endpoint) { e.RouteCall(5) }, "call-handler: the type is not struct point: int"},
	"RouteCallFunc":  {func(e Endpoint) { e.RouteCallFunc(oneIn) }, "call-handler: oneIn needs two in argument, but have 1"},
	"RoutePush":      {func(e Endpoint) { e.RoutePush(5) }, "push-handler: the type is not struct point: int"},
	"RoutePushFunc":  {func(e Endpoint) { e.RoutePushFunc(5) }, "push-handler: the type is not function: int"},
	"conflict":       {func(e Endpoint) { e.RouteCall(new(Abacus)); e.RouteCall(new(Abacus)) }, "there is a handler conflict: /abacus/add"},
	"HandleCall":     {func(e Endpoint) { HandleCall(e, "/a", nothing); HandleCall(e, "/a", nothing) }, "there is a handler conflict: /a"},
	"SubRoute":       {func(e Endpoint) { e.SubRoute("a", nil) }, "plugin cannot be nil!"},
	"SetUnknownCall": {func(e Endpoint) { e.SetUnknownCall(nil) }, "call-handler: the handler of unknown calls is nil"},
	"SetUnknownPush": {func(e Endpoint) { e.SetUnknownPush(nil) }, "push-handler: the handler of unknown pushes is nil"},
	"plugin of SetUnknownPush": {func(e Endpoint) {
		e.SetUnknownPush(func(UnknownPushCtx) *Status { return nil }, marker("m"), marker("m"))
	}, "repeat add plugin: m"},
	"NewEndpoint": {func(Endpoint) { NewEndpoint(EndpointConfig{Network: "tcp7"}) }, "Invalid network config"},
	"plugin of NewEndpoint": {func(Endpoint) {
		NewEndpoint(EndpointConfig{}, marker("m"), marker("m"))
	}, "repeat add plugin: m"},
}

// marker is a plugin without hooks.
type marker string

func (m marker) Name() string { return string(m) }

const mistakeEnv = "DRPC_TEST_MISTAKE"

func TestMistakeEndsTheProcessWithTheReason(t *testing.T) {
	t.Parallel()
	if name := os.Getenv(mistakeEnv); name != "" {
		e, err := New(EndpointConfig{})
		if err != nil {
			t.Fatal(err)
		}
		mistakes[name].make(e)
		return // the parent sees exit status 0
	}
	for name, c := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestMistakeEndsTheProcessWithTheReason$")
			cmd.Env = append(os.Environ(), mistakeEnv+"="+name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Fatalf("%v, want exit status 1\n%s", err, out)
			}
			if !strings.Contains(string(out), c.text) || strings.Contains(string(out), "--- FAIL") {
				t.Errorf("the output does not say %q:\n%s", c.text, out)
			}
		})
	}
}

// Twins has two methods that the mapper gives the same name.
type Twins struct{ CallCtx }

func (*Twins) AB(*int) (int, *Status) { return 0, nil }
func (*Twins) Ab(*int) (int, *Status) { return 0, nil }

// Pair shows the order of methods.
type Pair struct{ CallCtx }

func (*Pair) Zulu(*int) (string, *Status)  { return "pair", nil }
func (*Pair) Alpha(*int) (string, *Status) { return "pair", nil }
func (*Pair) Mike(*int) (string, *Status)  { return "pair", nil }

func TestServiceMethodsComeInOrderOfTheMethods(t *testing.T) {
	t.Parallel()
	got := newPeer(t, EndpointConfig{}).RouteCall(new(Pair))
	if want := []string{"/pair/alpha", "/pair/mike", "/pair/zulu"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestConflictRegistersNothing(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/pair/mike", func(CallCtx, *int) (string, *Status) { return "first", nil })
	names, err := srv.Router().AddCall(new(Pair))
	if !errors.Is(err, ErrConflict) || err.Error() != "there is a handler conflict: /pair/mike" || names != nil {
		t.Errorf("%q, %v", names, err)
	}
	if _, err = srv.SubRoute("pair").AddCallFunc((*Pair).Mike); !errors.Is(err, ErrConflict) {
		t.Errorf("in a group: %v", err)
	}
	if _, err = AddCall(srv, "/pair/mike", nothing); !errors.Is(err, ErrConflict) {
		t.Errorf("AddCall: %v", err)
	}
	if _, err = srv.Router().AddCall(new(Twins)); !errors.Is(err, ErrConflict) || err.Error() != "there is a handler conflict: /twins/ab" {
		t.Errorf("within a controller: %v", err)
	}
	if _, err = AddPush(srv, "/pair/mike", func(PushCtx, *int) *Status { return nil }); err != nil {
		t.Errorf("a push of that name: %v", err)
	}
	if _, err = AddPush(srv, "/pair/mike", func(PushCtx, *int) *Status { return nil }); !errors.Is(err, ErrConflict) {
		t.Errorf("AddPush: %v", err)
	}
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var got string
	if stat := sess.Call("/pair/mike", 1, &got).Status(); stat != nil || got != "first" {
		t.Errorf("%v, answered by %q", stat, got)
	}
	for _, path := range []string{"/pair/alpha", "/pair/zulu"} {
		if stat := sess.Call(path, 1, &got).Status(); stat.Code() != CodeNotFound {
			t.Errorf("%s of the refused controller: %v", path, stat)
		}
	}
	if n := len(srv.(*endpoint).plugins.derived); n != 2 {
		t.Errorf("%d plugin containers are left, want those of 2 handlers", n)
	}
}

func TestGroupsPrefixTheirRoutes(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	for _, c := range []struct{ prefix, want string }{
		{"SubGroup", "/sub_group/add"},
		{"B_C", "/b/c/add"},
		{"/sub/group", "/sub/group/add"},
		{"v1", "/v1/add"},
		{"", "/add"},
	} {
		if got, err := e.SubRoute(c.prefix).AddCallFunc((*Abacus).Add); err != nil || got != c.want {
			t.Errorf("SubRoute(%q): %q, %v; want %q", c.prefix, got, err, c.want)
		}
	}
	g := e.SubRoute("outer").SubRoute("Inner")
	if got := g.RouteCall(new(Abacus)); !slices.Equal(got, []string{"/outer/inner/abacus/add"}) {
		t.Errorf("nested group: %q", got)
	}
	if g.Root() != e.Router() {
		t.Error("the root of a nested group is another one")
	}
	if got := g.ToRouter().RoutePush(new(Bell)); !slices.Equal(got, []string{"/outer/inner/bell/ring"}) {
		t.Errorf("group as a router: %q", got)
	}
	if got, err := AddCall(g, "/deep/down", nothing); err != nil || got != "/outer/inner/deep/down" {
		t.Errorf("AddCall in a group: %q, %v", got, err)
	}
}

func TestLookupIsExact(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	srv.RouteCall(new(Abacus))
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for path, code := range map[string]int32{
		"/abacus/add": CodeOK, "/Abacus/add": CodeNotFound, "/abacus/add/": CodeNotFound, "//abacus/add": CodeNotFound,
		"/abacus/add?x=1": CodeNotFound, "abacus/add": CodeNotFound, "": CodeBadMessage,
	} {
		if stat := sess.Call(path, []int{1}, nil).Status(); stat.Code() != code {
			t.Errorf("%q: %v, want code %d", path, stat, code)
		}
	}
}

// tagger notes on the reply which plugins saw the call.
type tagger string

func (p tagger) Name() string { return string(p) }

func (p tagger) AfterReadCallBody(c ReadCtx) *Status {
	seen, _ := c.Swap().Get("seen").(string)
	c.Swap().Set("seen", seen+string(p))
	return nil
}

func seen(ctx CallCtx, _ *int) (string, *Status) {
	got, _ := ctx.Swap().Get("seen").(string)
	return got, nil
}

func TestPluginsOfGroupsRunForTheirRoutesOnly(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, tagger("a"), tagger("b"))
	srv.PluginContainer().AppendRight(tagger("z"))
	outer := srv.SubRoute("outer", tagger("c"))
	// Siblings of a group with room to spare in a shared slice would overwrite each other's plugins.
	var siblings []*SubRouter
	for i := range 8 {
		siblings = append(siblings, outer.SubRoute(fmt.Sprint("s", i), tagger(fmt.Sprint(i))))
	}
	want := map[string]string{}
	for i, s := range siblings {
		path, err := AddCall(s, "seen", seen, tagger("h"))
		if err != nil {
			t.Fatal(err)
		}
		want[path] = fmt.Sprintf("abc%dhz", i)
	}
	HandleCall(srv, "plain", seen)
	want["/plain"] = "abz"
	HandleCall(outer, "seen", seen)
	want["/outer/seen"] = "abcz"
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for path, order := range want {
		var got string
		if stat := sess.Call(path, 0, &got).Status(); stat != nil || got != order {
			t.Errorf("%s: %v, plugins ran as %q, want %q", path, stat, got, order)
		}
	}
}

func TestRegisteringCostsTheSameHoweverManyThereAre(t *testing.T) {
	// No Parallel: the bytes that others allocate would count too.
	e := newPeer(t, EndpointConfig{}, tagger("a"))
	registered := 0
	cost := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			if _, err := AddCall(e, fmt.Sprint("h", registered), nothing); err != nil {
				t.Fatal(err)
			}
			registered++
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	cost(100)
	few := cost(500)
	cost(4000)
	if many := cost(500); many > 3*few {
		t.Errorf("500 registrations allocate %d bytes at first, %d after some thousand others", few, many)
	}
}

// watcher notes the handlers that are registered.
type watcher struct {
	mu   sync.Mutex
	seen []string
	fail error
}

func (*watcher) Name() string { return "watcher" }

func (w *watcher) AfterRegRouter(h *Handler) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s call=%v push=%v unknown=%v", h.RouterTypeName(), h.Name(), h.IsCall(), h.IsPush(), h.IsUnknown()))
	return w.fail
}

func TestHandlersTellWhatTheyAre(t *testing.T) {
	t.Parallel()
	w := new(watcher)
	e := newPeer(t, EndpointConfig{}, w)
	e.RouteCall(new(Abacus))
	e.RoutePush(new(Bell))
	HandleCall(e, "/c", nothing)
	HandlePush(e, "/p", func(PushCtx, *int) *Status { return nil })
	e.SetUnknownCall(func(UnknownCallCtx) (any, *Status) { return nil, nil })
	e.SetUnknownPush(func(UnknownPushCtx) *Status { return nil })
	want := []string{
		"CALL /abacus/add call=true push=false unknown=false",
		"PUSH /bell/ring call=false push=true unknown=false",
		"CALL /c call=true push=false unknown=false",
		"PUSH /p call=false push=true unknown=false",
		"UNKNOWN_CALL  call=true push=false unknown=true",
		"UNKNOWN_PUSH  call=false push=true unknown=true",
	}
	if !slices.Equal(w.seen, want) {
		t.Errorf("got  %q\nwant %q", w.seen, want)
	}
	h := e.(*endpoint).router.table.calls.all["/abacus/add"]
	if h.ArgElemType() != reflect.TypeFor[[]int]() || h.ReplyType() != reflect.TypeFor[int]() {
		t.Errorf("argument %v, reply %v", h.ArgElemType(), h.ReplyType())
	}
	if _, ok := h.NewArgValue().Interface().(*[]int); !ok {
		t.Errorf("new argument %v", h.NewArgValue())
	}
}

func TestHookThatRefusesAHandlerFailsItsRegistration(t *testing.T) {
	t.Parallel()
	refused := errors.New("not this one")
	srv := newPeer(t, EndpointConfig{}, &watcher{fail: refused})
	for name, add := range map[string]func() error{
		"AddCall":     func() error { _, err := srv.Router().AddCall(new(Abacus)); return err },
		"AddCallFunc": func() error { _, err := srv.Router().AddCallFunc(nothing); return err },
		"AddPush":     func() error { _, err := srv.Router().AddPush(new(Bell)); return err },
		"generic":     func() error { _, err := AddCall(srv, "/x", nothing); return err },
	} {
		if err := add(); !errors.Is(err, refused) || !strings.Contains(err.Error(), "watcher") {
			t.Errorf("%s: %v", name, err)
		}
	}
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	if stat := sess.Call("/abacus/add", []int{1}, nil).Status(); stat.Code() != CodeNotFound {
		t.Errorf("the refused handler answers: %v", stat)
	}
}

func TestUnknownHandlersTakeWhatNoOtherHas(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(Endpoint) interface {
		SetUnknownCall(fn func(UnknownCallCtx) (any, *Status), plugin ...Plugin)
		SetUnknownPush(fn func(UnknownPushCtx) *Status, plugin ...Plugin)
	}{
		"endpoint": func(e Endpoint) interface {
			SetUnknownCall(fn func(UnknownCallCtx) (any, *Status), plugin ...Plugin)
			SetUnknownPush(fn func(UnknownPushCtx) *Status, plugin ...Plugin)
		} {
			return e
		},
		"group": func(e Endpoint) interface {
			SetUnknownCall(fn func(UnknownCallCtx) (any, *Status), plugin ...Plugin)
			SetUnknownPush(fn func(UnknownPushCtx) *Status, plugin ...Plugin)
		} {
			return e.SubRoute("group")
		},
		"group as a router": func(e Endpoint) interface {
			SetUnknownCall(fn func(UnknownCallCtx) (any, *Status), plugin ...Plugin)
			SetUnknownPush(fn func(UnknownPushCtx) *Status, plugin ...Plugin)
		} {
			return e.SubRoute("group").ToRouter()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newPeer(t, EndpointConfig{})
			srv.RouteCall(new(Abacus))
			pushed := make(chan string, 1)
			at(srv).SetUnknownCall(func(UnknownCallCtx) (any, *Status) { return nil, NewStatus(1001, "the first one") })
			at(srv).SetUnknownCall(func(ctx UnknownCallCtx) (any, *Status) {
				var arg []int
				if _, err := ctx.BuildBody(&arg); err != nil {
					return nil, NewStatus(1002, "body", err)
				}
				return fmt.Sprint(ctx.ServiceMethod(), arg, string(ctx.InputBodyBytes())), nil
			}, tagger("t"))
			at(srv).SetUnknownPush(func(ctx UnknownPushCtx) *Status {
				pushed <- ctx.ServiceMethod() + string(ctx.InputBodyBytes())
				return nil
			})
			sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
			var got string
			if stat := sess.Call("/no/such", []int{1, 2}, &got).Status(); stat != nil || got != "/no/such[1 2][1,2]" {
				t.Errorf("%v, reply %q", stat, got)
			}
			if stat := sess.Push("/no/push", "x"); stat != nil {
				t.Fatal(stat)
			}
			if got := polltest.Receive(t, "the push", pushed); got != `/no/push"x"` {
				t.Errorf("push %q", got)
			}
			var sum int
			if stat := sess.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
				t.Errorf("a known call: %v, %d", stat, sum)
			}
		})
	}
}

func TestRoutesMayBeAddedWhileCallsAreServed(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	srv.RouteCall(new(Abacus))
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	for range 4 {
		traffic.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var sum int
				if stat := sess.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
					t.Errorf("%v, sum %d", stat, sum)
					return
				}
				sess.Call("/not/yet", 0, nil)
			}
		})
	}
	for i := range 200 {
		path, err := AddCall(srv, fmt.Sprint("late", i), func(CallCtx, *int) (int, *Status) { return i, nil })
		if err != nil {
			t.Fatal(err)
		}
		got := -1
		if stat := sess.Call(path, 0, &got).Status(); stat != nil || got != i {
			t.Fatalf("%s just after it was added: %v, reply %d", path, stat, got)
		}
		srv.SetUnknownPush(func(UnknownPushCtx) *Status { return nil })
		srv.SubRoute(fmt.Sprint("g", i), tagger("t")).RouteCall(new(Abacus))
	}
	close(stop)
	traffic.Wait()
}

// Diary keeps what the last call wrote, if it is the same object.
type Diary struct {
	CallCtx
	Owner string
	page  string
}

func (d *Diary) Write(arg *string) (string, *Status) {
	was := d.Owner + ":" + d.page
	d.page = *arg
	if *arg == "fire" {
		panic("fire")
	}
	return was, nil
}

func TestEachCallHasAFreshControllerLikeThePrototype(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	srv.RouteCall(&Diary{Owner: "ann", page: "blank"})
	srv.RouteCallFunc((*Diary).Write)
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, c := range []struct{ path, arg, want string }{
		{"/diary/write", "one", "ann:blank"},
		{"/diary/write", "two", "ann:blank"},
		{"/diary/write", "fire", ""},
		{"/diary/write", "three", "ann:blank"},
		{"/write", "one", ":"},
		{"/write", "fire", ""},
		{"/write", "two", ":"},
	} {
		var got string
		stat := sess.Call(c.path, c.arg, &got).Status()
		if c.arg == "fire" {
			if stat.Code() != CodeInternalServerError {
				t.Errorf("%s %s: %v", c.path, c.arg, stat)
			}
			continue
		}
		if stat != nil || got != c.want {
			t.Errorf("%s %s: %v, found %q, want %q", c.path, c.arg, stat, got, c.want)
		}
	}
}

func TestContextEmbeddedDeeperIsSetInItsPlace(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	byPointer := &pointedShelf{Desk: &Desk{Drawer: "d"}}
	srv.RouteCall(&shelf{Desk: Desk{Drawer: "d"}})
	srv.RouteCall(byPointer)
	srv.SubRoute("nil").RouteCallFunc((*pointedShelf).Whose)
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				for _, name := range []string{"/shelf", "/pointed_shelf"} {
					var intact bool
					if stat := sess.Call(name+"/intact", 0, &intact).Status(); stat != nil || !intact {
						t.Errorf("%s: %v, intact %v", name, stat, intact)
					}
					var whose string
					if stat := sess.Call(name+"/whose", "x", &whose).Status(); stat != nil || whose != "dx"+name+"/whose" {
						t.Errorf("%s: %v, %q", name, stat, whose)
					}
				}
				var whose string
				if stat := sess.Call("/nil/whose", "x", &whose).Status(); stat != nil || whose != "x/nil/whose" {
					t.Errorf("a nil pointer: %v, %q", stat, whose)
				}
			}
		})
	}
	wg.Wait()
	if byPointer.CallCtx != nil {
		t.Error("the prototype was written to")
	}
}

// replacer puts something else in place of the argument.
type replacer struct {
	before, after any
	replace       bool
}

func (replacer) Name() string { return "replacer" }

func (r replacer) BeforeReadCallBody(c ReadCtx) *Status { return r.put(c, r.before) }
func (r replacer) AfterReadCallBody(c ReadCtx) *Status  { return r.put(c, r.after) }
func (r replacer) BeforeReadPushBody(c ReadCtx) *Status { return r.put(c, r.before) }
func (r replacer) AfterReadPushBody(c ReadCtx) *Status  { return r.put(c, r.after) }

func (r replacer) put(c ReadCtx, body any) *Status {
	if body != nil || r.replace {
		c.Input().SetBody(body)
	}
	return nil
}

func TestArgumentReplacedByTheWrongTypeIsAStatus(t *testing.T) {
	t.Parallel()
	other := new(string)
	ran := make(chan string, 100)
	for name, p := range map[string]Plugin{
		"before":        replacer{before: other},
		"after":         replacer{after: other},
		"after by nil":  replacer{replace: true},
		"after, no ptr": replacer{after: "text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newPeer(t, EndpointConfig{}, p)
			HandleCall(srv, "/typed", func(_ CallCtx, arg *[]string) (int, *Status) { ran <- name; return 0, nil })
			reflected := srv.RouteCallFunc(func(_ CallCtx, arg *[]string) (int, *Status) { ran <- name; return 0, nil })
			srv.RouteCall(new(Abacus))
			HandlePush(srv, "/typed", func(_ PushCtx, arg *[]string) *Status { ran <- name; return nil })
			sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
			for _, path := range []string{"/typed", reflected, "/abacus/add"} {
				stat := sess.Call(path, nil, nil).Status()
				if stat.Code() != CodeInternalServerError || !strings.Contains(stat.Cause().Error(), "a hook has put") {
					t.Errorf("%s: %v", path, stat)
				}
			}
			if stat := sess.Push("/typed", nil); stat != nil {
				t.Error(stat)
			}
			if stat := sess.Call("/nobody", nil, nil).Status(); stat.Code() != CodeNotFound {
				t.Errorf("the session does not serve any more: %v", stat)
			}
		})
	}
	t.Cleanup(func() {
		select {
		case name := <-ran:
			t.Errorf("the handler ran with an argument that is not its own (%s)", name)
		default:
		}
	})
}

func TestArgumentReplacedByOneOfItsTypeCounts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Plugin{
		"before": replacer{before: &[]int{1}}, // the body is decoded into it
		"after":  replacer{after: &[]int{40, 2}},
	} {
		srv := newPeer(t, EndpointConfig{}, p)
		srv.RouteCall(new(Abacus))
		sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
		var sum int
		if stat := sess.Call("/abacus/add", []int{40, 2}, &sum).Status(); stat != nil || sum != 42 {
			t.Errorf("%s: %v, sum %d", name, stat, sum)
		}
	}
}

func TestTypedHandlerMustBeAFunction(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	if _, err := AddCall[int, int](e, "/nil", nil); err == nil || err.Error() != "call-handler: the handler of /nil is nil" {
		t.Errorf("AddCall: %v", err)
	}
	if _, err := AddPush[int](e, "/nil", nil); err == nil || err.Error() != "push-handler: the handler of /nil is nil" {
		t.Errorf("AddPush: %v", err)
	}
}

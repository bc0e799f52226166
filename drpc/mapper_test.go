package drpc

import "testing"

func TestMappersFollowTheTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prefix, name, http, rpc string }{
		{"", "AaBb", "/aa_bb", "AaBb"},
		{"", "ABcXYz", "/abc_xyz", "ABcXYz"},
		{"", "Aa__Bb", "/aa_bb", "Aa_Bb"},
		{"", "aa__bb", "/aa_bb", "aa_bb"},
		{"", "ABC__XYZ", "/abc_xyz", "ABC_XYZ"},
		{"", "Aa_Bb", "/aa/bb", "Aa.Bb"},
		{"", "aa_bb", "/aa/bb", "aa.bb"},
		{"", "ABC_XYZ", "/abc/xyz", "ABC.XYZ"},
		{"", "", "/", ""},
		{"", "Add", "/add", "Add"},
		{"", "HTTPServer", "/httpserver", "HTTPServer"},
		{"", "A", "/a", "A"},
		{"", "AB", "/ab", "AB"},
		{"", "ABc", "/abc", "ABc"},
		{"", "Add2X", "/add2_x", "Add2X"},
		{"", "_Add", "/add", "Add"},
		{"", "Add_", "/add_", "Add_"},
		{"", "Add__", "/add_", "Add_"},
		{"", "A___B", "/a_b", "A_B"},
		{"", "A____B", "/a_b", "A_B"},
		{"", "中文", "/中文", "中文"},
		{"", "Foo-fm", "/foo-fm", "Foo-fm"},
		{"", "func1", "/func1", "func1"},
		{"", "Sub/Group", "/sub/group", "Sub/Group"},
		{"/", "pongCall", "/pong_call", "/.pongCall"},
		{"/a/", "AddFunc", "/a/add_func", "/a/.AddFunc"},
		{"/x", "", "/x", "/x"},
		{"Math", "Add", "/Math/add", "Math.Add"},
		{"/sub/group", "/sub/group", "/sub/group/sub/group", "/sub/group./sub/group"},
	} {
		if got := HTTPServiceMethodMapper(c.prefix, c.name); got != c.http {
			t.Errorf("HTTP(%q, %q) = %q, want %q", c.prefix, c.name, got, c.http)
		}
		if got := RPCServiceMethodMapper(c.prefix, c.name); got != c.rpc {
			t.Errorf("RPC(%q, %q) = %q, want %q", c.prefix, c.name, got, c.rpc)
		}
	}
}

// The mapper belongs to the process, hence no Parallel: the tests that do run in parallel start after this one.
func TestMapperOfTheProcessNamesRoutesFromNowOn(t *testing.T) {
	e := newPeer(t, EndpointConfig{})
	before := e.RouteCall(new(Abacus))

	SetServiceMethodMapper(RPCServiceMethodMapper)
	t.Cleanup(func() { SetServiceMethodMapper(nil) })
	rpc := newPeer(t, EndpointConfig{})
	during := rpc.RouteCall(new(Abacus))
	group := rpc.SubRoute("A_B").RouteCall(new(Abacus))
	old := e.SubRoute("v2").RouteCall(new(Abacus))

	SetServiceMethodMapper(nil)
	after := e.SubRoute("v3").RouteCall(new(Abacus))
	for _, c := range []struct {
		what, want string
		got        []string
	}{
		{"the default mapper", "/abacus/add", before},
		{"the RPC mapper", "Abacus.Add", during},
		{"a group under the RPC mapper", "A.B.Abacus.Add", group},
		{"the root prefix that an endpoint was made with", "/.v2.Abacus.Add", old},
		{"the mapper that nil restores", "/v3/abacus/add", after},
	} {
		if len(c.got) != 1 || c.got[0] != c.want {
			t.Errorf("%s gives %q, want %q", c.what, c.got, c.want)
		}
	}
}

func FuzzMappers(f *testing.F) {
	for _, seed := range []string{"AaBb", "Aa__Bb", "_A_", "___", "中文_X", "a/b", "..", "\xff"} {
		f.Add("", seed)
		f.Add("/p", seed)
	}
	f.Fuzz(func(t *testing.T, prefix, name string) {
		if got := HTTPServiceMethodMapper(prefix, name); got == "" || got[0] != '/' {
			t.Errorf("HTTP(%q, %q) = %q is no path", prefix, name, got)
		}
		if got := RPCServiceMethodMapper(prefix, name); got != "" && (got[0] == '.' || got[len(got)-1] == '.') {
			t.Errorf("RPC(%q, %q) = %q is not trimmed", prefix, name, got)
		}
	})
}

func TestTypedHandlersKeepTheirPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prefix, path, want string }{
		{"/", "/user_info", "/user_info"},
		{"/", "math/Add", "/math/Add"},
		{"/v1", "/user__info", "/v1/user__info"},
		{"", "User.get_info", "User.get_info"},
		{"V1", "User.get_info", "V1.User.get_info"},
	} {
		if got := joinServiceMethod(c.prefix, c.path); got != c.want {
			t.Errorf("%q behind %q: %q, want %q", c.path, c.prefix, got, c.want)
		}
	}
	e := newPeer(t, EndpointConfig{})
	got, err := AddPush(e.SubRoute("SubGroup"), "/user_info", func(PushCtx, *string) *Status { return nil })
	if err != nil || got != "/sub_group/user_info" {
		t.Errorf("registered %q, %v", got, err)
	}
}

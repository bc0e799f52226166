package dserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

type direct struct{ BaseSandbox }

func (*direct) Name() string    { return "direct" }
func (*direct) Setup() error    { return nil }
func (*direct) Shutdown() error { return nil }

type viaService struct{ ServiceSandbox }

func (*viaService) Name() string    { return "viaService" }
func (*viaService) Setup() error    { return nil }
func (*viaService) Shutdown() error { return nil }

// own is the unexported base type of some program.
type own struct {
	ServiceSandbox
}

type deep struct {
	error // embedded, and no struct
	*own  // embedded, and nil
	own2
}

type own2 struct{ own }

func (*deep) Name() string    { return "deep" }
func (*deep) Setup() error    { return nil }
func (*deep) Shutdown() error { return nil }

type viaPointer struct{ *BaseSandbox }

func (*viaPointer) Name() string    { return "viaPointer" }
func (*viaPointer) Setup() error    { return nil }
func (*viaPointer) Shutdown() error { return nil }

type byValue struct{ BaseSandbox }

func (byValue) Name() string    { return "byValue" }
func (byValue) Setup() error    { return nil }
func (byValue) Shutdown() error { return nil }

type namedField struct{ Base BaseSandbox }

func (*namedField) Name() string    { return "namedField" }
func (*namedField) Setup() error    { return nil }
func (*namedField) Shutdown() error { return nil }

type notStruct int

func (*notStruct) Name() string    { return "notStruct" }
func (*notStruct) Setup() error    { return nil }
func (*notStruct) Shutdown() error { return nil }

func TestAddSandBoxFillsTheBaseHoweverItIsEmbedded(t *testing.T) {
	t.Parallel()
	s := newServer()
	service := s.NewService("orders")
	d, v, p, dp := new(direct), new(viaService), new(viaPointer), new(deep)
	for _, box := range []ISandbox{d, v, p, dp} {
		if err := s.AddSandBox(box, service); err != nil {
			t.Fatal(err)
		}
		got, ok := service.SearchSandBox(box.Name())
		if !ok || got != box {
			t.Errorf("%s: SearchSandBox = %v, %v", box.Name(), got, ok)
		}
	}
	for _, base := range []*BaseSandbox{&d.BaseSandbox, &v.BaseSandbox, p.BaseSandbox, &dp.own2.BaseSandbox} {
		if base.Service != service || base.Config != s.config || base.Context == nil {
			t.Errorf("not filled in: %+v", base)
		}
	}
}

func TestAddSandBoxRefuses(t *testing.T) {
	t.Parallel()
	s, other := newServer(), newServer()
	if err := s.AddSandBox(new(direct)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		box      ISandbox
		services []*DService
		want     error
	}{
		{"nothing", nil, nil, ErrNotSandbox},
		{"a nil pointer", (*direct)(nil), nil, ErrNotSandbox},
		{"a value", byValue{}, nil, ErrNotSandbox},
		{"a pointer to no struct", new(notStruct), nil, ErrNotSandbox},
		{"a struct without the base", new(namedField), nil, ErrNotSandbox},
		{"no name", &appSandbox{}, nil, ErrNotSandbox},
		{"a name with a comma", &appSandbox{name: "a,b"}, nil, ErrNotSandbox},
		{"a name twice", new(direct), nil, ErrSandboxExists},
		{"a name twice in another service", new(direct), []*DService{s.NewService("x")}, ErrSandboxExists},
	}
	for _, tt := range tests {
		if err := s.AddSandBox(tt.box, tt.services...); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := s.AddSandBox(&appSandbox{name: "x"}, s.NewService("a"), s.NewService("b")); err == nil {
		t.Error("two services are taken")
	}
	if err := s.AddSandBox(&appSandbox{name: "x"}, other.NewService("a")); err == nil {
		t.Error("a foreign service is taken")
	}
}

func TestSelectUnits(t *testing.T) {
	t.Parallel()
	s := newServer()
	for name, service := range map[string]string{"UserBox": "user", "AdminBox": "admin", "auditbox": "admin"} {
		if err := s.AddSandBox(&appSandbox{name: name}, s.NewService(service)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		args []string
		want string
	}{
		{nil, "AdminBox auditbox UserBox"},
		{[]string{""}, "AdminBox auditbox UserBox"},
		{[]string{"userbox"}, "UserBox"},
		{[]string{"USERBOX,AuditBox"}, "auditbox UserBox"},
		{[]string{"UserBox", "UserBox", " AdminBox ,"}, "AdminBox UserBox"},
	}
	for _, tt := range tests {
		units, err := s.selectUnits(tt.args)
		got := ""
		for _, u := range units {
			got += " " + u.name
		}
		if err != nil || got != " "+tt.want {
			t.Errorf("%q: %s, %v, want %s", tt.args, got, err, tt.want)
		}
	}
	if _, err := s.selectUnits([]string{"user"}); !errors.Is(err, errNoSandbox) {
		t.Errorf("unknown name: %v", err)
	}
}

func TestFindUnitTakesNoChances(t *testing.T) {
	t.Parallel()
	s := newServer()
	for _, name := range []string{"box", "BOX"} {
		if err := s.AddSandBox(&appSandbox{name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := s.findUnit("BOX"); err != nil || u.name != "BOX" {
		t.Errorf("exact name: %v, %v", u, err)
	}
	if _, err := s.findUnit("Box"); !errors.Is(err, errAmbiguous) {
		t.Errorf("ambiguous name: %v", err)
	}
}

func TestGetSandboxLooksInTheServerOfTheProcess(t *testing.T) {
	t.Parallel()
	box := &appSandbox{name: fmt.Sprintf("found%x", rand.Uint64())} // the server stays when the tests are run again
	if err := defaultServer.AddSandBox(box); err != nil {
		t.Fatal(err)
	}
	if got := GetSandbox(box.name); got != box {
		t.Errorf("got %v", got)
	}
	if got := GetSandbox("lost"); got != nil {
		t.Errorf("got %v", got)
	}
}

package status_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/status"
)

// brittle is an error whose Error method works only on a real pointer.
type brittle struct{ text string }

func (b *brittle) Error() string { return b.text }

func TestNilIsSuccessAndReadable(t *testing.T) {
	t.Parallel()
	var s *status.Status
	if !s.OK() || s.UnknownError() || s.Code() != status.OK || s.Msg() != "" || s.Cause() != nil || s.StackTrace() != nil {
		t.Errorf("nil status reads as %d %q %v", s.Code(), s.Msg(), s.Cause())
	}
	if s.SetCode(7) != nil || s.SetMsg("x") != nil || s.SetCases(io.EOF) != nil || s.Copy(io.EOF, 0) != nil {
		t.Error("a method on nil made a status out of nothing")
	}
	if got := s.String(); got != "<nil>" {
		t.Errorf("String = %q", got)
	}
	for _, verb := range []string{"%v", "%s", "%+v"} {
		if got := fmt.Sprintf(verb, s); got != "<nil>" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if got := string(s.AppendJSON(nil)); got != status.OKJSON {
		t.Errorf("AppendJSON = %s", got)
	}
}

func TestCauseOfAnyKindBecomesAnError(t *testing.T) {
	t.Parallel()
	var (
		noStatus *status.Status
		noError  error
		path     = &fs.PathError{Op: "open", Path: "x", Err: io.EOF}
	)
	tests := map[string]struct {
		cause []any
		want  string // text of the cause on the wire
		none  bool   // no cause at all, so Cause falls back to the message
	}{
		"absent":                {nil, "", true},
		"nil":                   {[]any{nil}, "", true},
		"nil error":             {[]any{noError}, "", true},
		"nil status":            {[]any{noStatus}, "", true},
		"empty string":          {[]any{""}, "", false},
		"string":                {[]any{"late"}, "late", false},
		"error":                 {[]any{path}, "open x: EOF", false},
		"number":                {[]any{42}, "42", false},
		"status with cause":     {[]any{status.New(5, "m", "inner")}, "inner", false},
		"status without cause":  {[]any{status.New(5, "m")}, "m", false},
		"status value":          {[]any{*status.New(5, "m", "inner")}, "inner", false},
		"only the first counts": {[]any{"one", "two"}, "one", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := status.New(404, "msg", tt.cause...)
			want := `{"code":404,"msg":"msg","cause":"` + tt.want + `"}`
			if got := s.String(); got != want {
				t.Errorf("String = %s, want %s", got, want)
			}
			if got := s.Cause(); got == nil || (got.Error() == "msg") != tt.none {
				t.Errorf("Cause = %v, falls back to the message: want %v", got, tt.none)
			}
		})
	}
}

func TestCauseThatPanicsCostsOnlyItsText(t *testing.T) {
	t.Parallel()
	s := status.New(500, "", (*brittle)(nil))
	const text = "(Error method of *status_test.brittle panicked)"
	if got := s.Msg(); got != text {
		t.Errorf("Msg = %q", got)
	}
	if got, want := s.String(), `{"code":500,"msg":"","cause":"`+text+`"}`; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
}

func TestCauseKeepsTheErrorChain(t *testing.T) {
	t.Parallel()
	s := status.New(500, "failed", fmt.Errorf("reading: %w", io.ErrUnexpectedEOF))
	if !errors.Is(s.Cause(), io.ErrUnexpectedEOF) {
		t.Errorf("errors.Is does not find the error in %v", s.Cause())
	}
	outer := status.New(502, "gateway", s)
	if !errors.Is(outer.Cause(), io.ErrUnexpectedEOF) {
		t.Errorf("errors.Is does not find the error through a status in %v", outer.Cause())
	}
}

func TestSuccessHasNoCauseOfItsOwn(t *testing.T) {
	t.Parallel()
	if err := status.New(status.OK, "fine").Cause(); err != nil {
		t.Errorf("Cause = %v", err)
	}
	if err := status.New(status.OK, "", io.EOF).Cause(); err != io.EOF {
		t.Errorf("Cause = %v, want EOF", err)
	}
}

func TestMsgFallsBackToTheCause(t *testing.T) {
	t.Parallel()
	s := status.New(105, "", "no route")
	if got := s.Msg(); got != "no route" {
		t.Errorf("Msg = %q", got)
	}
	if got, want := s.String(), `{"code":105,"msg":"","cause":"no route"}`; got != want {
		t.Errorf("String = %s, want %s: the fallback is not for the wire", got, want)
	}
	if got := s.SetMsg("dial failed").Msg(); got != "dial failed" {
		t.Errorf("Msg = %q", got)
	}
}

func TestSettersChangeAndReturnTheReceiver(t *testing.T) {
	t.Parallel()
	s := new(status.Status)
	if s.SetCode(status.UnknownError) != s || s.SetMsg("m") != s || s.SetCases("c") != s || s.TagStack() != s {
		t.Error("a setter returned another status")
	}
	if !s.UnknownError() || s.OK() || s.Msg() != "m" || s.Cause().Error() != "c" || len(s.StackTrace()) == 0 {
		t.Errorf("after setting: %+v", s)
	}
	if s.SetCases(nil); s.Cause().Error() != "m" {
		t.Errorf("cause was not removed: %v", s.Cause())
	}
	if s.Clear(); !s.OK() || s.Msg() != "" || s.StackTrace() != nil {
		t.Errorf("after Clear: %+v", s)
	}
}

func TestCopyLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	shared := status.New(404, "Not Found", io.EOF).TagStack()
	want := shared.String()

	kept := shared.Copy(nil)
	if kept == shared || kept.String() != want || kept.Cause() != io.EOF || kept.StackTrace() != nil {
		t.Errorf("Copy(nil) = %+v", kept)
	}
	other := shared.Copy("gone", 0)
	if other.Code() != 404 || other.Msg() != "Not Found" || other.Cause().Error() != "gone" {
		t.Errorf("Copy with a cause = %v", other)
	}
	if top := fmt.Sprintf("%n", other.StackTrace()[0]); top != "TestCopyLeavesTheOriginalAlone" {
		t.Errorf("stack of the copy begins with %s", top)
	}
	other.SetCode(1).SetMsg("x").SetCases("y")
	if shared.String() != want {
		t.Errorf("original became %v", shared)
	}
}

func TestFormatVerbs(t *testing.T) {
	t.Parallel()
	s := status.New(7, "m", "c")
	const text = `{"code":7,"msg":"m","cause":"c"}`
	for verb, want := range map[string]string{
		"%v":  text,
		"%s":  text,
		"%+v": text,
		"%q":  `"{\"code\":7,\"msg\":\"m\",\"cause\":\"c\"}"`,
		"%d":  "%!d(*status.Status=" + text + ")",
	} {
		if got := fmt.Sprintf(verb, s); got != want {
			t.Errorf("%s prints %s, want %s", verb, got, want)
		}
	}
	s.TagStack()
	if got := fmt.Sprintf("%+v", s); !strings.HasPrefix(got, text+"\n") || !strings.Contains(got, "status_test.TestFormatVerbs\n\t") {
		t.Errorf("%%+v of a status with a stack prints %s", got)
	}
	if got := fmt.Sprintf("%v", s); got != text {
		t.Errorf("%%v shows more than the text: %s", got)
	}
}

package drpc

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCodesHaveTheirTexts(t *testing.T) {
	t.Parallel()
	for code, want := range map[int32]string{
		CodeUnknownError:        "Unknown Error",
		CodeOK:                  "",
		CodeInvalidOp:           "Invalid Operation",
		CodeWrongConn:           "Wrong Connection",
		CodeConnClosed:          "Connection Closed",
		CodeWriteFailed:         "Write Failed",
		CodeDialFailed:          "Dial Failed",
		CodeBadMessage:          "Bad Message",
		CodeUnauthorized:        "Unauthorized",
		CodeNotFound:            "Not Found",
		CodeMTypeNotAllowed:     "Message Type Not Allowed",
		CodeHandleTimeout:       "Handle Timeout",
		CodeConflict:            "Conflict",
		CodeInternalServerError: "Internal Server Error",
		CodeBadGateway:          "Bad Gateway",
		CodeBusy:                "Busy",
		77:                      "Unknown Error",
		-77:                     "Unknown Error",
	} {
		if got := CodeText(code); got != want {
			t.Errorf("CodeText(%d) = %q, want %q", code, got, want)
		}
	}
}

func TestConnErrorIsALostOrMissingConnection(t *testing.T) {
	t.Parallel()
	for code := int32(-2); code < 600; code++ {
		want := code == CodeConnClosed || code == CodeDialFailed
		if got := IsConnError(NewStatus(code, "x")); got != want {
			t.Errorf("IsConnError of %d is %v", code, got)
		}
	}
	if IsConnError(nil) {
		t.Error("success is a connection error")
	}
}

func TestStatusByCodeTextCarriesTextCauseAndStack(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such thing")
	stat := NewStatusByCodeText(CodeNotFound, cause, true)
	if stat.Code() != CodeNotFound || stat.Msg() != "Not Found" || !errors.Is(stat.Cause(), cause) {
		t.Errorf("%v", stat)
	}
	if text := fmt.Sprintf("%+v", stat); !strings.Contains(text, "TestStatusByCodeTextCarriesTextCauseAndStack") {
		t.Errorf("the stack does not begin at the caller:\n%s", text)
	}
	plain := NewStatusByCodeText(CodeNotFound, nil, false)
	if got := plain.String(); got != `{"code":404,"msg":"Not Found","cause":""}` {
		t.Errorf("String %s", got)
	}
	if len(plain.StackTrace()) != 0 {
		t.Error("a stack that nobody asked for")
	}
}

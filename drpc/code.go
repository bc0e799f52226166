package drpc

import (
	"github.com/osgochina/dmicro/drpc/status"
)

// Status is the outcome of an operation between peers; nil is success. A Status that is shared between goroutines
// must not be changed.
type Status = status.Status

// Status codes of the framework. By convention 100 to 199 come from sending, 400 to 499 from handling and 500 to 599
// from the receiving side; programs are advised to use codes above 1000.
const (
	// CodeUnknownError is an error without a code of its own.
	CodeUnknownError int32 = -1
	// CodeOK and CodeNoError are success.
	CodeOK      int32 = 0
	CodeNoError int32 = 0
	// CodeInvalidOp says that an Early method was called after the session was up.
	CodeInvalidOp int32 = 1
	// CodeWrongConn says that a connection cannot serve.
	CodeWrongConn int32 = 100
	// CodeConnClosed says that the connection is gone; a call that was sent may or may not have been executed.
	CodeConnClosed int32 = 102
	// CodeWriteFailed says that a message could not be encoded or written, or that its context ended before.
	CodeWriteFailed int32 = 104
	// CodeDialFailed says that no connection came up.
	CodeDialFailed int32 = 105
	// CodeBadMessage says that a message or its body could not be decoded.
	CodeBadMessage int32 = 400
	// CodeUnauthorized says that the peer did not prove who it is.
	CodeUnauthorized int32 = 401
	// CodeNotFound says that no handler has this service method.
	CodeNotFound int32 = 404
	// CodeMTypeNotAllowed says that a message of this type has no business here.
	CodeMTypeNotAllowed int32 = 405
	// CodeHandleTimeout says that the time for the call was over before its reply came.
	CodeHandleTimeout int32 = 408
	// CodeConflict says that the message does not fit the state it met.
	CodeConflict int32 = 409
	// CodeInternalServerError says that a handler or a hook panicked, or that its result cannot be sent.
	CodeInternalServerError int32 = 500
	// CodeBusy says that the receiver has too much to do, or is leaving. The call was not executed: repeating it is safe,
	// see NotExecuted.
	CodeBusy int32 = 503
	// CodeBadGateway says that a proxy did not reach the peer behind it.
	CodeBadGateway int32 = 502
)

var codeTexts = map[int32]string{
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
}

// CodeText returns the text of a framework code, "Unknown Error" for any other.
func CodeText(statCode int32) string {
	if text, ok := codeTexts[statCode]; ok {
		return text
	}
	return "Unknown Error"
}

// NewStatus returns a status with a code, a message and an optional cause, of which only the first counts.
func NewStatus(code int32, msg string, cause ...any) *Status {
	return status.New(code, msg, cause...)
}

// NewStatusByCodeText returns a status whose message is the text of the code. tagStack adds the caller's stack.
func NewStatusByCodeText(code int32, cause any, tagStack bool) *Status {
	stat := newStatus(code, cause)
	if tagStack {
		stat.TagStack(1)
	}
	return stat
}

func newStatus(code int32, cause any) *Status {
	if cause == nil {
		return status.New(code, CodeText(code))
	}
	return status.New(code, CodeText(code), cause)
}

// IsConnError reports whether the status says that there is no connection: CodeConnClosed or CodeDialFailed.
func IsConnError(stat *Status) bool {
	code := stat.Code()
	return code == CodeConnClosed || code == CodeDialFailed
}

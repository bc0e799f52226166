package httpproto

import (
	"errors"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

// fault is why a request is refused: an HTTP status and an error for whoever sent it.
type fault struct {
	code int
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// asFault returns err as a fault.
func asFault(err error) *fault {
	if f := (*fault)(nil); errors.As(err, &f) {
		return f
	}
	switch {
	case errors.Is(err, proto.ErrHeaderTooLong):
		return &fault{431, err}
	case errors.Is(err, message.ErrExceedMessageSizeLimit):
		return &fault{413, err}
	}
	return &fault{400, err}
}

// status is what the sender reads.
func (f *fault) status() *status.Status {
	return status.New(int32(f.code), reasons[f.code], f.err)
}

// reasons are the texts of the statuses that are sent.
var reasons = map[int]string{
	200: "OK",
	299: "Business Error",
	400: "Bad Request",
	401: "Unauthorized",
	404: "Not Found",
	405: "Method Not Allowed",
	408: "Request Timeout",
	409: "Conflict",
	413: "Content Too Large",
	415: "Unsupported Media Type",
	417: "Expectation Failed",
	431: "Request Header Fields Too Large",
	500: "Internal Server Error",
	501: "Not Implemented",
	502: "Bad Gateway",
	503: "Service Unavailable",
	505: "HTTP Version Not Supported",
}

// httpCodes are the HTTP statuses of the status codes of the framework, for clients that are no peers of it. Any other
// code is one of the application, a 299.
var httpCodes = map[int32]int{
	102: 503, // DMicro 1.x: the session is closing
	400: 400, 401: 401, 404: 404, 405: 405, 408: 408, 409: 409, 413: 413, 415: 415, 417: 417, 431: 431,
	500: 500, 501: 501, 502: 502, 503: 503, 505: 505,
}

const businessError = 299

package conformance

import (
	"errors"
	"strconv"
	"testing"

	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// Proto is a protocol of the suite.
type Proto struct {
	Name string
	Make func() proto.ProtoFunc
}

// Protos are all protocols.
var Protos = []Proto{
	{Name: "raw", Make: rawproto.NewRawProtoFunc},
	{Name: "json", Make: jsonproto.NewJSONProtoFunc},
	{Name: "protobuf", Make: pbproto.NewPbProtoFunc},
	{Name: "http", Make: func() proto.ProtoFunc { return httpproto.NewHTTProtoFunc() }},
}

// Filters are the pipes of the suite: none, each filter, and several.
var Filters = []string{"", "5", "z", "a", "g", "5a", "z5g"}

// Refusal is a row of [Cannot].
type Refusal struct {
	// Proto, Body, Filters and Scenario say where it applies; an empty one is everywhere.
	Proto, Body, Filters, Scenario string
	// Err is the error that says so, as errors.Is finds it in the cause of the status.
	Err error
	// Why explains it to who reads the table.
	Why string
}

// Cannot is everything that a combination cannot carry. What stands here must fail with its error, all else must work.
var Cannot = []Refusal{
	{Proto: "json", Body: "bytes", Scenario: "binary", Err: jsonproto.ErrNotText, Why: "a JSON string holds text"},
	{Proto: "json", Body: "plain", Scenario: "binary", Err: jsonproto.ErrNotText, Why: "a JSON string holds text"},
	{Proto: "json", Body: "protobuf", Scenario: "binary", Err: jsonproto.ErrNotText, Why: "a JSON string holds text"},
	{
		Proto: "json", Body: "protobuf", Scenario: "large", Err: jsonproto.ErrNotText,
		Why: "Protocol Buffers write a length above 127 in bytes that are no UTF-8",
	},
	{Proto: "http", Scenario: "push", Err: httpproto.ErrUnsupported, Why: "HTTP answers every request"},
	{Proto: "http", Filters: "5", Err: httpproto.ErrUnsupported, Why: onlyGzip},
	{Proto: "http", Filters: "a", Err: httpproto.ErrUnsupported, Why: onlyGzip},
	{Proto: "http", Filters: "g", Err: httpproto.ErrUnsupported, Why: onlyGzip},
	{Proto: "http", Filters: "5a", Err: httpproto.ErrUnsupported, Why: onlyGzip},
	{Proto: "http", Filters: "z5g", Err: httpproto.ErrUnsupported, Why: onlyGzip},
}

const onlyGzip = "gzip is the only filter that HTTP has a content coding for"

// combination is one subtest.
type combination struct{ proto, body, filters, scenario string }

func (c combination) String() string {
	filters := c.filters
	if filters == "" {
		filters = "none"
	}
	return c.body + "/" + filters + "/" + c.scenario
}

// check holds the outcome of a scenario against the table.
func (c combination) check(t *testing.T, got error) {
	t.Helper()
	switch r := c.refusal(); {
	case r == nil && got != nil:
		t.Error(got)
	case r != nil && got == nil:
		t.Errorf("it works, although %s: the table is out of date", strconv.Quote(r.Why))
	case r != nil && !errors.Is(got, r.Err):
		t.Errorf("%v, want %v", got, r.Err)
	}
}

func (c combination) refusal() *Refusal {
	applies := func(row, here string) bool { return row == "" || row == here }
	for i, r := range Cannot {
		if applies(r.Proto, c.proto) && applies(r.Body, c.body) && applies(r.Filters, c.filters) && applies(r.Scenario, c.scenario) {
			return &Cannot[i]
		}
	}
	return nil
}

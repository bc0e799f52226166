package conformance

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
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
	{Name: "jsonrpc", Make: jsonrpcproto.NewJSONRPCProtoFunc},
}

// Filters are the pipes of the suite: none, each filter, and several.
var Filters = []string{"", "5", "z", "a", "g", "5a", "z5g"}

// Refusal is a row of [Cannot].
type Refusal struct {
	// Proto, Body, Filters and Scenario say where it applies; an empty one is everywhere.
	Proto, Body, Filters, Scenario string
	// Err is the error that says so, as errors.Is finds it in the cause of the status. Without one the row is an exception
	// to those behind it: what it names works.
	Err error
	// Why explains it to who reads the table.
	Why string
}

// Cannot is everything that a combination cannot carry. What stands here must fail with its error, all else must work. The
// first row that applies counts.
var Cannot = slices.Concat([]Refusal{
	{Proto: "json", Body: "bytes", Scenario: "binary", Err: jsonproto.ErrNotText, Why: "a JSON string holds text"},
	{Proto: "json", Body: "plain", Scenario: "binary", Err: jsonproto.ErrNotText, Why: "a JSON string holds text"},
	{Proto: "json", Body: "protobuf", Scenario: "binary", Err: jsonproto.ErrNotText, Why: "a JSON string holds text"},
	{
		Proto: "json", Body: "protobuf", Scenario: "large", Err: jsonproto.ErrNotText,
		Why: "Protocol Buffers write a length above 127 in bytes that are no UTF-8",
	},
	{Proto: "http", Scenario: "push", Err: httpproto.ErrUnsupported, Why: "HTTP answers every request"},
},
	filtersBut("z", Refusal{
		Proto: "http", Err: httpproto.ErrUnsupported, Why: "gzip is the only filter that HTTP has a content coding for",
	}),
	filtersBut("", Refusal{Proto: "jsonrpc", Err: jsonrpcproto.ErrUnsupported, Why: "a line of JSON has no place for filters"}),
	[]Refusal{
		{Proto: "jsonrpc", Body: "bytes", Scenario: "empty body", Why: "nothing is nothing in JSON, too"},
		{Proto: "jsonrpc", Body: "bytes", Err: jsonrpcproto.ErrUnsupported, Why: "bodies are JSON values, which these bytes are not"},
		{Proto: "jsonrpc", Body: "plain", Scenario: "binary", Err: proto.ErrNotText, Why: "bodies are JSON whatever the codec"},
		{Proto: "jsonrpc", Body: "form", Scenario: "binary", Err: proto.ErrNotText, Why: "bodies are JSON whatever the codec"},
	},
)

// filtersBut returns r for each pipe of Filters that has any filter, but one.
func filtersBut(one string, r Refusal) (rows []Refusal) {
	for _, filters := range Filters {
		if filters != "" && filters != one {
			r.Filters = filters
			rows = append(rows, r)
		}
	}
	return rows
}

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
	case r == nil || r.Err == nil:
		if got != nil {
			t.Error(got)
		}
	case got == nil:
		t.Errorf("it works, although %s: the table is out of date", strconv.Quote(r.Why))
	case !errors.Is(got, r.Err):
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

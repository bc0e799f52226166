package jsoncodec

import (
	"encoding/json"
	"testing"

	"github.com/bytedance/sonic"
	experiment "github.com/go-json-experiment/json/v1"
	goccy "github.com/goccy/go-json"
	segmentio "github.com/segmentio/encoding/json"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/internal/jsontest"
)

// candidate is a library, or what the codec does now.
type candidate struct {
	name string
	jsontest.Impl
	// same says that it must not differ from encoding/json; the others are out because they do.
	same bool
}

var candidates = []candidate{
	{name: "std", Impl: jsontest.Impl{Marshal: json.Marshal, Unmarshal: json.Unmarshal}, same: true},
	{name: "codec", Impl: jsontest.Impl{Marshal: codec.JSONCodec{}.Marshal, Unmarshal: codec.JSONCodec{}.Unmarshal}, same: true},
	{name: "goccy", Impl: jsontest.Impl{Marshal: goccy.Marshal, Unmarshal: func(b []byte, v any) error { return goccy.Unmarshal(b, v) }}},
	{name: "segmentio", Impl: jsontest.Impl{Marshal: segmentio.Marshal, Unmarshal: segmentio.Unmarshal}},
	{name: "experiment", Impl: jsontest.Impl{Marshal: experiment.Marshal, Unmarshal: experiment.Unmarshal}},
	{name: "sonic", Impl: jsontest.Impl{Marshal: sonic.ConfigStd.Marshal, Unmarshal: sonic.ConfigStd.Unmarshal}},
}

func candidateOf(tb testing.TB, name string) candidate {
	tb.Helper()
	for _, c := range candidates {
		if c.name == name {
			return c
		}
	}
	tb.Fatalf("no candidate %q", name)
	return candidate{}
}

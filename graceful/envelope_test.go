package graceful

import (
	"reflect"
	"strings"
	"testing"
)

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	want := &envelope{
		Version: envelopeVersion, Generation: 7, ID: "1:2", Worker: true, Stderr: true,
		Sockets: []envelopeSocket{{Network: "tcp", Ask: ":0", Owner: "box", Addr: "[::]:4711"}, {Network: "unix", Ask: "/s", Addr: "/s", File: "3:4"}},
		Files:   []string{"a", "订单"},
		Values:  map[string]string{"service": `"quoted"` + "\n"},
	}
	text, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text, "\n\x00") {
		t.Errorf("%q cannot stand in the environment", text)
	}
	got, err := parseEnvelope(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestBadEnvelopesAreRefused(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"":                                      "JSON",
		"{":                                     "JSON",
		`{"v":2,"gen":2,"id":"x"}`:              "version 2",
		`{"v":1,"gen":0,"id":"x"}`:              "generation 0",
		`{"v":1,"gen":2}`:                       "identity",
		`{"v":1,"gen":2,"id":"x","files":[""]}`: "name",
		`{"v":1,"gen":2,"id":"x","files":["a","a"]}`:                "name",
		`{"v":1,"gen":2,"id":"x","sockets":[{"net":"ip"}]}`:         "network",
		`{"v":1,"gen":2,"id":"x","sockets":` + many(maxDescriptors): "descriptors",
		strings.Repeat(" ", maxEnvelope+1):                          "long",
	} {
		if e, err := parseEnvelope(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %+v, %v; want %q", text, e, err, why)
		}
	}
	huge := envelope{Values: map[string]string{"a": strings.Repeat("x", maxEnvelope)}}
	if _, err := huge.encode(); err == nil {
		t.Error("an envelope that no environment holds was written")
	}
}

// many ends an envelope with more than n sockets.
func many(n int) string { return "[" + strings.Repeat("{},", n) + "{}]}" }

func FuzzParseEnvelope(f *testing.F) {
	f.Add(`{"v":1,"gen":2,"id":"1:2","sockets":[{"net":"tcp","ask":":0","addr":"[::]:1"}],"files":["a"],"values":{"a":"b"}}`)
	f.Add(`{"v":1,"gen":2,"id":"x","sockets":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseEnvelope(text)
		if err != nil {
			return
		}
		if e.Generation < 1 || e.ID == "" || len(e.Sockets)+len(e.Files) > maxDescriptors {
			t.Fatalf("%+v", e)
		}
		if again, err := e.encode(); err == nil {
			if _, err := parseEnvelope(again); err != nil {
				t.Fatalf("%q became %q: %v", text, again, err)
			}
		}
	})
}

func TestOlderVariableIsRead(t *testing.T) {
	t.Parallel()
	got, err := parseOlder(`{"kcp":"0.0.0.0:53#5","quic":"","tcp":"[::]:18231#3,/run/a#b.sock#4"}`)
	want := []olderSocket{{"udp", "0.0.0.0:53", 5}, {"tcp", "[::]:18231", 3}, {"tcp", "/run/a#b.sock", 4}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, text := range []string{
		`{`, `{"tcp":"x"}`, `{"tcp":"#3"}`, `{"tcp":"x#2"}`, `{"tcp":"x#y"}`, `{"tcp":"x#99999"}`, `{"sctp":"x#3"}`,
		strings.Repeat(" ", maxEnvelope+1),
	} {
		if got, err := parseOlder(text); err == nil {
			t.Errorf("%.40q gave %+v", text, got)
		}
	}
}

func FuzzParseOlder(f *testing.F) {
	f.Add(`{"kcp":"","quic":"","tcp":"[::]:18231#3,127.0.0.1:1#4"}`)
	f.Add(`{"tcp":"/run/x.sock#3,"}`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseOlder(text)
		for _, s := range list {
			if err != nil || s.fd < firstFD || s.addr == "" || kinds[s.network] == "" {
				t.Fatalf("%+v, %v", s, err)
			}
		}
	})
}

func TestLastWordsKeepBothEnds(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := &lastWords{to: &out}
	write := func(text string) {
		if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	write("panic: first\n")
	if w.String() != "panic: first\n" {
		t.Fatalf("%q", w.String())
	}
	for range 1000 {
		write(strings.Repeat("x", 99) + "\n")
	}
	write(strings.Repeat("y", 3*wordsLimit))
	write("exit: last\n")
	got := w.String()
	if !strings.HasPrefix(got, "panic: first\n") || !strings.HasSuffix(got, "yexit: last\n") || len(got) > 2*wordsLimit+20 {
		t.Errorf("%d bytes: %.30q ... %q", len(got), got, got[len(got)-30:])
	}
	if out.Len() != 13+100_000+3*wordsLimit+11 {
		t.Errorf("passed on %d bytes", out.Len())
	}
}

package docs

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// foreign are the words of others that the documents mention: of erpc and DMicro 1.x, systemd, Go and placeholders.
var foreign = strings.Fields(`
	NewPeer PeerConfig PreX PostX PreWriteCall BeforeX AfterX WithXferPipe Reboot
	NewCounterVec LimitNOFILE TimeoutStopSec RuntimeDirectory GOGC go_ process_
	LEVEL INTERVAL FRAMES LIMIT VERSION`)

func TestWordsOfDocumentsAreInTheCode(t *testing.T) {
	t.Parallel()
	words, err := Words(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range foreign {
		words[w] = true
	}
	for _, fault := range CheckWords(words, documents(t)) {
		t.Errorf("%s; a word of others belongs into the list in this file", fault)
	}
}

func TestCheckWordsFindsUnknownOnes(t *testing.T) {
	t.Parallel()
	words, err := Words(fstest.MapFS{
		"a/a.go":       {Data: []byte("package a\n\ntype Config struct{ MaxThings int }\n\nconst name, flag, program = \"rpc_things_total\", \"max\", \"program\"\n")},
		".hidden/b.go": {Data: []byte("package b\n\nvar Hidden int\n")},
		"a/a.md":       {Data: []byte("NotCode")},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := Parse("a.md", "`MaxThings` `Config{}` `rpc_things_total` `plain` `/x/NoName` `MinThings` `rpc_thing` `Hidden` `NotCode` `run --max --mix`\n"+
		"```toml\n# Comment = 1\n[name.key]\nMaxThings = 1\nMidThings = 2\n[nam.key]\n```\n"+
		"```ini\n[Service]\nType=notify\nEnvironment=DMICRO_RUM_DIR=/run\n```\n```ini\n[program:x]\ncomand = /bin/true\n```\n"+
		"```sh\ngit clone --bare x\n./app start --max --maxi # --remark\n```\n")
	got := strings.Join(CheckWords(words, []Document{d}), " ")
	for _, w := range []string{
		"MinThings", "rpc_thing ", "Hidden", "NotCode", "mix", "MidThings", "nam ", "DMICRO_RUM_DIR", "comand", "maxi",
	} {
		if !strings.Contains(got, "no "+w) {
			t.Errorf("faults %q, want one about %s", got, w)
		}
	}
	if n := strings.Count(got, "there is no"); n != 10 {
		t.Errorf("%d faults, want 10: %s", n, got)
	}
}

func TestFiguresHaveTheirCommand(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"docs/reliability.md", "docs/benchmarks/README.md", "docs/benchmarks/peers.md", "docs/benchmarks/features.md",
		"docs/benchmarks/transports.md", "docs/benchmarks/scale.md",
	} {
		text, err := os.ReadFile(root + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range CheckFigures(name, string(text)) {
			t.Error(fault)
		}
	}
}

func TestCheckFiguresFindsThoseWithoutACommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a test is named":               {"# A\n\n## B\n12 ms, `TestB`\n", ""},
		"a command before the sections": {"# A\n`make bench-peers`\n\n## B\n12 ms\n", ""},
		"no figures":                    {"# A\n\n## B\nmany\n", ""},
		"nothing is named":              {"# A\n\n## B\n12 ms\n\n## C\n`go run ./c`: 3\n", "a.md: B: figures"},
		"a test without a name":         {"# A\n`go test -run TestName ./x`\n\n## B\n12 ms\n", "a.md: B: figures"},
		"everything is no answer":       {"# A\n`make test` or `make soak`\n\n## B\n12 ms\n", "a.md: B: figures"},
	} {
		got := strings.Join(CheckFigures("a.md", c.text), "\n")
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: faults %q, want %q", name, got, c.want)
		}
	}
}

func TestMeasuredFiguresHaveTheirCommand(t *testing.T) {
	t.Parallel()
	for _, d := range documents(t) {
		for _, fault := range CheckMeasured(d) {
			t.Error(fault)
		}
	}
}

func TestCheckMeasuredFindsThoseWithoutACommand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"# A\nIt takes 200 ns.\n":                                "a.md: # A: a figure (0 ns)",
		"# A\n\n## B\n1.2 times as fast\n":                       "a.md: B: a figure",
		"# A\n\n## B\n710 calls/s, `BenchmarkB`\n\n## C\n2 ms\n": "",
		"# A\n200 ns, see [there](../benchmarks/peers.md#b)\n":   "",
		"# A\n```text\n12 µs\n```\n":                             "",
		"# A\nat most 64 KiB, 30 s\n":                            "",
	} {
		got := strings.Join(CheckMeasured(Parse("a.md", text)), "\n")
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%q: faults %q, want %q", text, got, want)
		}
	}
}

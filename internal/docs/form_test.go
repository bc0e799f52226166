package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestDocumentsAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, fault := range CheckForm(documents(t)) {
		t.Error(fault)
	}
}

func TestCheckFormFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"whole", "a `b` c\n\n| a | b |\n|---|---|\n| `x|y` | c \\| d |\n\n| one |\n|---|\n```sh\n`echo`\n```\n", ""},
		{"a fence that is never closed", "a\n```sh\nmake\n\n## b\n", "a.md:2: the fence is never closed"},
		{"a span over two lines", "see `make\ntest`\n", "a.md:1: a code span does not end on its line\na.md:2: a code span does not end on its line"},
		{"a cell too few", "| a | b |\n|---|---|\n| c |\n", "a.md:3: a row of 1 cells below one of 2"},
		{"a row without its bar", "| a | b |\n|---|---|\nc | d |\n", "a.md:3: a line right below a table, which it becomes a row of"},
		{"a remark below a table", "| a |\n|---|\n<!-- end -->\n", ""},
		{"a cell too many", "| a | b |\n|---|---|\n| c | d | e |\n", "a.md:3: a row of 3 cells below one of 2"},
	}
	for _, tt := range tests {
		if got := strings.Join(CheckForm([]Document{Parse("a.md", tt.text)}), "\n"); got != tt.want {
			t.Errorf("%s: faults %q, want %q", tt.name, got, tt.want)
		}
	}
}

// foreignPaths are what a reader makes, and what there was in DMicro 1.x.
var foreignPaths = []string{"client/main.go", "drpc/proto/pbproto/pb"}

func TestPathsLeadSomewhere(t *testing.T) {
	t.Parallel()
	faults, err := CheckPaths(os.DirFS(root), foreignPaths, documents(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

func TestCheckPathsFindsThoseThatLeadNowhere(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"a/b/c.go": {}, "a/d/e.go": {}, ".cache/site": {}}
	d := Parse("a.md", "`.cache/bench.txt`, `a/b`, `./a/b/c.go`, `a/*`, `x/y`, `/a/z`, `go run ./a/...`, `a/f`, `a/*/g.go`, a/prose, `a/old`\n"+
		"```sh\ngo test ./a/h ./a/d # ./a/remark\n```\n    go run ./a/i\n```text\n./a/j\n```\n")
	faults, err := CheckPaths(fsys, []string{"a/old"}, []Document{d})
	if err != nil {
		t.Fatal(err)
	}
	want := "a.md:1: there is no a/f\na.md:1: there is no a/*/g.go\na.md:3: there is no a/h\na.md:5: there is no a/i"
	if got := strings.Join(faults, "\n"); got != want {
		t.Errorf("faults %q, want %q", got, want)
	}
}

func TestProgramsAreCalledAsTheyWantToBe(t *testing.T) {
	t.Parallel()
	docs := slices.DeleteFunc(documents(t), func(d Document) bool {
		return strings.HasPrefix(d.Path, "examples/") // which have commands of their own
	})
	for _, page := range docs {
		if page.Path == "docs/dserver.md" {
			for _, fault := range CheckPrograms(page, docs) {
				t.Error(fault)
			}
		}
	}
}

func TestCheckProgramsFindsUnknownCommands(t *testing.T) {
	t.Parallel()
	page := Parse("p.md", "# p\n\n## Command line\n\n| a | b |\n|---|---|\n| `start [x]` | `stop` |\n| `ctl [C]` | |\n\n## ctl\n\n| a |\n|---|\n| `ps`, `info` | `top` |\n\n## More\n| `late` | |\n")
	d := Parse("a.md", "`./app start now`, `./app stop`, `./app ctl info`, `./app late`\n```sh\n./calculator ctl top -n 1\n./calculator ctl ps # fine\n./call late\n```\n")
	want := "a.md:1: p.md lists no command stop\na.md:1: p.md lists no command late\na.md:3: p.md lists no command top of ctl"
	if got := strings.Join(CheckPrograms(page, []Document{d}), "\n"); got != want {
		t.Errorf("faults %q, want %q", got, want)
	}
}

func TestEveryPageIsListedInItsIndex(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	for _, d := range docs {
		if strings.HasPrefix(d.Path, "docs/") && strings.HasSuffix(d.Path, "/README.md") {
			for _, lost := range Unlisted(d.Path, docs) {
				t.Errorf("%s does not list %s", d.Path, lost)
			}
		}
	}
}

func TestUnlistedFindsPagesThatOnlyOthersLeadTo(t *testing.T) {
	t.Parallel()
	docs := []Document{
		Parse("d/README.md", "[a](a.md#x) [c](c/e.md)"), Parse("d/a.md", "[b](b.md)"), Parse("d/b.md", ""), Parse("d/c/f.md", ""),
	}
	if got := Unlisted("d/README.md", docs); len(got) != 1 || got[0] != "d/b.md" {
		t.Errorf("unlisted: %v, want d/b.md", got)
	}
}

// twins are documents and their translations.
var twins = map[string]string{"README.md": "README.zh-CN.md", "docs/guide/quickstart.md": "docs/guide/quickstart.zh-CN.md"}

func TestTranslationsSayTheSame(t *testing.T) {
	t.Parallel()
	byPath := make(map[string]Document)
	for _, d := range documents(t) {
		byPath[d.Path] = d
	}
	for original, translated := range twins {
		if byPath[original].Text == "" || byPath[translated].Text == "" {
			t.Errorf("%s or %s is not there", original, translated)
		}
		for _, fault := range CheckTwins(byPath[original], byPath[translated], "zh-CN") {
			t.Error(fault)
		}
	}
}

func TestCheckTwinsFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	const text = "[a](b.md#x) [t](a.zh.md)\n```sh\nmake # all\n```\n```go\nx() // x\n```\n"
	original := Parse("a.md", text)
	tests := []struct{ name, from, to, want string }{
		{"a translation", "all", "alles", ""},
		{"a link to a translation", "b.md#x", "b.zh.md#y", ""},
		{"another command", "make", "mak", "a.zh.md:3: the fence is another one than that of a.md:3"},
		{"another program", "x() // x", "x() // y", "a.zh.md:6: the fence is another one than that of a.md:6"},
		{"another kind", "```sh", "```text", "a.zh.md:3: the fence is another one than that of a.md:3"},
		{"a fence less", "```go\nx() // x\n```\n", "", "a.zh.md: the fence of a.md:6 is missing"},
		{"a fence more", "```go\n", "```sh\nmake\n```\n```go\n", "a.zh.md:6: the fence is another one than that of a.md:6\na.zh.md: 3 fences, and 2 in a.md"},
		{"a link less", "[a](b.md#x)", "", "a.zh.md: no link leads to b.md#x, as in a.md:1"},
	}
	for _, tt := range tests {
		translated := Parse("a.zh.md", strings.Replace(text, tt.from, tt.to, 1))
		if got := strings.Join(CheckTwins(original, translated, "zh"), "\n"); got != tt.want {
			t.Errorf("%s: faults %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDocumentsNameTheReleaseOfGoThatTheModuleNeeds(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	needs := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if needs == nil {
		t.Fatal("go.mod names no release")
	}
	said := regexp.MustCompile(`需要 Go (\d+\.\d+)|(?:need|with) Go (\d+\.\d+)|golang:(\d+\.\d+)`)
	seen := 0
	for _, d := range documents(t) {
		for _, m := range said.FindAllStringSubmatch(d.Text, -1) {
			seen++
			if m[1]+m[2]+m[3] != string(needs[1]) {
				t.Errorf("%s: %q, and go.mod needs %s", d.Path, m[0], needs[1])
			}
		}
	}
	if seen < 4 {
		t.Errorf("only %d mentions found", seen)
	}
}

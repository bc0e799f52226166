package docs

import (
	"go/types"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	root   = "../.."
	module = "github.com/osgochina/dmicro"
)

// packages are the names that fragments and code spans may use, with their import paths.
var packages = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "net": "net", "os": "os", "time": "time",
	"sync": "sync", "atomic": "sync/atomic", "tls": "crypto/tls", "x509": "crypto/x509",
	"cobra": "github.com/spf13/cobra",

	"dmicro":       module,
	"drpc":         module + "/drpc",
	"message":      module + "/drpc/message",
	"socket":       module + "/drpc/socket",
	"proto":        module + "/drpc/proto",
	"rawproto":     module + "/drpc/proto/rawproto",
	"jsonproto":    module + "/drpc/proto/jsonproto",
	"httpproto":    module + "/drpc/proto/httpproto",
	"jsonrpcproto": module + "/drpc/proto/jsonrpcproto",
	"pbproto":      module + "/drpc/proto/pbproto",
	"netproto":     module + "/drpc/netproto",
	"kcp":          module + "/drpc/netproto/kcp",
	"quic":         module + "/drpc/netproto/quic",
	"websocket":    module + "/drpc/mixer/websocket",
	"jsonSubProto": module + "/drpc/mixer/websocket/jsonSubProto",
	"pbSubProto":   module + "/drpc/mixer/websocket/pbSubProto",
	"codec":        module + "/drpc/codec",
	"tfilter":      module + "/drpc/tfilter",
	"status":       module + "/drpc/status",
	"auth":         module + "/drpc/plugin/auth",
	"event":        module + "/drpc/plugin/event",
	"heartbeat":    module + "/drpc/plugin/heartbeat",
	"ignorecase":   module + "/drpc/plugin/ignorecase",
	"overload":     module + "/drpc/plugin/overload",
	"proxy":        module + "/drpc/plugin/proxy",
	"securebody":   module + "/drpc/plugin/securebody",
	"client":       module + "/client",
	"server":       module + "/server",
	"logger":       module + "/logger",
	"metrics":      module + "/metrics",
	"prometheus":   module + "/metrics/prometheus",
	"dserver":      module + "/dserver",
	"eventbus":     module + "/eventbus",
	"graceful":     module + "/graceful",
	"process":      module + "/supervisor/process",
	"proclog":      module + "/supervisor/proclog",
	"lifeline":     module + "/supervisor/lifeline",
	"ini":          module + "/supervisor/ini",
	"registry":     module + "/registry",
	"memory":       module + "/registry/memory",
	"cache":        module + "/registry/cache",
	"etcd":         module + "/registry/etcd",
	"registrytest": module + "/registry/registrytest",
	"selector":     module + "/selector",
}

// documents returns every Markdown file of the module.
func documents(t *testing.T) []Document {
	t.Helper()
	var out []Document
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(os.DirFS(root), name)
		out = append(out, Parse(name, string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d documents found, the test looks at the wrong folder", len(out))
	}
	return out
}

func TestSnippetsCompileAndNamesExist(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	patterns := make(map[string]bool)
	for _, p := range packages {
		patterns[p] = true
	}
	var snippets []Snippet
	for _, d := range docs {
		found, err := Snippets(d, packages)
		if err != nil {
			t.Error(err)
		}
		for _, s := range found {
			for _, p := range sourceImports(s.Source) {
				patterns[p] = true
			}
		}
		snippets = append(snippets, found...)
	}
	var list []string
	for p := range patterns {
		list = append(list, p)
	}
	c, err := NewCompiler(root, list...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snippets {
		if err := c.Check(s); err != nil {
			t.Errorf("snippet at %s:\n%v", s.Name, err)
		}
	}
	if len(snippets) < 5 {
		t.Errorf("only %d snippets found", len(snippets))
	}
	for _, fault := range CheckNames(c, packages, docs) {
		t.Error(fault)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	for _, fault := range CheckLinks(os.DirFS(root), docs) {
		t.Error(fault)
	}
	for _, lost := range Unreached("docs/README.md", "docs", docs) {
		t.Errorf("%s: no link leads here from docs/README.md", lost)
	}
}

func TestMakeTargetsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range CheckTargets(string(makefile), documents(t)) {
		t.Error(fault)
	}
}

func TestReadmesShowTheSamePrograms(t *testing.T) {
	t.Parallel()
	programs := make(map[string][]string)
	for _, d := range documents(t) {
		for _, f := range d.Fences {
			if path.Dir(d.Path) == "." && f.Info == "go" {
				programs[d.Path] = append(programs[d.Path], f.Text)
			}
		}
	}
	english, chinese := programs["README.md"], programs["README.zh-CN.md"]
	if len(english) == 0 || strings.Join(english, "") != strings.Join(chinese, "") {
		t.Errorf("README.md shows %d programs, README.zh-CN.md %d, and they must be the same", len(english), len(chinese))
	}
}

func TestHooksPageNamesEveryHook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/docs/drpc.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCompiler(root, module+"/drpc")
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := c.importer.Import(module + "/drpc")
	if err != nil {
		t.Fatal(err)
	}
	hooks := 0
	for _, name := range pkg.Scope().Names() {
		_, isInterface := pkg.Scope().Lookup(name).Type().Underlying().(*types.Interface)
		if name == "Plugin" || !strings.HasSuffix(name, "Plugin") || !isInterface {
			continue
		}
		hooks++
		if !strings.Contains(string(text), "| `drpc."+name+"` |") {
			t.Errorf("docs/drpc.md has no row for %s", name)
		}
	}
	for _, d := range documents(t) {
		for _, m := range regexp.MustCompile(`(\d+) (?:plugin )?(?:hooks|interfaces|个钩子)`).FindAllStringSubmatch(d.Text, -1) {
			if m[1] != strconv.Itoa(hooks) {
				t.Errorf("%s: %q, and there are %d", d.Path, m[0], hooks)
			}
		}
	}
	if rows := strings.Count(string(text), "Plugin` |"); hooks != 27 || rows != hooks {
		t.Errorf("%d hooks are declared and %d documented, want 27", hooks, rows)
	}
}

const page = "# One `x` Heading\n" +
	"See [a](b.md#two), [web](https://example.com/x), `fmt.Println` and `fmt.Nothing`, [c](#one-x-heading).\n" +
	"```go\npackage main\n\nfunc main() {}\n```\n" +
	"```sh\nmake all\n```\n"

func TestParseFindsTheParts(t *testing.T) {
	t.Parallel()
	d := Parse("a.md", page)
	if len(d.Fences) != 2 || d.Fences[0].Info != "go" || d.Fences[0].Line != 4 || d.Fences[1].Text != "make all\n" {
		t.Errorf("fences are %+v", d.Fences)
	}
	if len(d.Links) != 3 || d.Links[0] != (Span{"b.md#two", 2}) {
		t.Errorf("links are %+v", d.Links)
	}
	if len(d.Spans) != 3 || d.Spans[1] != (Span{"fmt.Println", 2}) || !d.Anchor["one-x-heading"] {
		t.Errorf("spans are %+v, anchors %v", d.Spans, d.Anchor)
	}
}

func TestCheckLinksFindsDeadOnes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"all there", map[string]string{"a.md": page, "b.md": "## Two\n"}, ""},
		{"no file", map[string]string{"a.md": page}, "a.md:2: link b.md#two: no such file"},
		{"no heading", map[string]string{"a.md": page, "b.md": "## Three\n"}, "a.md:2: link b.md#two: no such heading"},
		{"a link in a code span is none", map[string]string{"a.md": "`[x](y)`"}, ""},
	}
	for _, tt := range tests {
		tree, docs := fstest.MapFS{}, []Document{}
		for name, text := range tt.files {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
			docs = append(docs, Parse(name, text))
		}
		if got := strings.Join(CheckLinks(tree, docs), "\n"); got != tt.want {
			t.Errorf("%s: faults %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUnreachedFindsPagesWithoutALink(t *testing.T) {
	t.Parallel()
	docs := []Document{
		Parse("docs/README.md", "[a](a.md#x)"), Parse("docs/a.md", "[b](adr/b.md)"),
		Parse("docs/adr/b.md", "[a](../a.md)"), Parse("docs/lost.md", "[a](a.md)"), Parse("README.md", ""),
	}
	if got := Unreached("docs/README.md", "docs", docs); len(got) != 1 || got[0] != "docs/lost.md" {
		t.Errorf("unreached: %v, want docs/lost.md", got)
	}
}

func TestCheckTargetsFindsUnknownOnes(t *testing.T) {
	t.Parallel()
	d := Parse("a.md", page+"Run `make test` or `make sense`, `make test-all` or `make test-none`.\nwe make things\n")
	got := CheckTargets("test: build\n\tgo test\nall:\ntest-all:\n", []Document{d})
	if len(got) != 2 || !strings.Contains(got[0], "no target sense") || !strings.Contains(got[1], "no target test-none") {
		t.Errorf("faults %q, want one about sense and one about test-none", got)
	}
}

func TestCompilerFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	c, err := NewCompiler(root, "fmt", "context")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, fence, want string }{
		{"a program", "```go\npackage main\nimport \"fmt\"\nfunc main() { fmt.Println() }\n```", ""},
		{"a name that does not exist", "```go\npackage main\nimport \"fmt\"\nfunc main() { fmt.Shout() }\n```", "a.md:4: undefined: fmt.Shout"},
		{"an unused variable in a program", "```go\npackage main\nfunc main() { x := 1 }\n```", "declared and not used"},
		{"an unused variable in a fragment", "```go fragment\nx := fmt.Sprint(ctx)\n```", ""},
		{"a wrong type in a fragment", "```go fragment\nx := 1\nvar s string = x\n```", "a.md:3: cannot use x"},
		{"declarations", "```go declarations\ntype T struct{ fmt.Stringer }\n```", ""},
		{"a package that is not known", "```go\npackage main\nimport \"no/such\"\nfunc main() { such.X() }\n```", "no/such does not exist"},
		{"a fence that does not say what it is", "```go\nx := 1\n```", "must say what it is"},
		{"an unknown word", "```go fragment moon\nx := 1\n```", `unknown word "moon"`},
		{"broken Go", "```go fragment\nx := := 1\n```", "expected operand"},
	}
	for _, tt := range tests {
		snippets, err := Snippets(Parse("a.md", tt.fence), packages)
		for _, s := range snippets {
			err = c.Check(s)
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCheckNamesFindsUnknownOnes(t *testing.T) {
	t.Parallel()
	c, err := NewCompiler(root, "fmt", "time", "context")
	if err != nil {
		t.Fatal(err)
	}
	d := Parse("a.md", "`fmt.Println` `fmt.Nothing` `time.Time.Unix` `time.Time.Moon` `context.Context.Done()` `other.Name` `/x/fmt.Go`")
	got := CheckNames(c, packages, []Document{d})
	if len(got) != 2 || !strings.Contains(got[0], "fmt has no Nothing") || !strings.Contains(got[1], "time has no Time.Moon") {
		t.Errorf("faults %q, want fmt.Nothing and time.Time.Moon", got)
	}
}

func TestCodesAreThoseOfTheConstants(t *testing.T) {
	t.Parallel()
	c, err := NewCompiler(root, module+"/drpc")
	if err != nil {
		t.Fatal(err)
	}
	faults, err := CheckCodes(c, module+"/drpc", documents(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
	d := Parse("a.md", "503, `drpc.CodeBusy`; 504, `drpc.CodeBusy`\n| -1 | `drpc.CodeUnknownError` |\n| 405 | `drpc.CodeNotFound` |\n`drpc.CodeNo`\n")
	faults, err = CheckCodes(c, module+"/drpc", []Document{d})
	if got := strings.Join(faults, "\n"); err != nil || got != "a.md:1: CodeBusy is 503, not 504\na.md:3: CodeNotFound is 404, not 405" {
		t.Errorf("faults %q, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(page)
	f.Add("```go\n```")
	f.Add("```")
	f.Add("`` [](()) # \n#\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := Parse("a.md", text)
		lines := strings.Count(text, "\n") + 1
		for _, fence := range d.Fences {
			if fence.Line < 2 || fence.Line > lines+1 {
				t.Errorf("a fence at line %d of %d", fence.Line, lines)
			}
		}
		_, _ = Snippets(d, packages)
	})
}

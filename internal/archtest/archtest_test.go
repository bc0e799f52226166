package archtest

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/osgochina/dmicro/internal/marked"
)

var update = flag.Bool("update", false, "rewrite the picture in docs/architecture.md")

const (
	module   = "github.com/osgochina/dmicro"
	root     = "../.."
	document = root + "/docs/architecture.md"
)

func TestImportsFollowTheLayers(t *testing.T) {
	t.Parallel()
	packages, err := Scan(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 10 {
		t.Fatalf("only %d packages found, the scan looks at the wrong folder", len(packages))
	}
	for _, fault := range Check(module, Layers, Libraries, packages) {
		t.Error(fault)
	}
}

func TestDocumentShowsTheTable(t *testing.T) {
	t.Parallel()
	marked.Check(t, document, "layers", Diagram(Layers), *update)
}

func TestTableNamesEachPathOnce(t *testing.T) {
	t.Parallel()
	rows, names := map[string]bool{}, map[string]bool{}
	for _, l := range Layers {
		if names[l.Name] {
			t.Errorf("layer %s is declared twice", l.Name)
		}
		names[l.Name] = true
		if l.Only != "" && !names[l.Only] {
			t.Errorf("layer %s knows only %s, which is not below it", l.Name, l.Only)
		}
		for _, r := range l.Rows {
			if rows[r.Path] {
				t.Errorf("%s is declared twice", r.Path)
			}
			rows[r.Path] = true
		}
	}
}

// A row of a package that has gone would let a later one of that name import what nobody has thought of.
func TestTableNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	packages, err := Scan(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	there := func(where, pattern string) {
		if !slices.ContainsFunc(packages, func(p Package) bool { return matches(pattern, p.Path) }) {
			t.Errorf("%s names %s, where there is no package", where, pattern)
		}
	}
	for _, l := range Layers {
		for _, r := range l.Rows {
			there("layer "+l.Name, r.Path)
			for _, path := range r.Beside {
				there("the row of "+r.Path, path)
			}
		}
	}
	for _, l := range Libraries {
		for _, path := range l.In {
			there("the fence of "+l.Path, path)
		}
	}
}

// The table of the tests below: a, b and b/* above c, with a limited column beside.
var (
	small = []Layer{
		{Name: "low", Rows: []Row{{Path: "low"}, {Path: "low/*"}}},
		{Name: "mid", Rows: []Row{{Path: "mid"}, {Path: "mid/*", Beside: []string{"mid"}}, {Path: "other"}}},
		{Name: "side", Only: "low", Rows: []Row{{Path: "side"}}},
		{Name: "top", Rows: []Row{{Path: "top"}, {Path: "top/*", Beside: []string{"top/*"}}}},
	}
	fenced = []Library{{Path: "lib.org/x", Why: "a fence", In: []string{"mid", "top"}, Max: 1}}
)

func TestCheckFindsWhatIsForbidden(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		tree map[string]string // file to import
		want []string          // parts of the faults, in order
	}{
		{"downward is fine", map[string]string{"top/a.go": "m/mid", "mid/a.go": "m/low/deep", "low/deep/a.go": "fmt"}, nil},
		{"skipping layers is fine", map[string]string{"top/a.go": "m/low", "low/a.go": "os"}, nil},
		{"upward", map[string]string{"low/a.go": "m/mid", "mid/a.go": "fmt"}, []string{"low: may not import mid: mid lies above low"}},
		{"upward in a file for another system", map[string]string{"low/a_windows.go": "m/top", "top/a.go": "fmt"}, []string{"low: may not import top"}},
		{"upward in a test is fine", map[string]string{"low/a_test.go": "m/top", "top/a.go": "fmt"}, nil},
		{"sideways", map[string]string{"mid/a.go": "m/other", "other/a.go": "fmt"}, []string{"mid: may not import other: both are of mid"}},
		{"sideways where the row says so", map[string]string{"mid/x/a.go": "m/mid", "mid/a.go": "fmt"}, nil},
		{"sideways against the arrow", map[string]string{"mid/a.go": "m/mid/x", "mid/x/a.go": "fmt"}, []string{"mid: may not import mid/x"}},
		{"a limited column below its limit", map[string]string{"side/a.go": "m/mid", "mid/a.go": "fmt"}, []string{"side: may not import mid: side knows low only"}},
		{"a limited column at its limit", map[string]string{"side/a.go": "m/low", "low/a.go": "fmt", "top/a.go": "m/side"}, nil},
		{"a package without a row", map[string]string{"new/a.go": "fmt", "top/a.go": "m/new"}, []string{"new: package has no row"}},
		{"the root without a row", map[string]string{"a.go": "fmt"}, []string{".: package has no row"}},
		{"a library outside its fence", map[string]string{"low/a.go": "lib.org/x/y"}, []string{"low: may not import lib.org/x: a fence"}},
		{"a library in too many packages", map[string]string{"mid/a.go": "lib.org/x", "top/a.go": "lib.org/x"}, []string{"lib.org/x: imported by 2 packages (mid, top), at most 1"}},
		{"a library whose name only begins alike", map[string]string{"low/a.go": "lib.org/xy"}, nil},
		{"testdata, hidden folders and other modules", map[string]string{
			"low/testdata/a.go": "m/top", ".hidden/a.go": "m/top", "_old/a.go": "m/top", "bench/go.mod": "", "bench/a.go": "m/top",
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{}
			for file, imp := range tt.tree {
				tree[file] = &fstest.MapFile{Data: []byte("package p\nimport _ \"" + imp + "\"\n")}
			}
			packages, err := Scan(tree)
			if err != nil {
				t.Fatal(err)
			}
			got := Check("m", small, fenced, packages)
			if len(got) != len(tt.want) {
				t.Fatalf("faults %q, want %q", got, tt.want)
			}
			for i, part := range tt.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("fault %q does not say %q", got[i], part)
				}
			}
		})
	}
}

func TestScanReportsFilesThatAreNotGo(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{"a/a.go": &fstest.MapFile{Data: []byte("no go here")}}
	if _, err := Scan(tree); err == nil || !strings.Contains(err.Error(), "a/a.go") {
		t.Errorf("Scan = %v, want an error that names the file", err)
	}
}

func TestDiagramDrawsLimitedColumnsApart(t *testing.T) {
	t.Parallel()
	got := Diagram(small)
	for _, want := range []string{"top --> side\n", "top --> mid\n", "side --> low\n", "mid --> low\n", "| `mid/*` | mid | `mid` |\n", "| `low` | low | nothing |\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Contains(got, "side --> mid") {
		t.Error("the limited column is drawn as if it knew everything below")
	}
}

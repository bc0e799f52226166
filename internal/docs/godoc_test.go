package docs

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPublicPackagesAreDocumented(t *testing.T) {
	t.Parallel()
	faults, err := CheckGodoc(os.DirFS(root), []string{
		".",                     // one constant
		"registry/registrytest", // its functions want a testing.T
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestCheckGodocFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	const example = "package a_test\n\nfunc Example() {\n\tprintln()\n\t// Output: 1\n}\n"
	for name, c := range map[string]struct {
		path, source, example string
		want                  []string
	}{
		"whole": {"a/a.go", "// Package a is.\npackage a\n\n// F is.\nfunc F() {}\n", example, nil},
		"no package comment": {"a/a.go", "package a\n", example,
			[]string{"a: the package has no doc comment"}},
		"no example": {"a/a.go", "// Package a is.\npackage a\n", "",
			[]string{"a: the package has no example with checked output"}},
		"an example that checks nothing": {"a/a.go", "// Package a is.\npackage a\n",
			"package a_test\n\nfunc Example() { println() }\n",
			[]string{"a: the package has no example with checked output"}},
		"functions and methods": {"a/a.go",
			"// Package a is.\npackage a\n\nfunc F() {}\n\nfunc g() {}\n\n// T is.\ntype T[K any] struct{}\n\n" +
				"func (*T[K]) M() {}\n\ntype u int\n\nfunc (u) M() {}\n", example,
			[]string{"a/a.go:4:6: F has", "a/a.go:11:14: M has"}},
		"groups": {"a/a.go",
			"// Package a is.\npackage a\n\n// Numbers.\nconst (\n\tA = 1\n)\n\nvar (\n\tB = 1 // is\n\tC = 2\n\td = 3\n)\n", example,
			[]string{"a/a.go:11:2: C has"}},
		"methods of an interface": {"a/a.go",
			"// Package a is.\npackage a\n\n// I is.\ntype I interface {\n\tM()\n\tN() // does\n\terror\n}\n\ntype T int\n", example,
			[]string{"a/a.go:6:2: M has", "a/a.go:11:6: T has"}},
		"fields of a struct": {"a/a.go",
			"// Package a is.\npackage a\n\n// S is.\ntype S struct {\n\tA int\n\tB int // does\n\tC int\n\n\tD int\n\te int\n\terror\n}\n\ntype s struct{ A int }\n",
			example, []string{"a/a.go:6:2: A has", "a/a.go:10:2: D has"}},
		"main":     {"a/a.go", "package main\n\nfunc F() {}\n", "", nil},
		"internal": {"internal/a/a.go", "package a\n\nfunc F() {}\n", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{c.path: {Data: []byte(c.source)}}
			if c.example != "" {
				fsys["a/example_test.go"] = &fstest.MapFile{Data: []byte(c.example)}
			}
			got, err := CheckGodoc(fsys, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

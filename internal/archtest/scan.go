package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Package is one folder with Go files and what the files import.
type Package struct {
	Path    string   // relative to the module, "." for the root
	Imports []string // full import paths, sorted, without repetition
}

// Scan reads the imports of every package of the module whose root is fsys, for all operating systems at once.
// Test files, testdata, hidden folders and modules of their own are left out. A file that is not Go is an error.
func Scan(fsys fs.FS) ([]Package, error) {
	found := make(map[string]map[string]bool)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && foreign(fsys, name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		imports, err := fileImports(fsys, name)
		if err != nil {
			return err
		}
		folder := path.Dir(name)
		if found[folder] == nil {
			found[folder] = make(map[string]bool)
		}
		for _, i := range imports {
			found[folder][i] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("archtest: scan: %w", err)
	}
	packages := make([]Package, 0, len(found))
	for _, folder := range slices.Sorted(maps.Keys(found)) {
		packages = append(packages, Package{folder, slices.Sorted(maps.Keys(found[folder]))})
	}
	return packages, nil
}

// foreign reports whether the go command, too, would leave the folder out.
func foreign(fsys fs.FS, name string) bool {
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

func fileImports(fsys fs.FS, name string) ([]string, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		imports = append(imports, p)
	}
	return imports, nil
}

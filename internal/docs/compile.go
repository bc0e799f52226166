package docs

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// Compiler type-checks Go source against the compiled packages of this module and its libraries. One Compiler is
// used by one goroutine at a time.
type Compiler struct {
	fset     *token.FileSet
	importer types.Importer
}

// NewCompiler makes the packages that the patterns match, and all they import, available. Dir lies in the module.
func NewCompiler(dir string, patterns ...string) (*Compiler, error) {
	args := append([]string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "--"}, patterns...)
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("docs: go list: %w\n%s", err, stderr.Bytes())
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = file
	}
	fset := token.NewFileSet()
	lookup := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("package %s does not exist or does not compile", path)
		}
		return os.Open(exports[path])
	}
	return &Compiler{fset, importer.ForCompiler(fset, runtime.Compiler, lookup)}, nil
}

// Check returns the errors of a snippet as the compiler would report them.
func (c *Compiler) Check(s Snippet) error {
	file, err := parser.ParseFile(c.fset, s.Name, s.Source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var errs []error
	config := types.Config{
		Importer: c.importer,
		Error: func(err error) {
			var e types.Error
			if s.Loose && errors.As(err, &e) && e.Soft {
				return
			}
			errs = append(errs, err)
		},
	}
	// Every error has gone to the function above.
	_, _ = config.Check(file.Name.Name, c.fset, []*ast.File{file}, nil)
	return errors.Join(errs...)
}

// Has reports whether a package has the exported name, or, for "Type.Member", whether the type has the exported
// field or method.
func (c *Compiler) Has(path, name string) (bool, error) {
	pkg, err := c.importer.Import(path)
	if err != nil {
		return false, err
	}
	first, member, nested := strings.Cut(name, ".")
	obj := pkg.Scope().Lookup(first)
	if obj == nil || !obj.Exported() {
		return false, nil
	}
	if !nested {
		return true, nil
	}
	typ := obj.Type()
	if !types.IsInterface(typ) {
		typ = types.NewPointer(typ)
	}
	found, _, _ := types.LookupFieldOrMethod(typ, true, pkg, member)
	return found != nil, nil
}

// sourceImports returns the import paths of a complete file; a broken one has none, and Check says why.
func sourceImports(source string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	var paths []string
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
)

// costly are the packages whose functions nobody may call as a package is imported: a program that imports a package and
// uses nothing of it pays for no key, opens no socket and no file, and runs no process.
var costly = []string{"crypto", "net", "os", "os/exec", "syscall"}

// free are the functions of costly packages that only make a value.
var free = map[string]bool{"net.IPv4": true, "net.ParseIP": true}

// atImport names what a file does as its package is imported, which none of ours may do: calls of costly packages and
// goroutines, in init functions and in the values of variables. Functions that are only made there do not run there; what
// functions that are called by name do in turn is not looked at.
func atImport(src any) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "a.go", src, parser.SkipObjectResolution)
	if err != nil || file.Name.Name == "main" {
		return nil, err
	}
	imports := make(map[string]string)
	for _, i := range file.Imports {
		where, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		name := path.Base(where)
		if i.Name != nil {
			name = i.Name.Name
		}
		imports[name] = where
	}
	var found []string
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.GoStmt:
			found = append(found, "a goroutine")
		case *ast.CallExpr:
			if name := costlyCall(n, imports); name != "" {
				found = append(found, name)
			}
			if lit, ok := n.Fun.(*ast.FuncLit); ok { // which does run
				ast.Inspect(lit.Body, look)
			}
		}
		return true
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				ast.Inspect(d.Body, look)
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				ast.Inspect(d, look)
			}
		}
	}
	return found, nil
}

// costlyCall is the name of the function of a costly package that is called, or empty.
func costlyCall(call *ast.CallExpr, imports map[string]string) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	name := imports[id.Name] + "." + sel.Sel.Name
	for _, p := range costly {
		if (imports[id.Name] == p || p == "crypto" && strings.HasPrefix(imports[id.Name], "crypto/")) && !free[name] {
			return name
		}
	}
	return ""
}

func TestImportingAPackageCostsNothing(t *testing.T) {
	t.Parallel()
	files, tree := 0, os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && foreign(tree, name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		files++
		found, err := atImport(text)
		for _, what := range found {
			t.Errorf("%s: %s at import", name, what)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if files < 100 {
		t.Errorf("only %d files found, the scan looks at the wrong folder", files)
	}
}

func TestAtImportFindsWhatIsForbidden(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`import "crypto/rsa"; var key, _ = rsa.GenerateKey(nil, 1024)`:       "crypto/rsa.GenerateKey",
		`import r "crypto/rsa"; func init() { r.GenerateKey(nil, 1024) }`:    "crypto/rsa.GenerateKey",
		`import "net"; var ln = func() any { return net.Listen("", "") }()`:  "net.Listen",
		`import "os"; func init() { go func() {}(); os.Getenv("x") }`:        "a goroutine,os.Getenv",
		`import "net"; var open = func() any { return net.Listen("", "") }`:  "",
		`import "net"; var group = net.IPv4(1, 2, 3, 4)`:                     "",
		`import "net"; func open() { net.Listen("", "") }`:                   "",
		`import "errors"; var errOdd = errors.New("odd")`:                    "",
		`import "crypto/rsa"; func (t T) init() { rsa.GenerateKey(nil, 1) }`: "",
	} {
		found, err := atImport("package p; " + src)
		if got := strings.Join(found, ","); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", src, got, err, want)
		}
	}
	if found, err := atImport(`package main; import "os"; var x = os.Getenv("x")`); len(found) != 0 || err != nil {
		t.Errorf("a program: %q, %v", found, err)
	}
	if _, err := atImport("package"); err == nil {
		t.Error("what is no Go is accepted")
	}
}

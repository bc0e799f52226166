package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// provides maps the words behind "go fragment" to the parameters that the fragment may use beside ctx.
var provides = map[string]string{
	"session":  "sess drpc.Session",
	"endpoint": "ep drpc.Endpoint",
	"config":   "cfg drpc.EndpointConfig",
	"call":     "call drpc.CallCtx",
	"server":   "svr *dserver.DServer",
	"root":     "root *cobra.Command",
	"registry": "reg registry.Registry",
	"client":   "cli *client.RpcClient",
}

// Snippet is a piece of Go that can be compiled.
type Snippet struct {
	Name   string // file:line of the fence
	Source string // a complete file; positions in it are those of the document
	// Loose means that unused variables are fine.
	Loose bool
}

var packageClause = regexp.MustCompile(`(?m)^package \w+`)

// Snippets returns the Go fences of a document. Imports maps package names to import paths, for fragments. A Go
// fence that is neither a program nor says what it is is an error.
func Snippets(d Document, imports map[string]string) ([]Snippet, error) {
	var out []Snippet
	for _, f := range d.Fences {
		words := strings.Fields(f.Info)
		if len(words) == 0 || words[0] != "go" {
			continue
		}
		s, err := newSnippet(d.Path, f, words[1:], imports)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", d.Path, f.Line, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func newSnippet(path string, f Fence, words []string, imports map[string]string) (Snippet, error) {
	s := Snippet{Name: fmt.Sprintf("%s:%d", path, f.Line)}
	line := fmt.Sprintf("//line %s:%d\n", path, f.Line)
	switch {
	case len(words) == 0 && packageClause.MatchString(f.Text):
		s.Source = line + f.Text
		return s, nil
	case len(words) == 1 && words[0] == "declarations":
		s.Source = line + f.Text
	case len(words) > 0 && words[0] == "fragment":
		params := []string{"ctx context.Context"}
		for _, w := range words[1:] {
			p, ok := provides[w]
			if !ok {
				return s, fmt.Errorf("unknown word %q after go fragment", w)
			}
			params = append(params, p)
		}
		s.Source = fmt.Sprintf("func _(%s) {\n%s%s\n}\n", strings.Join(params, ", "), line, f.Text)
		s.Loose = true
	default:
		return s, fmt.Errorf("a Go fence that is no program must say what it is, not %q", f.Info)
	}
	var err error
	s.Source, err = withImports(s.Source, imports)
	return s, err
}

// withImports puts a package clause and the imports that the source needs in front of it.
func withImports(source string, imports map[string]string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+source, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	needed := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && imports[x.Name] != "" && ast.IsExported(sel.Sel.Name) {
				needed[x.Name] = true
			}
		}
		return true
	})
	head := "package p\n"
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		head += fmt.Sprintf("import %s %q\n", name, imports[name])
	}
	return head + source, nil
}

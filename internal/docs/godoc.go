package docs

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// CheckGodoc returns a fault for every public package below fsys, the root of a module, that lacks a doc comment or an
// example with checked output, and for every exported name in it without a doc comment of its own.
//
// Public is what another module can import: not main, not below internal, not in a folder with a go.mod of its own,
// testdata or a hidden folder. A name in a group of constants or variables may stand under the comment of the group
// or of its line, the one method of an interface under the comment of the interface, and the fields of a struct in a block of lines under that of the
// field above them. Packages in without need no example.
func CheckGodoc(fsys fs.FS, without []string) ([]string, error) {
	var faults []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if name != "." && notPublic(fsys, name) {
			return fs.SkipDir
		}
		found, err := packageFaults(fsys, name, !slices.Contains(without, name))
		faults = append(faults, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("docs: godoc: %w", err)
	}
	return faults, nil
}

// notPublic reports whether nobody outside of the module can import what is in the folder.
func notPublic(fsys fs.FS, name string) bool {
	base := path.Base(name)
	if base == "internal" || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

// packageFaults looks at the package in one folder, if there is one.
func packageFaults(fsys fs.FS, folder string, example bool) ([]string, error) {
	sources, err := fs.Glob(fsys, path.Join(folder, "*.go"))
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	var faults []string
	var tests []*ast.File
	commented, public := false, false
	files := token.NewFileSet()
	line := func(p token.Pos) int { return files.Position(p).Line }
	for _, source := range sources {
		text, err := fs.ReadFile(fsys, source)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(files, source, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		switch {
		case file.Name.Name == "main":
			return nil, nil
		case strings.HasSuffix(source, "_test.go"):
			tests = append(tests, file)
		default:
			public = true
			commented = commented || file.Doc.Text() != ""
			for _, n := range uncommented(file, line) {
				faults = append(faults, fmt.Sprintf("%s: %s has no doc comment", files.Position(n.Pos()), n.Name))
			}
		}
	}
	if public && !commented {
		faults = append(faults, folder+": the package has no doc comment")
	}
	if public && example && !hasExample(tests) {
		faults = append(faults, folder+": the package has no example with checked output")
	}
	return faults, nil
}

// hasExample reports whether the go command runs one of the examples and compares what it prints.
func hasExample(tests []*ast.File) bool {
	return slices.ContainsFunc(doc.Examples(tests...), func(e *doc.Example) bool { return e.Output != "" })
}

// lineOf returns the line of a position.
type lineOf func(token.Pos) int

// uncommented lists the exported names that the file declares without saying what they are.
func uncommented(file *ast.File, line lineOf) []*ast.Ident {
	var names []*ast.Ident
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Doc.Text() == "" && d.Name.IsExported() && (d.Recv == nil || receiver(d.Recv.List[0].Type).IsExported()) {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				names = append(names, uncommentedSpec(spec, d.Doc.Text() != "", line)...)
			}
		}
	}
	return names
}

// uncommentedSpec is the part of uncommented for one line of a declaration; group says that its group has a comment.
func uncommentedSpec(spec ast.Spec, group bool, line lineOf) []*ast.Ident {
	var names []*ast.Ident
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if !group && s.Doc.Text() == "" && s.Comment.Text() == "" {
			names = s.Names
		}
	case *ast.TypeSpec:
		if !group && s.Doc.Text() == "" && s.Comment.Text() == "" {
			names = append(names, s.Name)
		}
		if st, ok := s.Type.(*ast.StructType); ok && s.Name.IsExported() {
			names = append(names, uncommentedFields(st, line)...)
		}
		if i, ok := s.Type.(*ast.InterfaceType); ok && s.Name.IsExported() && ownMethods(i) > 1 {
			for _, m := range i.Methods.List {
				if m.Doc.Text() == "" && m.Comment.Text() == "" {
					names = append(names, m.Names...) // an embedded interface has none, and its own comments
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n *ast.Ident) bool { return !n.IsExported() })
}

// uncommentedFields is the part of uncommented for the fields of a struct. One without a comment may stand right below one that has
// one, which then is about both.
func uncommentedFields(s *ast.StructType, line lineOf) []*ast.Ident {
	var names []*ast.Ident
	commented, last := false, 0
	for _, f := range s.Fields.List {
		own := f.Doc.Text() != "" || f.Comment.Text() != ""
		commented = own || commented && line(f.Pos()) == last+1
		last = line(f.End())
		if !commented {
			names = append(names, f.Names...) // an embedded type has none, and its own comment
		}
	}
	return names
}

// ownMethods counts the methods of an interface without those of embedded ones.
func ownMethods(i *ast.InterfaceType) int {
	n := 0
	for _, m := range i.Methods.List {
		n += len(m.Names)
	}
	return n
}

// receiver is the name of the type that a method belongs to.
func receiver(t ast.Expr) *ast.Ident {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t
	}
	return ast.NewIdent("_")
}

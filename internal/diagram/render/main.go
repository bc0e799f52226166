// Command render draws the diagrams of all documents below a folder, for "make site": render DOCS OUT. A picture is named after the
// SHA-256 of its text, by which the page finds it.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/osgochina/dmicro/internal/diagram"
	"github.com/osgochina/dmicro/internal/docs"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run is main with the exit code as its result.
func run(args []string, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: render DOCS OUT")
		return 2
	}
	if err := render(args[0], args[1]); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func render(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".md" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, f := range docs.Parse(name, string(text)).Fences {
			if f.Info != "mermaid" {
				continue
			}
			svg, err := diagram.SVG(f.Text)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", name, f.Line, err)
			}
			file := fmt.Sprintf("%x.svg", sha256.Sum256([]byte(strings.TrimSpace(f.Text))))
			if err := os.WriteFile(filepath.Join(to, file), []byte(svg), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

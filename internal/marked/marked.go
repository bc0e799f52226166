// Package marked keeps the parts of a document that are written by a program: they stand between two comments that name
// them, and a test holds them to what they were made from. The functions may be called concurrently.
package marked

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Replace returns the document with the text between the two comments of name replaced. A document without exactly
// one such pair is an error.
func Replace(document, name, text string) (string, error) {
	begin, end := "<!-- "+name+": begin;", "<!-- "+name+": end -->\n"
	head, rest, begun := strings.Cut(document, begin)
	how, rest, closed := strings.Cut(rest, "\n")
	_, tail, ended := strings.Cut(rest, end)
	if !begun || !closed || !ended || strings.Contains(tail, begin) {
		return "", fmt.Errorf("the document has no single pair of comments %q and %q", begin, strings.TrimSpace(end))
	}
	return head + begin + how + "\n" + text + end + tail, nil
}

// Check fails the test unless the document at path has text between the two comments of name. With update it writes the
// document instead.
func Check(t testing.TB, path, name, text string, update bool) {
	t.Helper()
	path = filepath.FromSlash(path)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Replace(string(old), name, text)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if want == string(old) {
		return
	}
	if !update {
		t.Fatalf("%s is stale: run the tests of this package with -update", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

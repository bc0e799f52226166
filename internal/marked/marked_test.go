package marked

import (
	"os"
	"path/filepath"
	"testing"
)

const marks = "<!-- part: begin; written by a program -->\nold\n<!-- part: end -->\n"

func TestReplaceTouchesWhatIsBetweenTheMarks(t *testing.T) {
	t.Parallel()
	other := "<!-- other: begin; -->\nkept\n<!-- other: end -->\n"
	tests := []struct{ name, in, want string }{
		{"between", "a\n" + marks + "b\n", "a\n<!-- part: begin; written by a program -->\nnew\n<!-- part: end -->\nb\n"},
		{"beside another", other + marks, other + "<!-- part: begin; written by a program -->\nnew\n<!-- part: end -->\n"},
		{"no marks", "a\n", ""},
		{"no end", "<!-- part: begin; -->\n", ""},
		{"no line after the begin", "<!-- part: begin; -->", ""},
		{"twice", marks + marks, ""},
	}
	for _, tt := range tests {
		got, err := Replace(tt.in, "part", "new\n")
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestCheckWritesOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(marks), 0o644); err != nil {
		t.Fatal(err)
	}
	Check(t, path, "part", "old\n", false)
	Check(t, path, "part", "new\n", true)
	Check(t, path, "part", "new\n", false)
}

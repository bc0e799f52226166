package dserver

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// firstCells returns the code spans in the first column of the tables below a heading of docs/dserver.md.
func firstCells(t *testing.T, heading string) (words []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/dserver.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the page has no heading %s", heading)
	}
	section, _, _ := strings.Cut(below, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*?) \\|[^|]*\\|").FindAllStringSubmatch(strings.ReplaceAll(section, `\|`, "/"), -1) {
		for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
			words = append(words, strings.Fields(span[1])[0])
		}
	}
	return words
}

func TestPageListsTheCommandsAndFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	a := &app{server: newServer(), name: "page"}
	a.ctl = &ctlSession{app: a}
	var commands []string
	for _, cmd := range a.rootCommand("page").Commands() {
		commands = append(commands, cmd.Name())
		if cmd.Name() != "start" {
			continue
		}
		for _, set := range []*pflag.FlagSet{cmd.LocalFlags(), cmd.InheritedFlags()} {
			set.VisitAll(func(f *pflag.Flag) {
				commands = append(commands, "--"+f.Name)
				if f.Shorthand != "" {
					commands = append(commands, "-"+f.Shorthand)
				}
			})
		}
	}
	same(t, "Command line", append(commands, "help"))
	commands = nil
	for _, c := range ctlCommands() {
		commands = append(append(commands, c.name), c.aliases...)
	}
	same(t, "ctl", commands)
}

// same compares what stands below a heading of the page with what there is, in any order.
func same(t *testing.T, heading string, there []string) {
	t.Helper()
	said := firstCells(t, heading)
	slices.Sort(said)
	slices.Sort(there)
	if !slices.Equal(said, there) {
		t.Errorf("docs/dserver.md lists below %s\n%s\nand there are\n%s", heading, said, there)
	}
}

func TestPageHasTheExitCodes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, meaning := range map[int]string{
		codeOK: "done", codeFailed: "failed", codeUsage: "wrong usage", codeNotRunning: "`status`: not running",
	} {
		if row := fmt.Sprintf("\n| %d | %s", code, meaning); !strings.Contains(string(text), row) {
			t.Errorf("docs/operations.md has no row %q", row)
		}
	}
}

package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// programPattern finds the use of an application of dserver, by the names that the documents give it.
var programPattern = regexp.MustCompile(`\./(?:app|calculator)((?: [a-z]+)+)`)

// CheckPrograms returns a fault for every command line of an application, in a code span or a shell fence, whose command, or whose command
// of ctl, the page lacks that lists them: the first columns below its headings "Command line" and "ctl".
func CheckPrograms(page Document, documents []Document) []string {
	commands, ofCtl := firstColumn(page, "Command line"), firstColumn(page, "ctl")
	var faults []string
	check := func(d Document, text string, line int) {
		for _, m := range programPattern.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(m[1])
			if !commands[words[0]] {
				faults = append(faults, fmt.Sprintf("%s:%d: %s lists no command %s", d.Path, line, page.Path, words[0]))
			}
			if words[0] == "ctl" && len(words) > 1 && !ofCtl[words[1]] {
				faults = append(faults, fmt.Sprintf("%s:%d: %s lists no command %s of ctl", d.Path, line, page.Path, words[1]))
			}
		}
	}
	for _, d := range documents {
		for _, s := range d.Spans {
			check(d, s.Text, s.Line)
		}
		for _, s := range d.commands() {
			check(d, s.Text, s.Line)
		}
	}
	return faults
}

// firstColumn returns the first words of the code spans in the first column of the tables below a heading.
func firstColumn(d Document, heading string) map[string]bool {
	words := make(map[string]bool)
	_, below, _ := strings.Cut(d.Text, "\n## "+heading+"\n")
	section, _, _ := strings.Cut(below, "\n## ")
	for line := range strings.Lines(section) {
		cell, isRow := strings.CutPrefix(line, "| ")
		if !isRow {
			continue
		}
		cell, _, _ = strings.Cut(cell, " | ")
		for _, m := range spanPattern.FindAllStringSubmatch(cell, -1) {
			words[strings.Fields(m[1] + " -")[0]] = true
		}
	}
	return words
}

package docs

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	figurePattern  = regexp.MustCompile(`\d`)
	commandPattern = regexp.MustCompile("`(?:make |cd |go (?:test|run) |Test[A-Z]|Fuzz[A-Z]|Benchmark[A-Z])")
	targetWord     = regexp.MustCompile("`make (?:test|soak)`|`go test [^`]*TestName[^`]*`")
)

// CheckFigures returns a fault for every section of a document that has figures and does not say how to get them again: by a
// command, or the name of a test, in it or before the first section. That "make test" runs everything is no
// answer, nor is how a test is run that is not named.
func CheckFigures(path, text string) []string {
	var faults []string
	sections := strings.Split(text, "\n## ")
	if said(sections[0]) {
		return nil
	}
	for _, s := range sections[1:] {
		heading, body, _ := strings.Cut(s, "\n")
		if figurePattern.MatchString(body) && !said(body) {
			faults = append(faults, fmt.Sprintf("%s: %s: figures without the command or test that they come from", path, heading))
		}
	}
	return faults
}

// said reports whether a text has a command.
func said(text string) bool { return commandPattern.MatchString(targetWord.ReplaceAllString(text, "")) }

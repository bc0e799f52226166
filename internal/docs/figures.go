package docs

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	figurePattern  = regexp.MustCompile(`\d`)
	commandPattern = regexp.MustCompile("`(?:make |cd |go (?:test|run) |unshare |Test[A-Z]|Fuzz[A-Z]|Benchmark[A-Z])")
	measured       = regexp.MustCompile(`\d ?(?:µs|ns)\b|\d (?:calls|messages|requests)(?:/s| a second)|\d times as (?:fast|many|much)`)
	benchmarkLink  = regexp.MustCompile(`\]\([\w./-]*benchmarks/[\w.-]+\.md`)
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

// CheckMeasured returns a fault for every section of a document that tells what was measured, outside of fences, and neither says
// how to get it again, as CheckFigures wants it, nor leads to the pages of benchmarks, which do.
func CheckMeasured(d Document) []string {
	var faults []string
	if head, _, _ := strings.Cut(d.Text, "\n## "); said(head) || strings.Contains(head, "\n```sh\n") {
		return nil
	}
	for _, section := range strings.Split(prose(d.Text), "\n## ") {
		heading, body, _ := strings.Cut(section, "\n")
		if m := measured.FindString(body); m != "" && !said(body) && !benchmarkLink.MatchString(body) {
			faults = append(faults, fmt.Sprintf("%s: %s: a figure (%s) without the command or test that it comes from", d.Path, heading, m))
		}
	}
	return faults
}

// fences are the fenced blocks of a text.
var fences = regexp.MustCompile("(?ms)^```.*?^```")

// prose is a text without its fences.
func prose(text string) string { return fences.ReplaceAllString(text, "") }

// said reports whether a text has a command.
func said(text string) bool { return commandPattern.MatchString(targetWord.ReplaceAllString(text, "")) }

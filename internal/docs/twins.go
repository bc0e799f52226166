package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// remark is a comment at the end of a line of a shell or configuration file.
var remark = regexp.MustCompile(`(?m)[ \t]+#.*$`)

// CheckTwins returns a fault for everything that a document has and its translation has not: a fence with the same commands,
// programs and settings at the same place, and a link to the same document, or to the translation of it. Remarks in fences are
// translated, Go is not.
func CheckTwins(original, translated Document, language string) []string {
	var faults []string
	for i, f := range original.Fences {
		switch {
		case i >= len(translated.Fences):
			return append(faults, fmt.Sprintf("%s: the fence of %s:%d is missing", translated.Path, original.Path, f.Line))
		case f.Info != translated.Fences[i].Info || withoutRemarks(f) != withoutRemarks(translated.Fences[i]):
			faults = append(faults, fmt.Sprintf("%s:%d: the fence is another one than that of %s:%d",
				translated.Path, translated.Fences[i].Line, original.Path, f.Line))
		}
	}
	if n := len(translated.Fences); n > len(original.Fences) {
		faults = append(faults, fmt.Sprintf("%s: %d fences, and %d in %s", translated.Path, n, len(original.Fences), original.Path))
	}
	leads := make(map[string]bool)
	for _, l := range translated.Links {
		leads[plainLink(l.Text, language)] = true
	}
	for _, l := range original.Links {
		if !leads[plainLink(l.Text, language)] && plainLink(l.Text, language) != original.Path {
			faults = append(faults, fmt.Sprintf("%s: no link leads to %s, as in %s:%d", translated.Path, l.Text, original.Path, l.Line))
		}
	}
	return faults
}

// withoutRemarks is what a fence says whatever the language of its remarks is.
func withoutRemarks(f Fence) string {
	if strings.HasPrefix(f.Info, "go") {
		return f.Text
	}
	return remark.ReplaceAllString(f.Text, "")
}

// plainLink is the document that a link leads to, without its heading, and without the language.
func plainLink(link, language string) string {
	target, _, _ := strings.Cut(link, "#")
	return strings.Replace(target, "."+language, "", 1)
}

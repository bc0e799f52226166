package docs

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// CheckLinks returns a fault for every relative link of the documents that leads nowhere in fsys: no such file or
// folder, or no such heading. Links with a scheme are not followed.
func CheckLinks(fsys fs.FS, documents []Document) []string {
	byPath := make(map[string]Document, len(documents))
	for _, d := range documents {
		byPath[d.Path] = d
	}
	var faults []string
	for _, d := range documents {
		for _, link := range d.Links {
			if strings.Contains(link.Text, "://") || strings.HasPrefix(link.Text, "mailto:") {
				continue
			}
			if why := follow(fsys, byPath, d, link.Text); why != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: link %s: %s", d.Path, link.Line, link.Text, why))
			}
		}
	}
	return faults
}

// follow says why a link leads nowhere.
func follow(fsys fs.FS, byPath map[string]Document, from Document, link string) string {
	target, fragment, _ := strings.Cut(link, "#")
	full := from.Path
	if target != "" {
		full = path.Join(path.Dir(from.Path), target)
	}
	if _, err := fs.Stat(fsys, full); err != nil {
		return "no such file"
	}
	if to, ok := byPath[full]; ok && fragment != "" && !to.Anchor[fragment] {
		return "no such heading"
	}
	return ""
}

// Unreached returns the documents below folder that no chain of links from the index leads to.
func Unreached(index, folder string, documents []Document) []string {
	links := make(map[string][]string)
	for _, d := range documents {
		for _, l := range d.Links {
			target, _, _ := strings.Cut(l.Text, "#")
			links[d.Path] = append(links[d.Path], path.Join(path.Dir(d.Path), target))
		}
	}
	reached, queue := map[string]bool{index: true}, []string{index}
	for len(queue) > 0 {
		next := links[queue[0]]
		queue = queue[1:]
		for _, p := range next {
			if !reached[p] {
				reached[p] = true
				queue = append(queue, p)
			}
		}
	}
	var lost []string
	for _, d := range documents {
		if strings.HasPrefix(d.Path, folder+"/") && !reached[d.Path] {
			lost = append(lost, d.Path)
		}
	}
	return lost
}

// Unlisted returns the documents beside an index, in the same folder, that it has no link to. That another page leads to them is not
// enough: the index is where they are looked for.
func Unlisted(index string, documents []Document) []string {
	listed := map[string]bool{index: true}
	for _, d := range documents {
		for _, l := range d.Links {
			target, _, _ := strings.Cut(l.Text, "#")
			if d.Path == index {
				listed[path.Join(path.Dir(index), target)] = true
			}
		}
	}
	var lost []string
	for _, d := range documents {
		if path.Dir(d.Path) == path.Dir(index) && !listed[d.Path] {
			lost = append(lost, d.Path)
		}
	}
	return lost
}

var (
	makePattern   = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	targetPattern = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// CheckTargets returns a fault for every "make x" in a code span or a shell fence whose target the Makefile lacks.
func CheckTargets(makefile string, documents []Document) []string {
	known := make(map[string]bool)
	for _, m := range targetPattern.FindAllStringSubmatch(makefile, -1) {
		known[m[1]] = true
	}
	var faults []string
	check := func(d Document, text string, line int) {
		for _, m := range makePattern.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				faults = append(faults, fmt.Sprintf("%s:%d: the Makefile has no target %s", d.Path, line, m[1]))
			}
		}
	}
	for _, d := range documents {
		for _, s := range d.Spans {
			check(d, s.Text, s.Line)
		}
		for _, f := range d.Fences {
			if f.Info == "sh" {
				check(d, f.Text, f.Line)
			}
		}
	}
	return faults
}

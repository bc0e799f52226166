package docs

import (
	"regexp"
	"strings"
	"unicode"
)

// Document is what the checks need of a Markdown file.
type Document struct {
	Path   string // as errors name it
	Text   string
	Fences []Fence
	Spans  []Span          // code spans in the text
	Links  []Span          // targets of links and images
	Anchor map[string]bool // the anchors of its headings
}

// Fence is a fenced code block.
type Fence struct {
	Info string // what stands behind the back quotes
	Line int    // of the first line of Text
	Text string
}

// Span is a piece of text and its line.
type Span struct {
	Text string
	Line int
}

var (
	spanPattern    = regexp.MustCompile("`([^`]+)`")
	linkPattern    = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()]*\))?)\)`)
	headingPattern = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
)

// Parse reads a Markdown document. Only what this module's documents use is understood: fences of back quotes,
// spans and links within one line, headings with number signs.
func Parse(path, text string) Document {
	d := Document{Path: path, Text: text, Anchor: make(map[string]bool)}
	var fence *Fence
	for i, line := range strings.Split(text, "\n") {
		info, mark := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case mark && fence == nil:
			fence = &Fence{Info: strings.TrimSpace(info), Line: i + 2}
		case mark:
			d.Fences = append(d.Fences, *fence)
			fence = nil
		case fence != nil:
			fence.Text += line + "\n"
		default:
			d.prose(line, i+1)
		}
	}
	if fence != nil {
		d.Fences = append(d.Fences, *fence)
	}
	return d
}

func (d *Document) prose(line string, number int) {
	if m := headingPattern.FindStringSubmatch(line); m != nil {
		d.Anchor[anchor(m[1])] = true
	}
	for _, m := range spanPattern.FindAllStringSubmatch(line, -1) {
		d.Spans = append(d.Spans, Span{m[1], number})
	}
	for _, m := range linkPattern.FindAllStringSubmatch(spanPattern.ReplaceAllString(line, ""), -1) {
		d.Links = append(d.Links, Span{m[1], number})
	}
}

// anchor is the fragment by which a heading is linked.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

package ini

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxFile bounds a file, so that a wrong name does not fill the memory.
	maxFile = 1 << 20
	// maxProcs bounds numprocs.
	maxProcs = 1000
)

// Error is what is wrong with a file, and where.
type Error struct {
	Line         int    // from 1
	Section, Key string // empty if it is not about one
	Err          error
}

// Error names line, section and key.
func (e *Error) Error() string {
	where := fmt.Sprintf("ini: line %d", e.Line)
	if e.Section != "" {
		where += ": [" + e.Section + "]"
	}
	if e.Key != "" {
		where += " " + e.Key
	}
	return where + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// section is a heading with its keys in the order of the file.
type section struct {
	name string
	line int
	keys []entry
}

type entry struct {
	key, value string
	line       int
}

// parse reads the dialect of Python's ConfigParser as supervisord uses it: key = value or key: value, a value goes on
// in lines that begin with a blank, comments begin with ; or # at the start of a line, or with ; after a blank.
func parse(r io.Reader) ([]section, error) {
	var p parser
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxFile+1)
	for lines.Scan() {
		p.line++
		if err := p.take(strings.TrimSuffix(lines.Text(), "\r")); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("ini: %w", err)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("ini: the file is larger than %d bytes", maxFile)
	}
	return p.sections, nil
}

type parser struct {
	sections []section
	line     int
	open     bool // the last key may go on in the next line
}

func (p *parser) take(text string) error {
	trimmed := strings.TrimSpace(uncomment(text))
	indented := text != "" && strings.IndexByte(" \t", text[0]) >= 0
	switch {
	case trimmed == "":
		p.open = p.open && text != ""
		return nil
	case indented && p.open:
		s := &p.sections[len(p.sections)-1]
		s.keys[len(s.keys)-1].value += "\n" + trimmed
		return nil
	case trimmed[0] == '[':
		return p.heading(trimmed)
	}
	return p.assignment(trimmed)
}

func (p *parser) heading(text string) error {
	p.open = false
	name := strings.TrimSpace(strings.TrimSuffix(text[1:], "]"))
	if !strings.HasSuffix(text, "]") || name == "" {
		return &Error{Line: p.line, Err: errors.New("a section is written [name]")}
	}
	for _, s := range p.sections {
		if s.name == name {
			return &Error{Line: p.line, Section: name, Err: fmt.Errorf("is there since line %d", s.line)}
		}
	}
	p.sections = append(p.sections, section{name: name, line: p.line})
	return nil
}

func (p *parser) assignment(text string) error {
	i := strings.IndexAny(text, "=:")
	if i <= 0 {
		return &Error{Line: p.line, Err: errors.New("neither a section nor key = value")}
	}
	if len(p.sections) == 0 {
		return &Error{Line: p.line, Err: errors.New("a key before the first section")}
	}
	s := &p.sections[len(p.sections)-1]
	key := strings.ToLower(strings.TrimSpace(text[:i]))
	for _, e := range s.keys {
		if e.key == key {
			return &Error{Line: p.line, Section: s.name, Key: key, Err: fmt.Errorf("is there since line %d", e.line)}
		}
	}
	s.keys = append(s.keys, entry{key, strings.TrimSpace(text[i+1:]), p.line})
	p.open = true
	return nil
}

func uncomment(text string) string {
	if strings.HasPrefix(text, ";") || strings.HasPrefix(text, "#") {
		return ""
	}
	for i := 1; i < len(text); i++ {
		if text[i] == ';' && (text[i-1] == ' ' || text[i-1] == '\t') {
			return text[:i]
		}
	}
	return text
}

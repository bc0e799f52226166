// Package control is how the one who measures talks with the processes that serve and call: lines of JSON over their
// standard input and output. Lines that are something else are passed over, so that a library may print.
package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// mark begins every line that is meant for the other side.
const mark = "@bench "

// Line is one side of a conversation. It is for one goroutine.
type Line struct {
	in  *bufio.Scanner
	out io.Writer
}

// New makes a Line of what is read and written.
func New(in io.Reader, out io.Writer) *Line {
	s := bufio.NewScanner(in)
	s.Buffer(nil, 1<<20)
	return &Line{in: s, out: out}
}

// Send sends v, and a word that says what it is.
func (l *Line) Send(word string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(l.out, "%s%s %s\n", mark, word, text)
	return err
}

// Next waits for the next line and returns its word and its value, still encoded. It returns io.EOF when the other side
// is gone.
func (l *Line) Next() (word string, value json.RawMessage, err error) {
	for l.in.Scan() {
		if text, ok := strings.CutPrefix(l.in.Text(), mark); ok {
			word, rest, _ := strings.Cut(text, " ")
			return word, json.RawMessage(rest), nil
		}
	}
	if err := l.in.Err(); err != nil {
		return "", nil, err
	}
	return "", nil, io.EOF
}

// Await waits for the next line, which must have this word, and decodes its value into v, which may be nil. It returns
// io.EOF when the other side is gone.
func (l *Line) Await(word string, v any) error {
	got, value, err := l.Next()
	if err != nil {
		return err
	}
	if got != word {
		return fmt.Errorf("waited for %q, got %q", word, got)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(value, v)
}

// Ask sends a word with a value and waits for an answer that begins with the same word.
func (l *Line) Ask(word string, v, answer any) error {
	if err := l.Send(word, v); err != nil {
		return err
	}
	return l.Await(word, answer)
}

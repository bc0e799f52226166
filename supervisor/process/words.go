package process

import (
	"errors"
	"strings"
)

var (
	errOpenQuote  = errors.New("process: a quote is not closed")
	errNoCommand  = errors.New("process: the command line is empty")
	errLoneEscape = errors.New("process: a backslash at the end")
)

// SplitCommand takes a command line apart as a shell does, but for blanks, quotes and backslashes only: nothing is
// expanded, and no shell is started. In single quotes everything stands for itself, in double quotes a backslash
// escapes itself and the quote.
func SplitCommand(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quote  byte
	)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && quote != '\'':
			if i++; i == len(line) {
				return nil, errLoneEscape
			}
			if quote == '"' && line[i] != '"' && line[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case strings.IndexByte(" \t\r\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, errOpenQuote
	case inWord:
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errNoCommand
	}
	return words, nil
}

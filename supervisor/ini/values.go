package ini

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxSeconds is what package process takes.
const maxSeconds = 1_000_000_000

// parseSeconds reads "90" or "1m30s": whole seconds.
func parseSeconds(text string) (int, error) {
	d, err := parseDuration(text)
	if err != nil {
		return 0, err
	}
	if d%time.Second != 0 {
		return 0, fmt.Errorf("%q is not a whole number of seconds", text)
	}
	return int(d / time.Second), nil
}

// parseDuration reads "90", which are seconds, or "1m30s".
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, notNumber := strconv.ParseUint(text, 10, 32); notNumber == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d > maxSeconds*time.Second {
		return 0, fmt.Errorf("%q is no time, such as 90 or 1m30s", text)
	}
	return d, nil
}

var truths = map[string]bool{
	"true": true, "yes": true, "on": true, "1": true,
	"false": false, "no": false, "off": false, "0": false,
}

func parseBool(text string) (bool, error) {
	b, ok := truths[strings.ToLower(text)]
	if !ok {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return b, nil
}

func parseNumber(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return int(n), nil
}

// parseCodes reads exit codes such as "0,2".
func parseCodes(text string) ([]int, error) {
	codes := []int{}
	for _, field := range strings.Split(text, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(field), 10, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is no exit code, 0 to 255", field)
		}
		codes = append(codes, int(n))
	}
	return codes, nil
}

var errEnvironment = errors.New(`an environment is written KEY="value",KEY2=value`)

// parseEnvironment reads KEY="value",KEY2=value. In quotes a backslash escapes itself and the quote; commas outside
// of quotes, and newlines, part the variables.
func parseEnvironment(text string) (map[string]string, error) {
	env := map[string]string{}
	for rest := strings.TrimLeft(text, ", \t\n"); rest != ""; rest = strings.TrimLeft(rest, ", \t\n") {
		i := strings.IndexAny(rest, "=,\n")
		if i <= 0 || rest[i] != '=' {
			return nil, errEnvironment
		}
		key := strings.TrimSpace(rest[:i])
		if key == "" || strings.ContainsAny(key, " \t\"'\x00") {
			return nil, errEnvironment
		}
		value, after, err := environmentValue(strings.TrimLeft(rest[i+1:], " \t"))
		if err != nil {
			return nil, err
		}
		env[key], rest = value, after
	}
	return env, nil
}

func environmentValue(text string) (value, rest string, err error) {
	if text == "" || strings.IndexByte(`"'`, text[0]) < 0 {
		i := strings.IndexAny(text, ",\n")
		if i < 0 {
			i = len(text)
		}
		if value = strings.TrimSpace(text[:i]); strings.ContainsAny(value, "\"'\x00") {
			return "", "", errEnvironment
		}
		return value, text[i:], nil
	}
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == 0:
			return "", "", errEnvironment
		case c == text[0]:
			rest = strings.TrimLeft(text[i+1:], " \t")
			if rest != "" && rest[0] != ',' && rest[0] != '\n' {
				return "", "", errEnvironment
			}
			return out.String(), rest, nil
		case c == '\\' && i+1 < len(text) && (text[i+1] == text[0] || text[i+1] == '\\'):
			i++
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", "", errEnvironment
}

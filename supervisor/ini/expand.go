package ini

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// variables are what %(name)s may stand for. Names that begin with ENV_ come from the environment.
type variables map[string]string

// reference is what may follow a %: another one, or a name and how it is written, as Python has it.
var reference = regexp.MustCompile(`^(?:%|\(([A-Za-z_][A-Za-z0-9_]*)\)(0?[0-9]{0,2})([sd]))`)

var errPercent = errors.New("a % is followed by another one, or by (name)s or (name)d")

// expand replaces the references in a value. What they stand for is not expanded again.
func (v variables) expand(value string) (string, error) {
	var out strings.Builder
	for {
		before, rest, more := strings.Cut(value, "%")
		out.WriteString(before)
		if !more {
			return out.String(), nil
		}
		m := reference.FindStringSubmatch(rest)
		if m == nil {
			return "", errPercent
		}
		text, err := v.one(m)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		if out.Len() > maxFile {
			return "", fmt.Errorf("the value is larger than %d bytes", maxFile)
		}
		value = rest[len(m[0]):]
	}
}

func (v variables) one(match []string) (string, error) {
	name, width, verb := match[1], match[2], match[3]
	if name == "" {
		return "%", nil
	}
	text, ok := v.lookup(name)
	if !ok {
		return "", fmt.Errorf("%%(%s)%s is not known", name, verb)
	}
	if verb == "s" {
		return fmt.Sprintf("%"+strings.TrimLeft(width, "0")+"s", text), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return "", fmt.Errorf("%%(%s)d is %q, no number", name, text)
	}
	return fmt.Sprintf("%"+width+"d", n), nil
}

func (v variables) lookup(name string) (string, bool) {
	if variable, ok := strings.CutPrefix(name, "ENV_"); ok {
		return os.LookupEnv(variable)
	}
	text, ok := v[name]
	return text, ok
}

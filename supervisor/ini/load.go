package ini

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/supervisor/process"
)

// skipped are the sections about supervisord itself.
var skipped = []string{"supervisord", "supervisorctl", "unix_http_server", "inet_http_server"}

// LoadFile reads the programs of a file. %(here)s is its directory. An error about the content wraps an *Error; others are
// those of package os.
func LoadFile(path string) ([]process.ProcOptions, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("ini: %w", err)
	}
	f, err := os.Open(abs)
	if err != nil {
		return nil, fmt.Errorf("ini: %w", err)
	}
	defer f.Close()
	options, err := Load(f, filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return options, nil
}

// Load reads programs, one ProcOptions a process, in the order of the text; here is what %(here)s stands for. The text
// may have 1 MiB, numprocs may be 1000. An error about the content is an *Error.
func Load(r io.Reader, here string) ([]process.ProcOptions, error) {
	sections, err := parse(r)
	if err != nil {
		return nil, err
	}
	var all []process.ProcOptions
	seen := map[string]bool{}
	for _, s := range sections {
		program, isProgram := strings.CutPrefix(s.name, "program:")
		switch {
		case slices.Contains(skipped, s.name), strings.HasPrefix(s.name, "rpcinterface:"):
			continue
		case !isProgram || strings.TrimSpace(program) == "":
			return nil, &Error{Line: s.line, Section: s.name, Err: errors.New("is not a section that is known here")}
		}
		procs, err := s.processes(strings.TrimSpace(program), here)
		if err != nil {
			return nil, err
		}
		for _, o := range procs {
			if seen[o.Name] {
				return nil, &Error{Line: s.line, Section: s.name, Err: fmt.Errorf("the process name %q is taken", o.Name)}
			}
			seen[o.Name] = true
		}
		all = append(all, procs...)
	}
	return all, nil
}

// processes makes the processes of a [program:x] section.
func (s section) processes(program, here string) ([]process.ProcOptions, error) {
	vars := variables{"program_name": program, "group_name": program, "here": here, "process_num": "0"}
	vars["host_node_name"], _ = os.Hostname() // empty when the machine does not know
	count, err := s.number("numprocs", 1, vars)
	if err != nil {
		return nil, err
	}
	first, err := s.number("numprocs_start", 0, vars)
	if err != nil {
		return nil, err
	}
	procs := make([]process.ProcOptions, count)
	for i := range procs {
		vars["process_num"] = strconv.Itoa(first + i)
		vars["numprocs"] = strconv.Itoa(count)
		if procs[i], err = s.process(vars); err != nil {
			return nil, err
		}
	}
	return procs, nil
}

// number reads a key that is needed before the others, from 0 (numprocs: 1) to maxProcs.
func (s section) number(key string, otherwise int, vars variables) (int, error) {
	i := slices.IndexFunc(s.keys, func(e entry) bool { return e.key == key })
	if i < 0 {
		return otherwise, nil
	}
	text, err := vars.expand(s.keys[i].value)
	n := 0
	if err == nil {
		n, err = parseNumber(text)
	}
	if err == nil && (n < otherwise || n > maxProcs) {
		err = fmt.Errorf("%d is not between %d and %d", n, otherwise, maxProcs)
	}
	if err != nil {
		return 0, &Error{Line: s.keys[i].line, Section: s.name, Key: key, Err: err}
	}
	return n, nil
}

func (s section) process(vars variables) (process.ProcOptions, error) {
	o := process.NewProcOptions(process.ProcName(vars["program_name"]), process.ProcAutoReStart(process.AutoReStartUnexpected))
	for _, e := range s.keys {
		set, known := keys[e.key]
		if !known {
			return o, &Error{Line: e.line, Section: s.name, Key: e.key, Err: errors.New("is not a key that is known here")}
		}
		value, err := vars.expand(e.value)
		if err == nil {
			err = set(&o, value)
		}
		if err != nil {
			return o, &Error{Line: e.line, Section: s.name, Key: e.key, Err: err}
		}
	}
	if o.Command == "" {
		return o, &Error{Line: s.line, Section: s.name, Err: errors.New("has no command")}
	}
	return o, nil
}

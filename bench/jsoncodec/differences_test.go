package jsoncodec

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/jsontest"
)

var (
	workFor  = flag.String("work-for", "", "be the process that runs the cases of this candidate")
	workFrom = flag.String("work-from", "", "start with the case after this one")
	weigh    = flag.Bool("weigh", false, "run the candidates that are out, too")
	verbose  = flag.Bool("all", false, "log every difference")
)

// caseLimit is how long one case may take before it counts as a hang.
const caseLimit = 5 * time.Second

// maxCrashes is after how many ended processes a candidate is given up.
const maxCrashes = 8

// report is a line of a worker: a case that starts or one that has ended.
type report struct {
	Start string   `json:",omitempty"`
	End   string   `json:",omitempty"`
	Diffs []string `json:",omitempty"`
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *workFor == "" {
		os.Exit(m.Run())
	}
	if i := slices.IndexFunc(candidates, func(c candidate) bool { return c.name == *workFor }); i >= 0 {
		work(candidates[i], *workFrom)
	}
}

// sortedCases have the same order in every process.
func sortedCases() []jsontest.Case {
	cs := jsontest.Cases()
	slices.SortFunc(cs, func(a, b jsontest.Case) int { return strings.Compare(a.Name, b.Name) })
	return cs
}

func work(c candidate, after string) {
	out := json.NewEncoder(os.Stdout)
	for _, k := range sortedCases() {
		if k.Name <= after {
			continue
		}
		out.Encode(report{Start: k.Name})
		out.Encode(report{End: k.Name, Diffs: k.Diff(c.Impl)})
	}
}

// TestDifferences runs candidates through all cases, each in processes of its own, for some end the process. What is in use
// must not differ at all; for the others, with -weigh, the test names what differs, and fails once nothing does: then the
// decision wants another look.
func TestDifferences(t *testing.T) {
	for _, c := range candidates {
		if !c.same && !*weigh {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			diffs := differences(t, c)
			n := 0
			for _, k := range slices.Sorted(maps.Keys(diffs)) {
				n += len(diffs[k])
				t.Logf("%s: %d, such as %s", k, len(diffs[k]), diffs[k][0])
				if *verbose {
					for _, d := range diffs[k][1:] {
						t.Logf("    %s", d)
					}
				}
			}
			t.Logf("%d differences in %d cases", n, len(diffs))
			if c.same && n > 0 {
				t.Error("it must not differ")
			}
			if !c.same && n == 0 {
				t.Error("it does not differ any more")
			}
		})
	}
}

// differences runs workers until one has got through.
func differences(t *testing.T, c candidate) map[string][]string {
	diffs := map[string][]string{}
	after := ""
	for range maxCrashes {
		at, err := worker(t, c, after, diffs)
		if err == nil {
			return diffs
		}
		if at == "" {
			t.Fatal(err)
		}
		diffs[at] = append(diffs[at], "CRASH "+err.Error())
		after = at
	}
	t.Logf("given up after %d crashes", maxCrashes)
	return diffs
}

// worker runs one process and returns the case in which it died.
func worker(t *testing.T, c candidate, after string, diffs map[string][]string) (at string, err error) {
	cmd := exec.Command(os.Args[0], "-work-for", c.name, "-work-from", after)
	var stderr strings.Builder
	cmd.Stderr = &limited{w: &stderr, left: 2000}
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=1GiB")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hang := time.AfterFunc(caseLimit, func() { cmd.Process.Kill() })
	defer hang.Stop()
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var r report
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		hang.Reset(caseLimit)
		if at = r.Start; r.End != "" && len(r.Diffs) > 0 {
			diffs[r.End] = r.Diffs
		}
	}
	if err := cmd.Wait(); err != nil {
		return at, fmt.Errorf("%w: %s", err, strconv.Quote(firstLines(stderr.String())))
	}
	return "", nil
}

func firstLines(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return s
}

// limited drops what is too long: a stack overflow prints megabytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.w.Write(p[:n])
	return len(p), nil
}

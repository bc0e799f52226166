package dserver

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// done says that a command did what it should.
func (s *ctlSession) done(m phrase, fields map[string]any) error {
	if !s.json {
		_, err := fmt.Fprintln(s.out, m.in(s.msg))
		return err
	}
	fields["ok"] = true
	return s.printJSON(fields)
}

// note prints a remark that is not part of the output: not for programs.
func (s *ctlSession) note(m phrase) {
	if !s.json {
		fmt.Fprintln(s.out, m.in(s.msg))
	}
}

// orEmpty makes an empty list of none: programs that read JSON go over it, and cannot over null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *ctlSession) printJSON(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printLine prints a line of the log. A line may hold what a stranger sent, so
// control characters do not reach the terminal.
func (s *ctlSession) printLine(line string) {
	if s.json {
		_ = s.printJSON(map[string]string{"line": line})
		return
	}
	fmt.Fprintln(s.out, printable(line))
}

func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return '.'
		}
		return r
	}, line)
}

// drain prints the lines that have arrived already.
func (s *ctlSession) drain(client *ctlClient) {
	for {
		select {
		case line := <-client.incoming:
			s.printLine(line)
		default:
			return
		}
	}
}

// printInfos prints the table of ps, and below it why a sandbox failed.
func (s *ctlSession) printInfos(infos ctlInfos) error {
	t := textTable{header: []string{"SandBoxName", "ServiceName", "Status", "Description"}}
	reasons := ""
	for _, i := range infos.List {
		t.rows = append(t.rows, []string{printable(i.SandBoxName), printable(i.ServiceName), i.Status, i.Description})
		if i.Reason != "" {
			reasons += fmt.Sprintf("%s: %s\n", printable(i.SandBoxName), printable(i.Reason))
		}
	}
	if s.colour {
		t.paint = paintStatus
	}
	_, err := fmt.Fprint(s.out, t.String(), reasons)
	return err
}

// paintStatus colours the column of states.
func paintStatus(column int, text string) string {
	if column != 2 {
		return text
	}
	colour := map[State]string{
		StateRunning: "\x1b[32m", StateFatal: "\x1b[31m", StateBackoff: "\x1b[33m", StateStopping: "\x1b[33m",
	}[State(strings.TrimSpace(text))]
	if colour == "" {
		return text
	}
	return colour + text + "\x1b[0m"
}

func (s *ctlSession) printSessions(sessions ctlSessions) error {
	t := textTable{header: []string{
		"Id", "Remote", "Local", "Pid", "Age", "Idle", "Serving", "Calling", "Queued", "In", "Out",
	}}
	for _, p := range sessions.List {
		t.rows = append(t.rows, []string{
			printable(p.ID), printable(p.Remote), printable(p.Local), strconv.Itoa(p.PID), uptime(seconds(p.Age)),
			uptime(seconds(p.Idle)), strconv.Itoa(p.Serving), strconv.Itoa(p.Calling), byteText(float64(p.Queued)),
			byteText(float64(p.BytesIn)), byteText(float64(p.BytesOut)),
		})
	}
	_, err := fmt.Fprintf(s.out, "%s"+msgShown.in(s.msg)+"\n", t, len(sessions.List), sessions.Total)
	return err
}

func (s *ctlSession) printRoutes(routes ctlRoutes) error {
	t := textTable{header: []string{"Method", "Kind", "Service", "Argument", "Reply"}}
	for _, r := range routes.List {
		t.rows = append(t.rows, []string{printable(r.Path), r.Kind, printable(r.Service), printable(r.Arg), printable(r.Reply)})
	}
	_, err := fmt.Fprintf(s.out, "%s"+msgShown.in(s.msg)+"\n", t, len(routes.List), routes.Total)
	return err
}

package dserver

import (
	"strings"
	"testing"
)

func TestTableLooksAsDocumented(t *testing.T) {
	t.Parallel()
	table := textTable{
		header: []string{"SandBoxName", "ServiceName", "Status", "Description"},
		rows: [][]string{
			{"AdminBox", "admin", "Running", "pid 16046, uptime 0:00:02"},
			{"UserBox", "user", "Stopped", ""},
		},
	}
	want := `
┌─────────────┬─────────────┬─────────┬───────────────────────────┐
│ SandBoxName │ ServiceName │ Status  │ Description               │
├─────────────┼─────────────┼─────────┼───────────────────────────┤
│ AdminBox    │ admin       │ Running │ pid 16046, uptime 0:00:02 │
│ UserBox     │ user        │ Stopped │                           │
└─────────────┴─────────────┴─────────┴───────────────────────────┘
`
	if got := "\n" + table.String(); got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}

func TestTableAlignsWideCharactersAndColours(t *testing.T) {
	t.Parallel()
	table := textTable{header: []string{"Name", "Status"}, rows: [][]string{{"订单", "x"}}}
	lines := strings.Split(table.String(), "\n")
	if lines[3] != "│ 订单 │ x      │" {
		t.Errorf("%q", lines[3])
	}
	table.paint = func(_ int, s string) string { return "<" + s + ">" }
	if !strings.Contains(table.String(), "│ <订单> │ <x     > │") {
		t.Errorf("%s", table)
	}
}

func TestLanguageFollowsTheEnvironmentInOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		env  map[string]string
		want catalogue
	}{
		{nil, english},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, chinese},
		{map[string]string{"LANG": "en_US.UTF-8"}, english},
		{map[string]string{"LC_MESSAGES": "zh_TW", "LANG": "en_US"}, chinese},
		{map[string]string{"LC_ALL": "C", "LC_MESSAGES": "zh_TW", "LANG": "zh_CN"}, english},
		{map[string]string{"LC_ALL": "", "LANG": "ZH_CN"}, chinese},
	}
	for _, tt := range tests {
		if got := languageOf(func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.env, got, tt.want)
		}
	}
}

func TestEveryCommandHasHelpInBothLanguages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range ctlCommands() {
		if c.help[english] == "" || c.help[chinese] == "" || c.run == nil || c.check == nil {
			t.Errorf("%s is incomplete", c.name)
		}
		for _, name := range append([]string{c.name}, c.aliases...) {
			if seen[name] {
				t.Errorf("%s twice", name)
			}
			seen[name] = true
		}
	}
	for _, name := range strings.Fields("ps info status start stop debug log version v help clear exit") {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestPrintableKeepsTextAndTamesControls(t *testing.T) {
	t.Parallel()
	if got := printable("a\x1b[31m订\tb\r\nc\u009b"); got != "a.[31m订\tb.\nc." {
		t.Errorf("%q", got)
	}
}

func TestLinesAreEmittedInOrder(t *testing.T) {
	t.Parallel()
	var got []string
	o := newLineOrder(func(line string) { got = append(got, line) })
	for _, n := range []int{2, 1, 5, 4, 3, 6} {
		o.add(n, string(rune('0'+n)))
	}
	o.add(0, "x")
	o.restart()
	o.add(1, "a")
	if s := strings.Join(got, ""); s != "123456xa" {
		t.Errorf("got %s", s)
	}
}

func TestAMissingLineDoesNotHoldTheOthersForEver(t *testing.T) {
	t.Parallel()
	n := 0
	o := newLineOrder(func(string) { n++ })
	for i := range maxAhead + 1 {
		o.add(i+2, "x")
	}
	if n != maxAhead+1 || len(o.ahead) != 0 {
		t.Errorf("%d emitted, %d wait", n, len(o.ahead))
	}
}

func TestParseCtlLevel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"all": 0xff0, "DEBUG": 0xff0, "info": 0xfe0, "noti": 0xfc0, "warn": 0xf80, "ERRO": 0xf00, "crit": 0xe00,
	} {
		if got, ok := parseCtlLevel(name); !ok || got != want {
			t.Errorf("%s: %#x, %v, want %#x", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "loud", "warnings"} {
		if got, ok := parseCtlLevel(name); ok {
			t.Errorf("%q: %#x", name, got)
		}
	}
}

func TestVersionBlock(t *testing.T) {
	t.Parallel()
	v := versionInfo{Version: "v1", Go: "go1.26", DMicro: "v2", GF: "v2.10.0", Authors: "me", Path: "/bin/x"}
	want := `Version:         v1
Go Version:      go1.26
DMicro Version:  v2
GF Version:      v2.10.0
Git Commit:
Build Time:
Authors:         me
Install Path:    /bin/x
`
	if got := v.block(); !strings.HasSuffix(got, want) || !strings.HasPrefix(got, "    ____") {
		t.Errorf("got:\n%s", got)
	}
	if own := ownVersion(); own.Version != "No Version Info" || own.GF == "" || own.Go == "" || own.Path == "" {
		t.Errorf("%+v", own)
	}
}

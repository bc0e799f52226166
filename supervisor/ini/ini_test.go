package ini

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/supervisor/process"
)

const whole = `
; what supervisord itself needs is skipped
[supervisord]
logfile = /var/log/supervisord.log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = x

[program:worker]
command = /srv/worker --queue "%(ENV_INI_TEST)s" --number %(process_num)d --rate 5%%   ; as many as it takes
process_name = %(program_name)s_%(process_num)02d
numprocs = 2
numprocs_start: 7
directory=%(here)s/work
user = app:www
environment = A="one, two",B=2,
    C='it''s'
`

func TestLoad(t *testing.T) {
	t.Setenv("INI_TEST", "orders")
	text := strings.Replace(whole, `C='it''s'`, `C='say "x"'`, 1) + `
priority = 5
autostart = no
autorestart = true
exitcodes = 0, 3
startsecs = 1m
startretries = 7
restartpause = 2
restart_when_binary_changed = on
stopsignal = QUIT TERM
stopwaitsecs = 3
killwaitsecs = 4
stopasgroup = true
killasgroup = 1
redirect_stderr = yes
stdout_logfile = /var/log/%(program_name)s.log, syslog
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 3
stderr_logfile = NONE
stderr_logfile_maxbytes = 0
stderr_logfile_backups = 0
lifeline = true
heartbeat = 1500ms
[program:plain]
command=sleep 1
`
	got, err := Load(strings.NewReader(text), "/etc/app")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 {
		t.Fatalf("%d processes", len(got))
	}
	for i, number := range []string{"07", "08"} {
		want := process.ProcOptions{
			Name: "worker_" + number, Command: "/srv/worker",
			Args:      []string{"--queue", "orders", "--number", strings.TrimPrefix(number, "0"), "--rate", "5%"},
			Directory: "/etc/app/work", User: "app:www", AutoStart: false, StartSecs: 60, AutoReStart: process.AutoReStartTrue,
			ExitCodes: []int{0, 3}, StartRetries: 7, RestartPause: 2, Priority: 5, StdoutLogfile: "/var/log/worker.log, syslog",
			StdoutLogFileMaxBytes: 5 << 20, StdoutLogFileBackups: 3, RedirectStderr: true, StopAsGroup: true, KillAsGroup: true,
			StopSignal: []string{"QUIT", "TERM"}, StopWaitSecs: 3, KillWaitSecs: 4, RestartWhenBinaryChanged: true,
			Lifeline: true, Heartbeat: 1500 * time.Millisecond,
		}
		env := map[string]string{"A": "one, two", "B": "2", "C": `say "x"`}
		if !maps.Equal(got[i].Environment.Map(), env) {
			t.Errorf("environment %v", got[i].Environment.Map())
		}
		got[i].Environment, got[i].Extend = nil, nil
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("got  %+v\nwant %+v", got[i], want)
		}
	}
	plain := process.NewProcOptions(process.ProcName("plain"), process.ProcCommand("sleep"), process.ProcArgs("1"),
		process.ProcAutoReStart(process.AutoReStartUnexpected))
	for _, o := range []*process.ProcOptions{&plain, &got[2]} {
		o.Environment, o.Extend = nil, nil
	}
	if !reflect.DeepEqual(got[2], plain) {
		t.Errorf("got  %+v\nwant %+v", got[2], plain)
	}
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	const p = "[program:x]\ncommand=a\n"
	for text, want := range map[string]string{
		p + "stopsignals=TERM":   "ini: line 3: [program:x] stopsignals: is not a key that is known here",
		"[group:g]\nprograms=x":  "ini: line 1: [group:g]: is not a section that is known here",
		"[include]\nfiles=x":     "ini: line 1: [include]: is not a section that is known here",
		"[program: ]\ncommand=x": "is not a section that is known here",
		"[program:x]\nuser=a":    "ini: line 1: [program:x]: has no command",
		"[program:x":             "ini: line 1: a section is written [name]",
		"command=x":              "a key before the first section",
		p + "what":               "neither a section nor key = value",
		p + "user=a\nUser=b":     "ini: line 4: [program:x] user: is there since line 3",
		p + p:                    "ini: line 3: [program:x]: is there since line 1",
		p + "numprocs=0":         "line 3: [program:x] numprocs: 0 is not between 1 and 1000",
		p + "numprocs=1001":      "1001 is not between 1 and 1000",
		p + "numprocs=x":         `"x" is no number`,
		p + "numprocs=2":         `ini: line 1: [program:x]: the process name "x" is taken`,
		p + "process_name=":      "a process needs a name",
		p + "[program:y]\ncommand=a\nprocess_name=x": `the process name "x" is taken`,
		p + "directory=%(nowhere)s":                  "%(nowhere)s is not known",
		p + "directory=%(ENV_NO_SUCH_VARIABLE)s":     "%(ENV_NO_SUCH_VARIABLE)s is not known",
		p + "directory=%(program_name)d":             `%(program_name)d is "x", no number`,
		p + "directory=50%":                          "a % is followed by",
		p + "directory=%(program_name)x":             "a % is followed by",
		p + "startsecs=1500ms":                       "not a whole number of seconds",
		p + "startsecs=-1":                           `"-1" is no time`,
		p + "heartbeat=soon":                         `"soon" is no time`,
		p + "autostart=perhaps":                      `"perhaps" is neither true nor false`,
		p + "autorestart=perhaps":                    `"perhaps" is neither true, false nor unexpected`,
		p + "exitcodes=0,256":                        `"256" is no exit code`,
		p + "stopsignal=":                            "no signal",
		p + "stopsignal=TERM,NONE":                   `no signal "NONE"`,
		p + "stdout_logfile=AUTO":                    "AUTO is not known",
		p + "stdout_logfile_maxbytes=much":           `"much" is no size`,
		p + "environment=A":                          "an environment is written",
		p + "environment=A=\"x":                      "an environment is written",
		p + "environment=A=\"x\"y":                   "an environment is written",
		"[program:x]\ncommand=a 'b":                  "a quote is not closed",
		strings.Repeat("; much\n", maxFile/7+1):      "the file is larger",
		strings.Repeat("x", maxFile+2):               "ini: ",
	} {
		got, err := Load(strings.NewReader(text), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %d processes, %v, want %s", text, len(got), err, want)
		}
	}
	var e *Error
	if _, err := Load(strings.NewReader(p+"\n\nusr=a"), ""); !errors.As(err, &e) || e.Line != 5 || e.Section != "program:x" || e.Key != "usr" {
		t.Errorf("%+v", e)
	}
}

func TestLoadFileKnowsItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "programs.ini")
	if err := os.WriteFile(file, []byte("[program:x]\r\ncommand=a\r\ndirectory=%(here)s\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadFile(file)
	if err != nil || len(got) != 1 || got[0].Directory != dir {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err = LoadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err = os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = LoadFile(file); err == nil || !strings.HasPrefix(err.Error(), file+": ini: line 1: ") {
		t.Error(err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(whole)
	f.Add("[program:x]\ncommand=%(program_name)s\n numprocs\n#\n;\n\nenvironment=A=\"\\\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Load(strings.NewReader(text), "/")
		if err != nil {
			return
		}
		for _, o := range got {
			if o.Command == "" || o.Name == "" || o.StartSecs < 0 || o.StopWaitSecs < 0 || slices.Contains(o.StopSignal, "") {
				t.Errorf("%q: %+v", text, o)
			}
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"90", "1m30s", "-1", "1e9h", "1000000000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text); err == nil && (d < 0 || d > maxSeconds*time.Second) {
			t.Errorf("%q is %v", text, d)
		}
		if n, err := parseSeconds(text); err == nil && (n < 0 || n > maxSeconds) {
			t.Errorf("%q is %d s", text, n)
		}
	})
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add(`A="one, two",B=2`)
	f.Fuzz(func(t *testing.T, text string) {
		env, err := parseEnvironment(text)
		if err != nil {
			return
		}
		var out strings.Builder
		for key, value := range env {
			out.WriteString(key + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + "\",")
		}
		if again, err := parseEnvironment(out.String()); err != nil || !maps.Equal(env, again) {
			t.Errorf("%q: %q, then %q, %v", text, env, again, err)
		}
	})
}

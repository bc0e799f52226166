package dserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gogf/gf/v2/encoding/gjson"

	"github.com/osgochina/dmicro/drpc"
)

func configOf(t *testing.T, kind, text string) *Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config."+kind)
	writeFile(t, path, text)
	content, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	c := newConfig()
	c.SetAdapter(content)
	return c
}

var endpointDefaults = drpc.EndpointConfig{
	Network: "tcp", ListenIP: "0.0.0.0", LocalIP: "0.0.0.0", DefaultBodyCodec: "json",
	DialTimeout: 30 * time.Second, RedialInterval: 100 * time.Millisecond, RedialTimes: 1,
}

func TestEndpointConfigWithoutAFile(t *testing.T) {
	t.Parallel()
	c := newConfig()
	for _, names := range [][]string{nil, {""}, {"OrderBox"}} {
		if got := c.EndpointConfig(names...); got != endpointDefaults {
			t.Errorf("%q: %+v", names, got)
		}
	}
	if v, err := c.Get(context.Background(), "a.b"); v != nil || err != nil {
		t.Errorf("Get = %v, %v", v, err)
	}
}

func TestEndpointConfigReadsEveryKey(t *testing.T) {
	t.Parallel()
	c := configOf(t, "toml", `
[sandbox.OrderBox]
Network = "tcp4"
ListenIP = "127.0.0.1"
ListenPort = 9091
LocalIP = "127.0.0.2"
LocalPort = 4000
DefaultBodyCodec = "plain"
DefaultSessionAge = 60
DefaultContextAge = "1.5s"
SlowCometDuration = 2
PrintDetail = true
DialTimeout = 0
RedialInterval = "250ms"
RedialTimes = -1
[sandbox.Half]
listen_port = "80"
[sandbox.Sock]
Network = "unix"
`)
	want := drpc.EndpointConfig{
		Network: "tcp4", ListenIP: "127.0.0.1", ListenPort: 9091, LocalIP: "127.0.0.2", LocalPort: 4000,
		DefaultBodyCodec: "plain", DefaultSessionAge: time.Minute, DefaultContextAge: 1500 * time.Millisecond,
		SlowCometDuration: 2 * time.Second, PrintDetail: true, RedialInterval: 250 * time.Millisecond, RedialTimes: -1,
	}
	if got := c.EndpointConfig("OrderBox"); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	half := endpointDefaults
	half.ListenPort = 80
	if got := c.EndpointConfig("half"); got != half {
		t.Errorf("other spelling: %+v", got)
	}
	if got := c.EndpointConfig("Sock"); got.LocalIP != "" || got.ListenIP != "" {
		t.Errorf("a unix socket gets %q and %q for paths", got.ListenIP, got.LocalIP)
	}
	if got := c.EndpointConfig("Other"); got != endpointDefaults {
		t.Errorf("no such table: %+v", got)
	}
}

func TestEveryKindOfConfigurationFile(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{
		"toml":       "[sandbox.Box]\nListenPort = 9091\nDialTimeout = 5\n",
		"yaml":       "sandbox:\n  Box:\n    ListenPort: 9091\n    DialTimeout: 5\n",
		"yml":        "sandbox:\n  Box:\n    ListenPort: 9091\n    DialTimeout: 5s\n",
		"json":       `{"sandbox":{"Box":{"ListenPort":9091,"DialTimeout":"5s"}}}`,
		"xml":        `<sandbox><Box><ListenPort>9091</ListenPort><DialTimeout>5</DialTimeout></Box></sandbox>`,
		"properties": "sandbox.Box.ListenPort=9091\nsandbox.Box.DialTimeout=5\n",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			got := configOf(t, kind, text).EndpointConfig("Box")
			if got.ListenPort != 9091 || got.DialTimeout != 5*time.Second {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBadValuesAreRefusedByKeyAndValue(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`ListenPort = 70000`:        `sandbox.Box.ListenPort: "70000"`,
		`ListenPort = "http"`:       `sandbox.Box.ListenPort: "http"`,
		`LocalPort = -1`:            `sandbox.Box.LocalPort: "-1"`,
		`DialTimeout = "soon"`:      `sandbox.Box.DialTimeout: "soon"`,
		`DialTimeout = -3`:          `sandbox.Box.DialTimeout: "-3"`,
		`DefaultContextAge = 1e300`: `sandbox.Box.DefaultContextAge`,
		`RedialTimes = -2`:          `sandbox.Box.RedialTimes: "-2"`,
		`PrintDetail = "maybe"`:     `sandbox.Box.PrintDetail: "maybe"`,
		`Network = ["tcp"]`:         `sandbox.Box.Network`,
	} {
		err := configOf(t, "toml", "[sandbox.Box]\n"+line+"\n").checkSandboxes()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to name %s", line, err, want)
		}
	}
}

func TestKeysThatAreNearlyOnesOfAnEndpointAreRemarkedOn(t *testing.T) {
	t.Parallel()
	for line, meant := range map[string]string{
		`ListenPrt = 1`:        "ListenPort",
		`Listen_Ports = 1`:     "ListenPort",
		`DefaultContxtAge = 1`: "DefaultContextAge",
		`maxrequest = 1`:       "MaxRequests",
		`ListenPort = 1`:       "",
		`listen_port = 1`:      "",
		`localip = "::1"`:      "",
		`Database = "x"`:       "",
		`Port = 1`:             "",
		`Name = "x"`:           "",
	} {
		remarks := configOf(t, "toml", "[sandbox.Box]\n"+line+"\n[sandbox.Other]\nPrintDetail = true\n").typos()
		switch {
		case meant == "" && len(remarks) != 0:
			t.Errorf("%s: %q", line, remarks)
		case meant != "" && (len(remarks) != 1 || !strings.Contains(remarks[0], "sandbox.Box.") || !strings.HasSuffix(remarks[0], "is "+meant+" meant?")):
			t.Errorf("%s: %q, want a remark about %s", line, remarks, meant)
		}
	}
	if remarks := configOf(t, "toml", "sandbox = 1\n").typos(); remarks != nil {
		t.Errorf("%q", remarks)
	}
}

func TestKeysThatAreNearlyOnesOfTheLogAreRemarkedOn(t *testing.T) {
	t.Parallel()
	for table, want := range map[string]string{
		"[logger]\npth = 'x'\n":                            "configuration key logger.pth is none of the log's: is Path meant?",
		"[logger]\npath = 'x'\n[logger.default]\nlevl=1\n": "configuration key logger.levl is none of the log's: is Level meant?",
		"[logger]\nrotate_size = 1\nstdout = true\n":       "",
		"[logger]\nsize = 'x'\n":                           "",
	} {
		if got := strings.Join(configOf(t, "toml", table).typos(), "\n"); got != want {
			t.Errorf("%q: %q, want %q", table, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "15": 15 * time.Second, " 2 ": 2 * time.Second, "1.5s": 1500 * time.Millisecond, "1m30s": 90 * time.Second,
	} {
		if got, err := parseDuration(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "-1", "-1s", "1.5", "9223372036854775807", "1e3"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"15", "1.5s", "-1", "9223372036854775807", "1h1h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text); d < 0 || err != nil && d != 0 {
			t.Fatalf("%q: %v, %v", text, d, err)
		}
	})
}

func TestFindConfig(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	dirs := []string{a, b}
	if path, err := findConfig("", dirs); path != "" || err != nil {
		t.Fatalf("nothing there: %q, %v", path, err)
	}
	writeFile(t, filepath.Join(b, "config.json"), "{}")
	writeFile(t, filepath.Join(b, "config.yaml"), "")
	writeFile(t, filepath.Join(b, "own.toml"), "")
	for named, want := range map[string]string{
		"":                           filepath.Join(b, "config.yaml"),
		"own.toml":                   filepath.Join(b, "own.toml"),
		filepath.Join(b, "own.toml"): filepath.Join(b, "own.toml"),
	} {
		if path, err := findConfig(named, dirs); path != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", named, path, err, want)
		}
	}
	for _, named := range []string{"none.toml", "./own.toml", filepath.Join(a, "own.toml")} {
		if _, err := findConfig(named, dirs); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), named) {
			t.Errorf("%q: %v", named, err)
		}
	}
}

func TestConfigDirsLookAtBothPlaces(t *testing.T) {
	t.Parallel()
	wd, _ := os.Getwd()
	binary, _ := os.Executable()
	dirs := strings.Join(configDirs(), "\n")
	for _, want := range []string{wd, filepath.Join(wd, "config"), filepath.Dir(binary)} {
		if !strings.Contains(dirs, want) {
			t.Errorf("%s is not looked at", want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, kind := range configTypes {
		f.Add(string(kind), []byte("[sandbox.Box]\nListenPort = 1\n"))
	}
	f.Add("json", []byte(`{"sandbox":{"Box":{"ListenPort":1}}}`))
	f.Add("xml", []byte(`<a><b>1</b></a>`))
	f.Add("", []byte(`a: 1`))
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		json, err := parseConfig(gjson.ContentType(kind), text)
		if err != nil {
			return
		}
		c := newConfig()
		c.SetAdapter(&fileContent{json: json})
		_ = c.checkSandboxes()
		c.EndpointConfig("Box")
	})
}

func TestPlanLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, env string
		debug           bool
		want            map[string]any
	}{
		{"product by default", "", "product", false, map[string]any{"level": "PRODUCT"}},
		{"unknown environments are product", "", "staging", false, map[string]any{"level": "PRODUCT"}},
		{"dev", "", "dev", false, map[string]any{"level": "DEVELOP"}},
		{"test", "", "test", false, map[string]any{"level": "INFO"}},
		{"a level that is set stays, in any case", "[logger]\nLevel = \"ERROR\"\n", "dev", false, map[string]any{"Level": "ERROR"}},
		{"a file is the only output in product", "[logger]\nPath = \"x\"\n", "product", false,
			map[string]any{"Path": "x", "level": "PRODUCT", "stdout": false}},
		{"not in dev", "[logger]\nPath = \"x\"\n", "dev", false, map[string]any{"Path": "x", "level": "DEVELOP"}},
		{"stdout as it is set", "[logger]\npath = \"x\"\nstdout = true\n", "product", false,
			map[string]any{"path": "x", "level": "PRODUCT", "stdout": true}},
		{"the default logger of several", "[logger.default]\nlevel = \"WARN\"\n", "dev", false, map[string]any{"level": "WARN"}},
		{"debug wins", "[logger]\nLevel = \"ERROR\"\nstdOut = false\npath = \"x\"\n", "product", true,
			map[string]any{"level": "ALL", "stdout": true, "path": "x"}},
	}
	for _, tt := range tests {
		got := planLog(configOf(t, "toml", tt.text), tt.env, tt.debug).settings
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			continue
		}
		for k, v := range tt.want {
			if got[k] != v {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

func TestEveryFieldOfAnEndpointIsAKey(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("[sandbox.Box]\n")
	var want drpc.EndpointConfig
	fields := reflect.ValueOf(&want).Elem()
	for i := range fields.NumField() {
		key, field := fields.Type().Field(i).Name, fields.Field(i)
		if !field.CanSet() {
			continue
		}
		value := "7"
		switch v := field.Addr().Interface().(type) {
		case *string:
			*v, value = "plain", `"plain"`
		case *bool:
			*v, value = true, "true"
		case *time.Duration:
			*v = 7 * time.Second
		case *uint16:
			*v = 7
		case *uint32:
			*v = 7
		case *int:
			*v = 7
		case *int64:
			*v = 7
		default:
			t.Errorf("%s is a %T, which no key can set", key, v)
		}
		fmt.Fprintf(&text, "%s = %s\n", key, value)
	}
	c := configOf(t, "toml", text.String())
	if err := c.checkSandboxes(); err != nil {
		t.Fatal(err)
	}
	if got := c.EndpointConfig("Box"); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func TestLimitsCanBeTakenAway(t *testing.T) {
	t.Parallel()
	for _, key := range mayBeNone {
		if err := configOf(t, "toml", "[sandbox.Box]\n"+key+" = -1\n").checkSandboxes(); err != nil {
			t.Error(err)
		}
		if configOf(t, "toml", "[sandbox.Box]\n"+key+" = -2\n").checkSandboxes() == nil {
			t.Errorf("%s may be -2", key)
		}
		if _, ok := reflect.TypeFor[drpc.EndpointConfig]().FieldByName(key); !ok {
			t.Errorf("there is no field %s", key)
		}
	}
	cfg := configOf(t, "toml", "[sandbox.Box]\nWriteTimeout = -1\nMaxSessions = -1\n").EndpointConfig("Box")
	if cfg.WriteTimeout >= 0 || cfg.MaxSessions >= 0 {
		t.Errorf("%+v", cfg)
	}
}

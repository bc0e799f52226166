package logger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gogf/gf/v2/os/glog"
)

func TestSettingsReachTheLogger(t *testing.T) {
	out := capture(t)
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	err := SetConfigWithMap(map[string]any{
		"path": dir, "file": "app.log", "level": "warn", "stdout": "false", "Prefix": "[app]",
		"rotateSize": "10M", "rotate-expire": "1d", "rotate_backup_limit": "3", "rotateBackupExpire": 48 * time.Hour,
		"rotateBackupCompress": 9, "rotateCheckInterval": "30s", "header": true, "levelPrint": 1, "flags": 0,
		"stStatus": 0, "stFilter": "x", "ctxKeys": []string{"k"}, "timeFormat": "15:04", "writerColorEnable": "off",
		"stdoutColorDisabled": true, "levelPrefixes": map[string]any{"warn": "WARNING", "256": "ERROR"},
		"somebody else's": "value",
	})
	if err != nil {
		t.Fatal(err)
	}
	if DefaultLogger() == nil || GetLevel()&LevelAll != LevelProd {
		t.Errorf("level %d, want warning and above", GetLevel())
	}
	c := DefaultLogger().GetConfig()
	if c.RotateSize != 10<<20 || c.RotateExpire != 24*time.Hour || c.RotateBackupLimit != 3 ||
		c.RotateBackupExpire != 48*time.Hour || c.RotateBackupCompress != 9 || c.RotateCheckInterval != 30*time.Second {
		t.Errorf("rotation is %+v", c)
	}
	Info(t.Context(), "hidden")
	Warning(t.Context(), "shown")
	Error(t.Context(), "too")
	data, err := os.ReadFile(filepath.Join(dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(got) != 2 || !strings.HasSuffix(got[0], " [WARNING] [app] shown") || !strings.HasSuffix(got[1], " [ERROR] [app] too") {
		t.Errorf("the file holds %q", data)
	}
	if out.String() != string(data) {
		t.Errorf("the writer set before got %q", out)
	}
}

func TestBadSettingsAreNamedAndChangeNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		setting map[string]any
		want    []string // parts of the error
	}{
		{"nothing", nil, []string{"empty"}},
		{"level", map[string]any{"level": "loud"}, []string{"setting level", `"loud"`}},
		{"switch", map[string]any{"stdout": "perhaps"}, []string{"setting stdout", `"perhaps"`}},
		{"size", map[string]any{"rotateSize": "ten"}, []string{"setting rotateSize", `"ten"`}},
		{"size unit", map[string]any{"rotateSize": "10 parrots"}, []string{"setting rotateSize"}},
		{"duration", map[string]any{"rotateExpire": "soon"}, []string{"setting rotateExpire", `"soon"`}},
		{"negative duration", map[string]any{"rotateExpire": "-1h"}, []string{"setting rotateExpire"}},
		{"number", map[string]any{"rotateBackupLimit": "many"}, []string{"setting rotateBackupLimit", `"many"`}},
		{"range", map[string]any{"rotateBackupCompress": 10}, []string{"between 0 and 9"}},
		{"prefix of no level", map[string]any{"levelPrefixes": map[string]any{"loud": "L"}}, []string{`"loud"`}},
		{"directory", map[string]any{"path": filepath.Join(file, "below")}, []string{"log directory"}},
		{"two at once", map[string]any{"level": "x", "stdout": "y", "prefix": "fine"}, []string{"level", "stdout"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			capture(t)
			before, level := DefaultLogger(), GetLevel()
			err := SetConfigWithMap(tt.setting)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if DefaultLogger() != before || GetLevel() != level {
				t.Error("something was changed all the same")
			}
		})
	}
}

func TestSpellingOfTheSourceWinsOverLowerCase(t *testing.T) {
	for range 20 { // map order is random
		capture(t)
		if err := SetConfigWithMap(map[string]any{"level": "all", "Level": "error"}); err != nil {
			t.Fatal(err)
		}
		if Enabled(LevelWarning) {
			t.Fatal("level won over Level")
		}
	}
}

func TestSettingsWithoutLevelKeepTheLevel(t *testing.T) {
	capture(t)
	SetLevel(LevelError)
	if err := SetConfigWithMap(map[string]any{"prefix": "x"}); err != nil {
		t.Fatal(err)
	}
	if Enabled(LevelWarning) || !Enabled(LevelError) {
		t.Errorf("level is %d", GetLevel())
	}
}

func TestSetLoggerTakesOverOutputAndLevel(t *testing.T) {
	old := capture(t)
	l, out := glog.New(), &buffer{}
	l.SetWriter(out)
	l.SetStdoutPrint(false)
	l.SetLevel(LevelError)
	SetLogger(l)
	if DefaultLogger() != l {
		t.Error("DefaultLogger is not the logger that was set")
	}
	Warning(t.Context(), "no")
	SetDebug(true)
	Debug(t.Context(), "yes")
	if old.String() != "" || !strings.HasSuffix(out.String(), "[DEBU] yes\n") || strings.Contains(out.String(), "no") {
		t.Errorf("old got %q, new got %q", old, out)
	}
	if l.GetLevel()&LevelDebug != 0 {
		t.Error("the level of the given logger was changed")
	}
	SetLogger(nil)
	if DefaultLogger() != l {
		t.Error("a nil logger was taken")
	}
}

func FuzzSettings(f *testing.F) {
	for _, key := range []string{"level", "rotateSize", "rotateExpire", "stdout", "flags", "levelPrefixes", "ctxKeys", "stSkip"} {
		for _, value := range []string{"", "1", "10M", "1d", "WARN", "-1", ".", "99999999999999999999", `{"256":"E"}`} {
			f.Add(key, value)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		c := glog.DefaultConfig()
		if err := applySettings(&c, map[string]any{key: value}); err != nil {
			return
		}
		if c.RotateSize < 0 || c.RotateExpire < 0 || c.RotateBackupLimit < 0 || c.StSkip < 0 {
			t.Errorf("%q = %q was accepted as %+v", key, value, c)
		}
	})
}

func TestLevelPrefixesReachALoggerThatHasNone(t *testing.T) {
	capture(t)
	l, out := glog.New(), &buffer{}
	if err := l.SetConfig(glog.Config{Writer: out, Level: LevelAll, HeaderPrint: true, LevelPrint: true}); err != nil {
		t.Fatal(err)
	}
	SetLogger(l)
	if err := SetConfigWithMap(map[string]any{"levelPrefixes": map[string]any{"warn": "BEWARE"}}); err != nil {
		t.Fatal(err)
	}
	Warning(t.Context(), "of the dog")
	if !strings.Contains(out.String(), "[BEWARE] of the dog") {
		t.Errorf("%q", out.String())
	}
}

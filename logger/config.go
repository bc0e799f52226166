package logger

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/gogf/gf/v2/os/glog"
)

// DefaultLogger returns the glog logger that lines are written to at this moment. Its settings may be changed
// before the process starts to log (a writer of one's own, for example); later changes belong to SetConfigWithMap,
// which replaces the logger, so do not keep the pointer. Its level is not the level of this package: that is SetLevel.
func DefaultLogger() *glog.Logger { return std.out.Load().given }

// SetLogger makes lines go to l from now on, and the level of l the level of this package. DefaultLogger then
// returns l. The settings of l are copied at this moment, later changes to l are not noticed, and l itself is not changed.
// A nil l is ignored.
func SetLogger(l *glog.Logger) {
	if l == nil {
		return
	}
	std.change.Lock()
	defer std.change.Unlock()
	writer := l.Clone()
	writer.SetLevel(LevelAll) // the level of this package has decided before glog is asked
	writer.SetStackSkip(l.GetConfig().StSkip + ownFrames)
	std.out.Store(&output{given: l, writer: writer})
	SetLevel(l.GetLevel())
}

// SetStdoutPrint turns writing to the standard output on (the default) or off. Files, writers and handlers are not
// concerned.
func SetStdoutPrint(enabled bool) {
	// No directory is involved, so this change cannot fail.
	_ = std.reconfigure(func(c *glog.Config) error {
		c.StdoutPrint = enabled
		return nil
	})
}

// SetConfigWithMap changes the settings that the map names, by glog's names, ignoring case and the characters "-_. ":
//
//	path                 directory of the log files; made if missing; none by default
//	file                 file name pattern, "{Y-m-d}.log" by default
//	level                a name as for SetLevelStr
//	stdout               write to the standard output too; true by default
//	stdoutColorDisabled  no colour on a terminal
//	writerColorEnable    colour in files
//	prefix               text before every line
//	header, levelPrint   time and severity at the head of a line; true by default
//	levelPrefixes        map of level names to the severity text
//	timeFormat           Go layout
//	flags                glog's F_ bits: asynchronous writing, file:line of the caller
//	ctxKeys              context keys whose values are written
//	stStatus             1 adds a stack to error lines; 0 by default
//	stSkip, stFilter     frames left out of stacks, by number and by text
//	rotateSize           size at which a file is rotated, 10485760 or "10M"
//	rotateExpire, rotateBackupExpire, rotateCheckInterval   durations such as "24h" or "1d"
//	rotateBackupLimit, rotateBackupCompress                 files kept; gzip level 0 to 9
//
// A map with a bad value changes nothing, and the error names every bad setting. Other names are ignored, because a
// configuration table may carry settings of other parts. An empty map is an error. The map type is GoFrame's g.Map.
func SetConfigWithMap(setting map[string]interface{}) error {
	if len(setting) == 0 {
		return errors.New("logger: empty configuration")
	}
	level := levelUnchanged
	err := std.reconfigure(func(c *glog.Config) error {
		c.Level = levelUnchanged
		if err := applySettings(c, setting); err != nil {
			return err
		}
		level, c.Level = c.Level, LevelAll|alwaysOn
		return makeLogDir(c.Path)
	})
	if err == nil && level != levelUnchanged {
		SetLevel(level)
	}
	return err
}

// levelUnchanged marks a configuration that did not name a level.
const levelUnchanged = -1

// applySettings goes through the names in order, so that "Level" wins over "level" when a file has both, every time.
func applySettings(c *glog.Config, m map[string]interface{}) error {
	var errs []error
	seen := make(map[string]bool, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		key := plainKey(name)
		apply, known := settings[key]
		if !known || seen[key] {
			continue
		}
		seen[key] = true
		if err := apply(c, m[name]); err != nil {
			errs = append(errs, fmt.Errorf("logger: setting %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// plainKey is how names are compared.
func plainKey(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(name))
}

func makeLogDir(path string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("logger: log directory: %w", err)
	}
	return nil
}

// reconfigure swaps in a copy of the present output that change has been applied to. If change fails, nothing is
// swapped.
func (s *sink) reconfigure(change func(c *glog.Config) error) error {
	s.change.Lock()
	defer s.change.Unlock()
	l := glog.New()
	c := copyConfig(s.out.Load().writer.GetConfig(), l.GetConfig())
	if err := change(&c); err != nil {
		return err
	}
	if err := l.SetConfig(c); err != nil {
		return fmt.Errorf("logger: %w", err)
	}
	s.out.Store(&output{given: l, writer: l})
	return nil
}

// copyConfig returns to with every exported setting of from. The unexported rest stays: it says whether the rotation
// timer of that one logger runs, and a copy that inherited it would never rotate.
func copyConfig(from, to glog.Config) glog.Config {
	src, dst := reflect.ValueOf(from), reflect.ValueOf(&to).Elem()
	for i := range src.NumField() {
		if src.Type().Field(i).IsExported() {
			dst.Field(i).Set(src.Field(i))
		}
	}
	to.LevelPrefixes = maps.Clone(from.LevelPrefixes)
	to.CtxKeys = slices.Clone(from.CtxKeys)
	to.Handlers = slices.Clone(from.Handlers)
	return to
}

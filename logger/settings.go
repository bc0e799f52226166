package logger

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gogf/gf/v2/os/gfile"
	"github.com/gogf/gf/v2/os/glog"
	"github.com/gogf/gf/v2/os/gtime"
	"github.com/gogf/gf/v2/util/gconv"
)

// setter puts one value of a configuration file into a glog configuration.
type setter func(c *glog.Config, value any) error

// settings is every setting by its plainKey.
var settings = map[string]setter{
	"path":                 text(func(c *glog.Config) *string { return &c.Path }),
	"file":                 text(func(c *glog.Config) *string { return &c.File }),
	"prefix":               text(func(c *glog.Config) *string { return &c.Prefix }),
	"timeformat":           text(func(c *glog.Config) *string { return &c.TimeFormat }),
	"stfilter":             text(func(c *glog.Config) *string { return &c.StFilter }),
	"header":               boolean(func(c *glog.Config) *bool { return &c.HeaderPrint }),
	"levelprint":           boolean(func(c *glog.Config) *bool { return &c.LevelPrint }),
	"stdout":               boolean(func(c *glog.Config) *bool { return &c.StdoutPrint }),
	"stdoutcolordisabled":  boolean(func(c *glog.Config) *bool { return &c.StdoutColorDisabled }),
	"writercolorenable":    boolean(func(c *glog.Config) *bool { return &c.WriterColorEnable }),
	"flags":                number(0, 1<<16, func(c *glog.Config) *int { return &c.Flags }),
	"ststatus":             number(0, 1, func(c *glog.Config) *int { return &c.StStatus }),
	"rotatebackuplimit":    number(0, 1<<20, func(c *glog.Config) *int { return &c.RotateBackupLimit }),
	"rotatebackupcompress": number(0, 9, func(c *glog.Config) *int { return &c.RotateBackupCompress }),
	"rotateexpire":         duration(func(c *glog.Config) *time.Duration { return &c.RotateExpire }),
	"rotatebackupexpire":   duration(func(c *glog.Config) *time.Duration { return &c.RotateBackupExpire }),
	"rotatecheckinterval":  duration(func(c *glog.Config) *time.Duration { return &c.RotateCheckInterval }),
	"rotatesize":           setRotateSize,
	"stskip":               setStackSkip,
	"level":                setLevel,
	"levelprefixes":        setLevelPrefixes,
	"ctxkeys":              setCtxKeys,
}

func text(field func(*glog.Config) *string) setter {
	return func(c *glog.Config, value any) error {
		*field(c) = gconv.String(value)
		return nil
	}
}

func boolean(field func(*glog.Config) *bool) setter {
	words := map[string]bool{
		"true": true, "1": true, "on": true, "yes": true,
		"false": false, "0": false, "off": false, "no": false, "": false,
	}
	return func(c *glog.Config, value any) error {
		b, ok := words[strings.ToLower(gconv.String(value))]
		if !ok {
			return fmt.Errorf("%q is neither true nor false", gconv.String(value))
		}
		*field(c) = b
		return nil
	}
}

func number(low, high int, field func(*glog.Config) *int) setter {
	return func(c *glog.Config, value any) error {
		n, err := strconv.Atoi(gconv.String(value))
		if err != nil {
			return fmt.Errorf("%q is not a whole number", gconv.String(value))
		}
		if n < low || n > high {
			return fmt.Errorf("%d is not between %d and %d", n, low, high)
		}
		*field(c) = n
		return nil
	}
}

// duration takes "90s", "1d" and the like; a bare number counts nanoseconds, as glog has it.
func duration(field func(*glog.Config) *time.Duration) setter {
	return func(c *glog.Config, value any) error {
		d, err := parseDuration(value)
		if err != nil {
			return err
		}
		*field(c) = d
		return nil
	}
}

func parseDuration(value any) (time.Duration, error) {
	d, ok := value.(time.Duration)
	if !ok {
		s := gconv.String(value)
		n, err := strconv.ParseInt(s, 10, 64)
		d = time.Duration(n)
		if err != nil {
			if d, err = gtime.ParseDuration(s); err != nil {
				return 0, fmt.Errorf("%q is not a duration such as 30s, 24h or 1d", s)
			}
		}
	}
	if d < 0 {
		return 0, fmt.Errorf("%v is less than nothing", d)
	}
	return d, nil
}

// setRotateSize takes a number of bytes or a size with a unit.
func setRotateSize(c *glog.Config, value any) error {
	s := gconv.String(value)
	size := gfile.StrToSize(s)
	// A text without digits in front would be taken for a size of nought.
	if s == "" || s[0] < '0' || s[0] > '9' || size < 0 {
		return fmt.Errorf("%q is not a size such as 1048576 or 10M", s)
	}
	c.RotateSize = size
	return nil
}

// setStackSkip counts from the caller of this package, glog counts from its own caller.
func setStackSkip(c *glog.Config, value any) error {
	if err := number(0, 64, func(c *glog.Config) *int { return &c.StSkip })(c, value); err != nil {
		return err
	}
	c.StSkip += ownFrames
	return nil
}

func setLevel(c *glog.Config, value any) (err error) {
	level, err := parseLevel(gconv.String(value))
	if err == nil {
		c.Level = level
	}
	return err
}

// severityNames are the names that levelPrefixes may give a text to.
var severityNames = map[string]int{
	"DEBU": LevelDebug, "DEBUG": LevelDebug,
	"INFO": LevelInfo,
	"NOTI": LevelNotice, "NOTICE": LevelNotice,
	"WARN": LevelWarning, "WARNING": LevelWarning,
	"ERRO": LevelError, "ERROR": LevelError,
	"CRIT": LevelCritical, "CRITICAL": LevelCritical,
	"PANI": LevelPanic, "PANIC": LevelPanic,
	"FATA": LevelFatal, "FATAL": LevelFatal,
}

// setLevelPrefixes takes severity names or glog's numbers as keys.
func setLevelPrefixes(c *glog.Config, value any) error {
	if c.LevelPrefixes == nil { // as a logger may have been given
		c.LevelPrefixes = make(map[int]string)
	}
	for name, prefix := range gconv.MapStrStr(value) {
		level, ok := severityNames[strings.ToUpper(name)]
		if !ok {
			if level, _ = strconv.Atoi(name); severities[level] == nil || level == LevelNone {
				return fmt.Errorf("%q is not a level", name)
			}
		}
		c.LevelPrefixes[level] = prefix
	}
	return nil
}

func setCtxKeys(c *glog.Config, value any) error {
	c.CtxKeys = gconv.Interfaces(value)
	return nil
}

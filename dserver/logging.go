package dserver

import (
	"maps"

	"github.com/osgochina/dmicro/logger"
)

// logPlan is how the log of a server is set up: what comes from the flags, what
// from the file, and what follows from the environment.
type logPlan struct {
	env      string         // dev, develop, test; anything else is product
	debug    bool           // everything, and on the standard output
	settings map[string]any // for logger.SetConfigWithMap
}

// envLevels is the level of each environment, for a file that names none.
var envLevels = map[string]string{
	"dev":     "DEVELOP",
	"develop": "DEVELOP",
	"test":    "INFO",
}

// planLog reads the log settings. A level follows from the environment if none is set, and a file log in product is
// the only one.
func planLog(c *Config, env string, debug bool) logPlan {
	p := logPlan{env: env, debug: debug, settings: maps.Clone(logTable(c))}
	if p.settings == nil {
		p.settings = make(map[string]any)
	}
	level, known := envLevels[env]
	if !known {
		level = "PRODUCT"
	}
	if _, set := lookupKey(p.settings, "level"); !set {
		p.settings["level"] = level
	}
	_, hasPath := lookupKey(p.settings, "path")
	if _, set := lookupKey(p.settings, "stdout"); !set && hasPath && !known {
		p.settings["stdout"] = false
	}
	if debug {
		for _, key := range []string{"level", "stdout"} {
			maps.DeleteFunc(p.settings, func(k string, _ any) bool { return plainKey(k) == key })
		}
		p.settings["level"], p.settings["stdout"] = "ALL", true
	}
	return p
}

// logTable is the table of the file with the settings of the log: logger, or default inside it.
func logTable(c *Config) map[string]any {
	values := c.table("logger").values
	if sub := subTable(values, "default"); sub != nil {
		return sub
	}
	return values
}

func (p logPlan) apply() error { return logger.SetConfigWithMap(p.settings) }

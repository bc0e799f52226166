package dserver

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gogf/gf/v2/os/gcfg"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
)

// Config is the configuration of a server: that of GoFrame, read from the
// server's file, and what dserver makes of it. Without a file it is empty.
type Config struct {
	*gcfg.Config
}

func newConfig() *Config {
	return &Config{Config: gcfg.NewWithAdapter(&fileContent{})}
}

// EndpointConfig returns the settings of the table sandbox.<name>:
//
//	key                 default    kind
//	Network             "tcp"      text
//	ListenIP            "0.0.0.0"  text; the path for unix sockets, and no default then
//	ListenPort          0          0 to 65535; 0 is a random port
//	LocalIP             "0.0.0.0"  text; the same
//	LocalPort           0          0 to 65535
//	DefaultBodyCodec    "json"     name of a codec
//	DefaultSessionAge   0          duration; 0 is unlimited
//	DefaultContextAge   0          duration; 0 is unlimited
//	SlowCometDuration   0          duration; 0 is never slow
//	PrintDetail         false      true or false
//	DialTimeout         30         duration; 0 is none
//	RedialInterval      0          duration; 0 is 100ms
//	RedialTimes         1          times; -1 is for ever
//
// A duration is a whole number of seconds, or a text such as "1.5s". Keys and
// the name are compared as spelled first, then ignoring case. Without a name, or
// without such a table, the defaults are returned. "start" refuses a file with a
// bad value in any sandbox table; one that was put in later is logged and
// counts as missing.
func (c *Config) EndpointConfig(sandboxName ...string) drpc.EndpointConfig {
	t := &table{}
	if len(sandboxName) > 0 && sandboxName[0] != "" {
		sandboxes := c.table("sandbox")
		t = &table{path: "sandbox." + sandboxName[0], values: subTable(sandboxes.values, sandboxName[0])}
	}
	cfg := t.endpointConfig()
	if t.err != nil {
		logger.Errorf(context.Background(), "%v; the default is used", t.err)
	}
	return cfg
}

func (t *table) endpointConfig() drpc.EndpointConfig {
	interval := t.duration("RedialInterval", 0)
	if interval == 0 {
		interval = 100 * time.Millisecond
	}
	network, ip := t.text("Network", "tcp"), "0.0.0.0"
	if strings.HasPrefix(network, "unix") {
		ip = "" // there it is a path, and one of that name would be made
	}
	return drpc.EndpointConfig{
		Network:           network,
		ListenIP:          t.text("ListenIP", ip),
		ListenPort:        uint16(t.number("ListenPort", 0, 0, math.MaxUint16)),
		LocalIP:           t.text("LocalIP", ip),
		LocalPort:         uint16(t.number("LocalPort", 0, 0, math.MaxUint16)),
		DefaultBodyCodec:  t.text("DefaultBodyCodec", "json"),
		DefaultSessionAge: t.duration("DefaultSessionAge", 0),
		DefaultContextAge: t.duration("DefaultContextAge", 0),
		SlowCometDuration: t.duration("SlowCometDuration", 0),
		PrintDetail:       t.flag("PrintDetail", false),
		DialTimeout:       t.duration("DialTimeout", 30*time.Second),
		RedialInterval:    interval,
		RedialTimes:       t.number("RedialTimes", 1, -1, math.MaxInt32),
	}
}

// table returns the top-level table called name, empty if there is none; ""
// means the top level itself.
func (c *Config) table(name string) *table {
	all, err := c.Data(context.Background())
	t := &table{path: name, err: err}
	if name == "" {
		t.values = all
	} else {
		t.values = subTable(all, name)
	}
	return t
}

func subTable(m map[string]any, name string) map[string]any {
	v, _ := lookupKey(m, name)
	sub, _ := v.(map[string]any)
	return sub
}

// checkSandboxes finds the bad values of all sandbox tables, so that they are
// refused before anything is started.
func (c *Config) checkSandboxes() error {
	sandboxes := c.table("sandbox").values
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sandboxes)) {
		if values, ok := sandboxes[name].(map[string]any); ok {
			t := &table{path: "sandbox." + name, values: values}
			t.endpointConfig()
			errs = append(errs, t.err)
		}
	}
	return errors.Join(errs...)
}

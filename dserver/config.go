package dserver

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
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
// Every other field of drpc.EndpointConfig is a key under its name as well, with
// the default of the field: sizes in bytes, limits that -1 takes away.
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
	cfg := drpc.EndpointConfig{
		Network: network, ListenIP: ip, LocalIP: ip, DefaultBodyCodec: "json",
		DialTimeout: 30 * time.Second, RedialInterval: interval, RedialTimes: 1,
	}
	t.fill(&cfg)
	cfg.RedialInterval = interval
	return cfg
}

// mayBeNone are the keys that take -1, which is for ever for RedialTimes, and no limit for the others.
var mayBeNone = []string{
	"RedialTimes", "WriteTimeout", "HandshakeTimeout", "FirstFrameTimeout", "FrameTimeout",
	"MaxSessions", "MaxRequests", "MaxEndpointRequests", "MaxRequestBytes", "MaxEndpointRequestBytes",
}

// fill sets the fields of cfg that the table has a key for, each by the name of the field.
func (t *table) fill(cfg *drpc.EndpointConfig) {
	fields := reflect.ValueOf(cfg).Elem()
	for i := range fields.NumField() {
		key, field := fields.Type().Field(i).Name, fields.Field(i)
		if !field.CanSet() {
			continue
		}
		low := 0
		if slices.Contains(mayBeNone, key) {
			low = -1
		}
		switch v := field.Addr().Interface().(type) {
		case *string:
			*v = t.text(key, *v)
		case *bool:
			*v = t.flag(key, *v)
		case *time.Duration:
			*v = t.limit(key, *v, low)
		case *uint16:
			*v = uint16(t.number(key, int(*v), low, math.MaxUint16))
		case *uint32:
			*v = uint32(t.number(key, int(*v), low, min(math.MaxUint32, math.MaxInt)))
		case *int:
			*v = t.number(key, *v, low, math.MaxInt32)
		case *int64:
			*v = int64(t.number(key, int(*v), low, math.MaxInt))
		}
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

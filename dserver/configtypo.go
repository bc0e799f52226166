package dserver

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/gogf/gf/v2/os/glog"
	"github.com/gogf/gf/v2/text/gstr"

	"github.com/osgochina/dmicro/drpc"
)

// maxTypo is how many letters a key may differ in from the one that was probably meant: a short one in fewer.
const maxTypo = 2

// typos returns a remark for each key that has no effect and is nearly one that has, in the tables of the log and of the
// sandboxes. It is no more than a remark, because other keys in there are the program's own.
func (c *Config) typos() []string {
	remarks := typosIn("logger", logTable(c), reflect.TypeFor[glog.Config](), "the log's")
	sandboxes := c.table("sandbox").values
	for _, name := range slices.Sorted(maps.Keys(sandboxes)) {
		values, _ := sandboxes[name].(map[string]any)
		remarks = append(remarks, typosIn("sandbox."+name, values, reflect.TypeFor[drpc.EndpointConfig](), "an endpoint's")...)
	}
	return remarks
}

// typosIn looks for keys that are nearly a field of the struct that the table sets.
func typosIn(table string, values map[string]any, fields reflect.Type, whose string) (remarks []string) {
	var known []string
	for i := range fields.NumField() {
		if f := fields.Field(i); f.IsExported() {
			known = append(known, f.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if meant := nearest(key, known); meant != "" {
			remarks = append(remarks, fmt.Sprintf("configuration key %s.%s is none of %s: is %s meant?", table, key, whose, meant))
		}
	}
	return remarks
}

// nearest returns the known key that differs least from key, "" if it is one of them or like none.
func nearest(key string, known []string) (meant string) {
	key = plainKey(key)
	best := min(maxTypo, max(1, len(key)/3)) + 1
	for _, k := range known {
		differs := gstr.Levenshtein(key, plainKey(k), 1, 1, 1)
		if differs == 0 {
			return ""
		}
		if differs < best {
			best, meant = differs, k
		}
	}
	return meant
}

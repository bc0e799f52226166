package dserver

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/gogf/gf/v2/text/gstr"

	"github.com/osgochina/dmicro/drpc"
)

// maxTypo is how many letters a key may differ in from the one that was probably meant.
const maxTypo = 2

// typos returns a remark for each key in a sandbox table that is none of an endpoint's, and nearly one. It is no more than
// a remark, because other keys in there are the program's own.
func (c *Config) typos() []string {
	var known []string
	fields := reflect.TypeFor[drpc.EndpointConfig]()
	for i := range fields.NumField() {
		if f := fields.Field(i); f.IsExported() {
			known = append(known, f.Name)
		}
	}
	var remarks []string
	sandboxes := c.table("sandbox").values
	for _, name := range slices.Sorted(maps.Keys(sandboxes)) {
		values, _ := sandboxes[name].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if meant := nearest(key, known); meant != "" {
				remarks = append(remarks, fmt.Sprintf("configuration key sandbox.%s.%s is none of an endpoint's: is %s meant?", name, key, meant))
			}
		}
	}
	return remarks
}

// nearest returns the known key that differs least from key, "" if it is one of them or like none.
func nearest(key string, known []string) (meant string) {
	best := maxTypo + 1
	for _, k := range known {
		differs := gstr.Levenshtein(plainKey(key), plainKey(k), 1, 1, 1)
		if differs == 0 {
			return ""
		}
		if differs < best {
			best, meant = differs, k
		}
	}
	return meant
}

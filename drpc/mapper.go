package drpc

import (
	"path"
	"strings"
	"sync/atomic"
	"unicode"
)

// ServiceMethodMapper makes a service method of a prefix and the name of a struct, method or function.
type ServiceMethodMapper func(prefix, name string) (serviceMethod string)

var serviceMethodMapper atomic.Pointer[ServiceMethodMapper]

// SetServiceMethodMapper sets the mapper of the whole process, for routes registered from now on; nil restores
// HTTPServiceMethodMapper. The root prefix of an endpoint is fixed when it is made.
func SetServiceMethodMapper(mapper ServiceMethodMapper) {
	if mapper == nil {
		serviceMethodMapper.Store(nil)
		return
	}
	serviceMethodMapper.Store(&mapper)
}

func mapServiceMethod(prefix, name string) string {
	if m := serviceMethodMapper.Load(); m != nil {
		return (*m)(prefix, name)
	}
	return HTTPServiceMethodMapper(prefix, name)
}

// HTTPServiceMethodMapper makes paths: AaBb becomes /aa_bb, Aa_Bb becomes /aa/bb and Aa__Bb becomes /aa_bb. It is the
// default.
func HTTPServiceMethodMapper(prefix, name string) string {
	words := snakeCase(splitWords(name, '/'))
	words = strings.ReplaceAll(words, "__", "_")
	words = strings.ReplaceAll(words, "/_", "/")
	return path.Join("/", prefix, words)
}

// RPCServiceMethodMapper makes dotted names: AaBb stays AaBb, Aa_Bb becomes Aa.Bb and Aa__Bb becomes Aa_Bb.
func RPCServiceMethodMapper(prefix, name string) string {
	return strings.Trim(prefix+"."+splitWords(name, '.'), ".")
}

// joinServiceMethod puts a service method that needs no mapping behind the prefix of a group, in the style of the
// prefix: a path where the prefix is one, else a dotted name.
func joinServiceMethod(prefix, serviceMethod string) string {
	if strings.HasPrefix(prefix, "/") {
		return path.Join(prefix, serviceMethod)
	}
	return strings.Trim(prefix+"."+serviceMethod, ".")
}

// splitWords turns a single underscore into sep and a longer run of them into one underscore. A run at the end is one
// underscore too.
func splitWords(name string, sep byte) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			b.WriteByte(name[i])
			continue
		}
		run := i
		for i+1 < len(name) && name[i+1] == '_' {
			i++
		}
		if run == i && i != len(name)-1 {
			b.WriteByte(sep)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

// snakeCase lower-cases name and puts an underscore before a capital that follows a lower-case letter or a digit; a
// run of capitals stays together.
func snakeCase(name string) string {
	var b strings.Builder
	var prev rune
	for _, r := range name {
		if unicode.IsUpper(r) && (unicode.IsLower(prev) || unicode.IsDigit(prev)) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		prev = r
	}
	return b.String()
}

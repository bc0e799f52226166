package jsontest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
)

// Impl is an implementation under test.
type Impl struct {
	Marshal   func(any) ([]byte, error)
	Unmarshal func([]byte, any) error
	// SameErrors asks for errors with the text and type of those of encoding/json, not merely for an error.
	SameErrors bool
}

// Std is encoding/json.
var Std = Impl{Marshal: json.Marshal, Unmarshal: json.Unmarshal}

// Case is one comparison, or a row of them that share a value or a target.
type Case struct {
	Name string
	// Diff returns what differs between the implementation and encoding/json, one line a difference.
	Diff func(Impl) []string
}

// Cases returns all comparisons. Some have input meant to exhaust the stack, so an implementation that is not trusted
// belongs in a process of its own.
func Cases() []Case {
	var cs []Case
	for _, v := range Values() {
		cs = append(cs, Case{"marshal/" + v.Name, func(i Impl) []string { return lines(i.DiffMarshal(v.New)) }})
	}
	inputs := Inputs()
	for _, t := range Targets() {
		cs = append(cs, Case{"unmarshal/" + t.Name, func(i Impl) (ds []string) {
			for _, in := range inputs {
				ds = append(ds, lines(i.DiffUnmarshal([]byte(in), t.New))...)
			}
			return ds
		}})
	}
	return append(cs, hostileCases()...)
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// DiffMarshal encodes what v makes and says how the outcome differs from that of encoding/json: the bytes, whether there is
// an error or a panic. Empty means the same.
func (i Impl) DiffMarshal(v func() any) string {
	want, wantErr := try(func() ([]byte, error) { return json.Marshal(v()) })
	got, gotErr := try(func() ([]byte, error) { return i.Marshal(v()) })
	switch {
	case i.differ(gotErr, wantErr):
		return fmt.Sprintf("error: %v, want %v", cut(gotErr), cut(wantErr))
	case wantErr == nil && string(got) != string(want):
		return fmt.Sprintf("bytes: %s, want %s", cut(string(got)), cut(string(want)))
	}
	return ""
}

// DiffUnmarshal decodes data into what target makes and says how the outcome differs from that of encoding/json: the value,
// after an error too, whether there is an error or a panic, and whether the result lives in data. What decodes is encoded
// again, to compare that as well. Empty means the same.
func (i Impl) DiffUnmarshal(data []byte, target func() any) string {
	want, got := target(), target()
	_, wantErr := try(func() ([]byte, error) { return nil, json.Unmarshal(data, want) })
	input := append(make([]byte, 0, len(data)+32), data...)
	_, gotErr := try(func() ([]byte, error) { return nil, i.Unmarshal(input, got) })
	if string(input) != string(data) {
		return fmt.Sprintf("%s: input became %s", cut(string(data)), cut(string(input)))
	}
	for k := range input {
		input[k] = '#'
	}
	switch {
	case i.differ(gotErr, wantErr):
		return fmt.Sprintf("%s: error: %v, want %v", cut(string(data)), cut(gotErr), cut(wantErr))
	case !reflect.DeepEqual(got, want) && wantErr != nil:
		return fmt.Sprintf("%s: value after an error: %s, want %s", cut(string(data)), show(got), show(want))
	case !reflect.DeepEqual(got, want):
		return fmt.Sprintf("%s: value: %s, want %s", cut(string(data)), show(got), show(want))
	case wantErr == nil:
		if d := i.DiffMarshal(func() any { return want }); d != "" {
			return fmt.Sprintf("%s, encoded again: %s", cut(string(data)), d)
		}
	}
	return ""
}

func (i Impl) differ(got, want error) bool {
	if _, ok := want.(panicked); ok || got == nil || want == nil || isPanic(got) {
		return (got == nil) != (want == nil) || isPanic(got) != isPanic(want)
	}
	return i.SameErrors && (got.Error() != want.Error() || reflect.TypeOf(got) != reflect.TypeOf(want))
}

// panicked is the error of a function that panicked.
type panicked struct{ with any }

func (p panicked) Error() string { return fmt.Sprintf("panic: %v", p.with) }

func isPanic(err error) bool {
	_, ok := err.(panicked)
	return ok
}

func try(f func() ([]byte, error)) (b []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked{r}
		}
	}()
	return f()
}

func cut(v any) string {
	s := fmt.Sprintf("%+v", v)
	if len(s) > 160 {
		s = fmt.Sprintf("%s...(%d bytes)", s[:160], len(s))
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\n", `\n`), "?")
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T(%v)", v, err)
	}
	return fmt.Sprintf("%T(%s)", v, cut(string(b)))
}

// hostileCases are inputs out of proportion: too deep, too long, numbers without end.
func hostileCases() []Case {
	const (
		n = 1_000_000 // levels
		m = 100_000   // of what has no levels
	)
	inputs := map[string]string{
		"arrays": strings.Repeat("[", n), "closed arrays": strings.Repeat("[", n) + strings.Repeat("]", n),
		"objects": strings.Repeat(`{"a":`, n), "closed objects": strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n),
		"recursive objects": strings.Repeat(`{"Next":`, n) + "null" + strings.Repeat("}", n),
		"mixed":             strings.Repeat(`[{"":`, n), "9999 arrays": strings.Repeat("[", 9999) + strings.Repeat("]", 9999),
		"10000 arrays": strings.Repeat("[", 10000) + strings.Repeat("]", 10000), "10001 arrays": strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
		"10000 skipped": `{"skip":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + "}", "10001 skipped": `{"skip":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}",
		"skipped": `{"skip":` + strings.Repeat("[", n), "digits": strings.Repeat("1", m), "fraction": "0." + strings.Repeat("1", m), "exponent": "1e" + strings.Repeat("1", m),
		"long text": `"` + strings.Repeat("a", m) + `"`, "escapes": `"` + strings.Repeat(`\u00e9`, m) + `"`, "open text": `"` + strings.Repeat(`\\`, m),
		"bad bytes": `"` + strings.Repeat("\xff", m) + `"`, "spaces": strings.Repeat(" ", m), "same keys": `{` + strings.Repeat(`"a":1,`, m) + `"a":2}`,
		"zeros": "[" + strings.Repeat("0,", m) + "0]",
	}
	targets := []Target{zero[any](), zero[ring](), zero[[]int](), zero[[]any](), zero[map[string]any](), zero[string](), zero[int](), zero[float64](),
		zero[json.Number](), zero[json.RawMessage](), zero[selfSlice](), zero[selfMap](), zero[small](), zero[onPointer](), zero[[2]int](), zero[struct{}]()}
	var cs []Case
	for name, in := range inputs {
		for _, t := range targets {
			cs = append(cs, Case{"hostile/" + name + "/" + t.Name, func(i Impl) []string {
				return append(lines(i.DiffUnmarshal([]byte(in), t.New)), lines(i.diffMemory([]byte(in), t))...)
			}})
		}
	}
	return append(cs, Case{"concurrent", diffConcurrent})
}

// diffMemory says whether decoding takes out of proportion more memory than encoding/json needs.
func (i Impl) diffMemory(data []byte, t Target) string {
	want := allocated(func() { _ = json.Unmarshal(data, t.New()) })
	got := allocated(func() { _, _ = try(func() ([]byte, error) { return nil, i.Unmarshal(data, t.New()) }) })
	if got > 8*want+uint64(16*len(data))+1<<20 {
		return fmt.Sprintf("memory: %d bytes, encoding/json %d", got, want)
	}
	return ""
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// diffConcurrent lets many goroutines meet types that nobody has used before.
func diffConcurrent(i Impl) []string {
	var (
		mu sync.Mutex
		ds []string
	)
	for round := range 50 {
		inner := reflect.StructOf([]reflect.StructField{
			{Name: "N", Type: reflect.TypeFor[int](), Tag: reflect.StructTag(fmt.Sprintf(`json:"n%d"`, round))},
			{Name: "L", Type: reflect.TypeFor[[]string](), Tag: `json:"l"`},
		})
		t := reflect.StructOf([]reflect.StructField{
			{Name: "A", Type: inner}, {Name: "B", Type: reflect.SliceOf(inner)}, {Name: "C", Type: reflect.MapOf(reflect.TypeFor[string](), inner)},
		})
		in := fmt.Appendf(nil, `{"A":{"n%d":1,"l":["x"]},"B":[{"n%[1]d":2}],"C":{"k":{"n%[1]d":3}}}`, round)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if d := i.DiffUnmarshal(in, func() any { return reflect.New(t).Interface() }); d != "" {
					mu.Lock()
					defer mu.Unlock()
					ds = append(ds, d)
				}
			})
		}
		wg.Wait()
	}
	return ds
}

package tfilter_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

// golden returns the bytes of a file of hex digits in testdata.
func golden(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		tb.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestFormsAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	plain := golden(t, "plain")
	for _, tt := range []struct {
		file, ids string
		exact     bool // packing has only one result
	}{
		{"md5", "5", true},
		{"aes", "a", true},
		{"md5_aes", "5a", true},
		{"gzip", "z", false},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			p, want := pipe(t, tt.ids), golden(t, tt.file)
			if got, err := p.OnUnpack(want); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("OnUnpack = %x, %v, want %x", got, err, plain)
			}
			if got, err := p.OnUnpackLimit(want, len(plain)+16); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("OnUnpackLimit = %x, %v, want %x", got, err, plain)
			}
			got, err := p.OnPack(plain)
			if err != nil {
				t.Fatal(err)
			}
			if tt.exact && !bytes.Equal(got, want) {
				t.Errorf("OnPack = %x, want %x", got, want)
			}
			if back, err := p.OnUnpack(got); err != nil || !bytes.Equal(back, plain) {
				t.Errorf("OnUnpack of OnPack = %x, %v, want %x", back, err, plain)
			}
		})
	}
}

func TestPackRunsLastToFirst(t *testing.T) {
	t.Parallel()
	p := pipe(t, "AB")
	got, err := p.OnPack([]byte("x"))
	if err != nil || string(got) != "ABx" {
		t.Errorf("OnPack = %s, %v, want the first filter outermost", got, err)
	}
	if got, err = p.OnUnpack(got); err != nil || string(got) != "x" {
		t.Errorf("OnUnpack = %s, %v", got, err)
	}
}

func TestRoundTripOfAnyPipeLeavesTheDataAlone(t *testing.T) {
	t.Parallel()
	for _, ids := range []string{"", "5", "z", "a", "A", "5a", "a5", "z5a", "az", "zz", "aaAA55", "g", "gz5", "gg"} {
		for _, data := range []string{"", "x", "fifteen bytes!!", "sixteen bytes!!!", strings.Repeat("é 世界\x00\xff", 10000)} {
			p := pipe(t, ids)
			// Bytes behind the data, within its capacity, belong to others.
			src := []byte(data + "others")[:len(data)]
			packed, err := p.OnPack(src)
			if err != nil {
				t.Fatalf("pipe %q: %v", ids, err)
			}
			before := slices.Clone(packed)
			got, err := p.OnUnpack(packed)
			if err != nil || string(got) != data {
				t.Errorf("pipe %q: %d bytes come back as %d, %v", ids, len(data), len(got), err)
			}
			if string(src[:cap(src)][:len(data)+6]) != data+"others" || !bytes.Equal(packed, before) {
				t.Errorf("pipe %q changed its input", ids)
			}
		}
	}
}

func TestEmptyPipe(t *testing.T) {
	t.Parallel()
	for _, p := range []*tfilter.PipeTFilter{tfilter.NewPipeTFilter(), new(tfilter.PipeTFilter)} {
		data := []byte("data")
		packed, err := p.OnPack(data)
		if err != nil || &packed[0] != &data[0] {
			t.Errorf("OnPack = %s, %v, want data itself", packed, err)
		}
		unpacked, err := p.OnUnpack(data)
		if err != nil || &unpacked[0] != &data[0] {
			t.Errorf("OnUnpack = %s, %v, want data itself", unpacked, err)
		}
		if p.Len() != 0 || p.IDs() != nil || p.Names() != nil || string(p.AppendIDs(data)) != "data" {
			t.Errorf("empty pipe has %d filters %v %v", p.Len(), p.IDs(), p.Names())
		}
	}
}

func TestPipeKeepsItsFiltersInOrder(t *testing.T) {
	t.Parallel()
	p := pipe(t, "A5")
	p.AppendFrom(pipe(t, "zB"))
	p.AppendFrom(nil)
	if p.Len() != 4 || string(p.IDs()) != "A5zB" || string(p.AppendIDs([]byte("<"))) != "<A5zB" {
		t.Errorf("pipe has %d filters %s", p.Len(), p.IDs())
	}
	if want := []string{"mark A", "md5", "gzip", "mark B"}; !slices.Equal(p.Names(), want) {
		t.Errorf("Names = %q, want %q", p.Names(), want)
	}
	ids := p.IDs()
	ids[0] = '#'
	if string(p.IDs()) != "A5zB" {
		t.Error("IDs gives away the pipe's own memory")
	}
	var seen []byte
	p.Iterator(func(i int, f tfilter.TransferFilter) bool {
		if i != len(seen) {
			t.Errorf("index %d, want %d", i, len(seen))
		}
		seen = append(seen, f.ID())
		return i < 2
	})
	if string(seen) != "A5z" {
		t.Errorf("Iterator visits %s, want it to stop when told", seen)
	}
	if p.Reset(); p.Len() != 0 || p.IDs() != nil {
		t.Errorf("after Reset the pipe has %s", p.IDs())
	}
}

func TestAppendIsAllOrNothing(t *testing.T) {
	t.Parallel()
	p := pipe(t, "A")
	if err := p.Append('B', 81, '5'); !errors.Is(err, tfilter.ErrUnsupported) || string(p.IDs()) != "A" {
		t.Errorf("Append of an unknown id leaves %s, %v", p.IDs(), err)
	}
	full := bytes.Repeat([]byte("A"), 254)
	if err := p.Append(full...); err != nil || p.Len() != 255 {
		t.Errorf("255 filters: %d, %v", p.Len(), err)
	}
	if err := p.Append('A'); !errors.Is(err, tfilter.ErrTransferFilterTooLong) || p.Len() != 255 {
		t.Errorf("256 filters: %d, %v", p.Len(), err)
	}
}

func TestPipeThatGrewTooLongDoesNotRun(t *testing.T) {
	t.Parallel()
	p := pipe(t, strings.Repeat("A", 255))
	p.AppendFrom(pipe(t, "A"))
	if _, err := p.OnPack(nil); !errors.Is(err, tfilter.ErrTransferFilterTooLong) {
		t.Errorf("OnPack: %v", err)
	}
	if _, err := p.OnUnpack(nil); !errors.Is(err, tfilter.ErrTransferFilterTooLong) {
		t.Errorf("OnUnpack: %v", err)
	}
	if _, err := p.OnUnpackLimit(nil, 10); !errors.Is(err, tfilter.ErrTransferFilterTooLong) {
		t.Errorf("OnUnpackLimit: %v", err)
	}
}

func TestErrorsNameTheFilter(t *testing.T) {
	t.Parallel()
	p := pipe(t, "AB")
	for name, got := range map[string]func() ([]byte, error){
		"transfer filter mark B: mark is missing": func() ([]byte, error) { return p.OnPack([]byte("unpackable")) },
		"transfer filter mark A: mark is missing": func() ([]byte, error) { return p.OnUnpack([]byte("x")) },
	} {
		if b, err := got(); b != nil || !errors.Is(err, errMark) || err.Error() != name {
			t.Errorf("%s, %v, want %s", b, err, name)
		}
	}
}

func TestLimitHoldsForEveryPipe(t *testing.T) {
	t.Parallel()
	const n = 1000
	data := bytes.Repeat([]byte("x"), n)
	for _, ids := range []string{"", "5", "a", "z", "A", "za", "5z", "zz", "g", "zg"} {
		p := pipe(t, ids)
		packed, err := p.OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{n, n + 1, math.MaxInt} {
			if got, err := p.OnUnpackLimit(packed, limit); err != nil || !bytes.Equal(got, data) {
				t.Errorf("pipe %q, limit %d: %d bytes, %v", ids, limit, len(got), err)
			}
		}
		for _, limit := range []int{n - 1, 1, 0, -1} {
			var size *tfilter.SizeError
			if got, err := p.OnUnpackLimit(packed, limit); got != nil || !errors.As(err, &size) || size.Limit != max(limit, 0) {
				t.Errorf("pipe %q, limit %d: %d bytes, %v", ids, limit, len(got), err)
			}
		}
	}
	// A result of no bytes keeps a limit of none.
	if got, err := pipe(t, "5").OnUnpackLimit(mustPack(t, "5", nil), 0); err != nil || len(got) != 0 {
		t.Errorf("nothing, limit 0: %x, %v", got, err)
	}
	// A filter that ignores limits is stopped before the next one sees its result.
	var size *tfilter.SizeError
	if _, err := pipe(t, "GA").OnUnpackLimit(data, n); !errors.As(err, &size) {
		t.Errorf("filter that grows: %v", err)
	}
}

// mustPack returns data packed by the filters with the ids given.
func mustPack(tb testing.TB, ids string, data []byte) []byte {
	tb.Helper()
	b, err := pipe(tb, ids).OnPack(data)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestPipeDoesNotAllocate(t *testing.T) {
	empty, full := tfilter.NewPipeTFilter(), pipe(t, "A5z")
	data, buf := []byte("data"), make([]byte, 0, 16)
	for name, f := range map[string]func(){
		"empty IDs": func() { _ = empty.IDs() },
		"empty OnPack and OnUnpackLimit": func() {
			b, err := empty.OnPack(data)
			if err == nil {
				_, err = empty.OnUnpackLimit(b, 10)
			}
			if err != nil {
				t.Error(err)
			}
		},
		"AppendIDs": func() { _ = full.AppendIDs(buf) },
		"reused pipe": func() {
			full.Reset()
			if err := full.Append('A', '5'); err != nil {
				t.Error(err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// FuzzPipe checks that any list of ids and any bytes give an error or a result
// within the limit, and that what was packed unpacks.
func FuzzPipe(f *testing.F) {
	for _, name := range []string{"md5", "aes", "gzip", "plain"} {
		f.Add([]byte(name[:1]), golden(f, name))
	}
	f.Add([]byte("5a"), golden(f, "md5_aes"))
	f.Add([]byte("zz5aGQ"), []byte{})
	f.Add([]byte("g"), mustPack(f, "g", []byte("data")))
	f.Fuzz(func(t *testing.T, ids, data []byte) {
		const limit = 1 << 16
		p := tfilter.NewPipeTFilter()
		if len(ids) > 8 || p.Append(ids...) != nil {
			return
		}
		if out, err := p.OnUnpackLimit(data, limit); err == nil && len(out) > limit {
			t.Fatalf("%d bytes", len(out))
		}
		if bytes.ContainsRune(ids, 'G') {
			return // has no reverse
		}
		packed, err := p.OnPack(data)
		if err != nil {
			return
		}
		if out, err := p.OnUnpack(packed); err != nil || !bytes.Equal(out, data) {
			t.Fatalf("pipe %q: %x comes back as %x, %v", ids, data, out, err)
		}
	})
}

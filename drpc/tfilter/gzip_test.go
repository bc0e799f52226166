package tfilter_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

// bomb returns a gzip stream of mib MiB of zeros, in members of one MiB, some
// thousandth of that long.
func bomb(tb testing.TB, mib int) []byte {
	tb.Helper()
	return bytes.Repeat(mustPack(tb, "z", make([]byte, 1<<20)), mib)
}

func TestGzipBombIsRefusedWhileInflating(t *testing.T) {
	const limit = 4 << 20
	for name, in := range map[string][]byte{
		"4 GiB in many members":        bomb(t, 4096),
		"16 MiB in one":                mustPack(t, "z", make([]byte, 16<<20)),
		"compressed twice":             mustPack(t, "z", bomb(t, 64)),
		"one byte more than the limit": mustPack(t, "z", make([]byte, limit+1)),
	} {
		p := pipe(t, "z")
		if name == "compressed twice" {
			p = pipe(t, "zz")
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := p.OnUnpackLimit(in, limit)
		runtime.ReadMemStats(&after)
		var size *tfilter.SizeError
		if out != nil || !errors.As(err, &size) || size.Limit != limit {
			t.Errorf("%s, %d bytes packed: %d bytes, %v", name, len(in), len(out), err)
		}
		// All that was allocated, freed or not, so more than the growth.
		if grown := after.TotalAlloc - before.TotalAlloc; grown >= 16<<20 {
			t.Errorf("%s: allocated %d MiB", name, grown>>20)
		}
	}
}

func TestGzipWithoutALimitHasADefault(t *testing.T) {
	t.Parallel()
	var size *tfilter.SizeError
	if _, err := pipe(t, "z").OnUnpack(bomb(t, tfilter.DefaultUnpackLimit>>20+1)); !errors.As(err, &size) || size.Limit != tfilter.DefaultUnpackLimit {
		t.Errorf("OnUnpack: %v", err)
	}
}

func TestGzipRefusesBadInput(t *testing.T) {
	t.Parallel()
	good := mustPack(t, "z", []byte("some data, some data"))
	damaged := bytes.Clone(good)
	damaged[len(damaged)-8] ^= 1 // check sum
	for name, tt := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":         {nil, io.ErrUnexpectedEOF},
		"cut in header":   {good[:5], io.ErrUnexpectedEOF},
		"cut in data":     {good[:len(good)-9], io.ErrUnexpectedEOF},
		"cut in trailer":  {good[:len(good)-1], io.ErrUnexpectedEOF},
		"no gzip":         {[]byte("no gzip at all"), gzip.ErrHeader},
		"garbage behind":  {append(bytes.Clone(good), "garbage is here"...), gzip.ErrHeader},
		"wrong check sum": {damaged, gzip.ErrChecksum},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := pipe(t, "z").OnUnpack(tt.in); out != nil || !errors.Is(err, tt.want) || errors.Is(err, io.EOF) {
				t.Errorf("OnUnpack = %q, %v, want %v", out, err, tt.want)
			}
			// The decompressor is reused; nothing of the failure may stay.
			if out, err := pipe(t, "z").OnUnpack(good); err != nil || string(out) != "some data, some data" {
				t.Errorf("after a failure: %q, %v", out, err)
			}
		})
	}
}

func TestGzipIsReadByOthers(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("some data "), 1000)
	packed := mustPack(t, "z", want)
	if len(packed) > len(want)/10 {
		t.Errorf("%d bytes pack to %d", len(want), len(packed))
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(zr); err != nil || !bytes.Equal(got, want) {
		t.Errorf("compress/gzip reads %d bytes, %v", len(got), err)
	}
}

func TestGzipResultsDoNotMixUp(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			var kept, want [][]byte
			for range 10 {
				data := make([]byte, rnd.IntN(20000))
				for i := range data {
					data[i] = byte(rnd.IntN(4))
				}
				packed, err := pipe(t, "z").OnPack(data)
				if err != nil {
					t.Error(err)
					return
				}
				kept, want = append(kept, packed), append(want, data)
			}
			for i, packed := range kept {
				if got, err := pipe(t, "z").OnUnpack(packed); err != nil || !bytes.Equal(got, want[i]) {
					t.Errorf("%d bytes come back as %d, %v", len(want[i]), len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzGzip checks that no input harms or exceeds the limit.
func FuzzGzip(f *testing.F) {
	f.Add(golden(f, "gzip"), 100)
	f.Add(golden(f, "gzip"), 10)
	f.Add(mustPack(f, "z", make([]byte, 1<<16)), 1<<10)
	f.Add([]byte{}, -1)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit %= 1 << 20
		out, err := pipe(t, "z").OnUnpackLimit(data, limit)
		if err == nil && len(out) > max(limit, 0) {
			t.Fatalf("%d bytes, limit %d", len(out), limit)
		}
	})
}

func BenchmarkFilters(b *testing.B) {
	data := bytes.Repeat([]byte(`{"id":12345,"title":"some text"},`), 30)
	for _, ids := range []string{"5", "a", "g", "z"} {
		p := pipe(b, ids)
		packed, err := p.OnPack(data)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("Pack/"+p.Names()[0], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := p.OnPack(data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Unpack/"+p.Names()[0], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := p.OnUnpackLimit(packed, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

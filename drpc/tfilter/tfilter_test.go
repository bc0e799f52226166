package tfilter_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

const testKey = "0123456789abcdef"

// mark is a filter of an application: it puts its id in front, and checks that
// it finds it there.
type mark struct {
	id   byte
	name string
}

var errMark = errors.New("mark is missing")

func (m mark) ID() byte     { return m.id }
func (m mark) Name() string { return m.name }

func (m mark) OnPack(src []byte) ([]byte, error) {
	if string(src) == "unpackable" {
		return nil, errMark
	}
	return append([]byte{m.id}, src...), nil
}

func (m mark) OnUnpack(src []byte) ([]byte, error) {
	if len(src) == 0 || src[0] != m.id {
		return nil, errMark
	}
	return src[1:], nil
}

// grow is a filter that doubles its input without asking for a limit.
type grow struct{ mark }

func (grow) OnUnpack(src []byte) ([]byte, error) { return append(src[:len(src):len(src)], src...), nil }

// The registry belongs to the whole process: what tests register stays.
func TestMain(m *testing.M) {
	tfilter.RegMD5()
	tfilter.RegGzip(5)
	key := []byte(testKey)
	tfilter.RegAES(key)
	tfilter.RegAESGCM(key)
	clear(key) // the filters must have their own copies
	tfilter.Reg(mark{'A', "mark A"})
	tfilter.Reg(mark{'B', "mark B"})
	tfilter.Reg(grow{mark{'G', "grow"}})
	os.Exit(m.Run())
}

// pipe returns a pipe of the filters with the ids given.
func pipe(tb testing.TB, ids string) *tfilter.PipeTFilter {
	tb.Helper()
	p := tfilter.NewPipeTFilter()
	if err := p.Append([]byte(ids)...); err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestRegisteredFiltersAreFoundByIDAndName(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]byte{
		tfilter.Md5Name: tfilter.Md5Id, tfilter.GzipName: tfilter.GzipId, tfilter.AesName: tfilter.AesId,
		tfilter.AesGcmName: tfilter.AesGcmId, "mark A": 'A',
	} {
		byID, err := tfilter.Get(id)
		if err != nil || byID.ID() != id || byID.Name() != name {
			t.Errorf("Get(%d) = %v, %v", id, byID, err)
		}
		if byName, err := tfilter.GetByName(name); err != nil || byName != byID {
			t.Errorf("GetByName(%q) = %v, %v", name, byName, err)
		}
	}
	if tfilter.Md5Id != '5' || tfilter.GzipId != 'z' || tfilter.AesId != 'a' || tfilter.AesGcmId != 'g' {
		t.Error("an id on the wire changed")
	}
}

func TestUnknownFilterIsATypedError(t *testing.T) {
	t.Parallel()
	_, byID := tfilter.Get(81)
	inPipe := tfilter.NewPipeTFilter().Append('A', 81)
	_, byName := tfilter.GetByName("GZIP")
	for want, errs := range map[string][]error{
		"unsupported transfer filter id: 81":     {byID, inPipe},
		"unsupported transfer filter name: GZIP": {byName},
	} {
		for _, err := range errs {
			if err == nil || err.Error() != want || !errors.Is(err, tfilter.ErrUnsupported) {
				t.Errorf("error %q, want %q", err, want)
			}
		}
	}
	var (
		id   tfilter.UnknownIDError
		name tfilter.UnknownNameError
	)
	if !errors.As(fmt.Errorf("frame: %w", inPipe), &id) || id != 81 {
		t.Errorf("id in the error is %d", id)
	}
	if !errors.As(byName, &name) || name != "GZIP" {
		t.Errorf("name in the error is %q", name)
	}
}

func TestRegPanicsOnMistakes(t *testing.T) {
	t.Parallel()
	for want, reg := range map[string]func(){
		"tfilter: Reg of nil":                  func() { tfilter.Reg(nil) },
		"tfilter: Reg of id 90 without a name": func() { tfilter.Reg(mark{'Z', ""}) },
		`tfilter: Reg of "mark Z": filter "mark A" is registered already under the id 65`:    func() { tfilter.Reg(mark{'A', "mark Z"}) },
		`tfilter: Reg of id 90: a filter with the name "mark A" is registered already`:       func() { tfilter.Reg(mark{'Z', "mark A"}) },
		`tfilter: Reg of "md5": filter "md5" is registered already under the id 53`:          tfilter.RegMD5,
		`tfilter: Reg of "gzip": filter "gzip" is registered already under the id 122`:       func() { tfilter.RegGzip(1) },
		`tfilter: Reg of "aes": filter "aes" is registered already under the id 97`:          func() { tfilter.RegAES(make([]byte, 32)) },
		`tfilter: Reg of "aes-gcm": filter "aes-gcm" is registered already under the id 103`: func() { tfilter.RegAESGCM(make([]byte, 16)) },
		"tfilter: RegAESGCM: the key has 15 bytes, want 16, 24 or 32":                        func() { tfilter.RegAESGCM([]byte("secret-secret-s")) },
		"tfilter: RegAESGCM: the key has 0 bytes, want 16, 24 or 32":                         func() { tfilter.RegAESGCM(nil) },
		"tfilter: RegGzip: level 10, want -2 to 9":                                           func() { tfilter.RegGzip(10) },
		"tfilter: RegGzip: level -3, want -2 to 9":                                           func() { tfilter.RegGzip(-3) },
		"tfilter: RegAES: the key has 15 bytes, want 16, 24 or 32":                           func() { tfilter.RegAES([]byte("secret-secret-s")) },
		"tfilter: RegAES: the key has 0 bytes, want 16, 24 or 32":                            func() { tfilter.RegAES(nil) },
		`tfilter: Reg of "late": filter "mark B" is registered already under the id 66`:      func() { tfilter.Reg(mark{'B', "late"}) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); text != want {
					t.Errorf("panic %q, want %q", text, want)
				}
			}()
			reg()
		}()
	}
	if _, err := tfilter.Get('Z'); err == nil {
		t.Error("a refused filter is registered")
	}
	if _, err := tfilter.GetByName("late"); err == nil {
		t.Error("the name of a refused filter is registered")
	}
}

func TestNothingShowsTheKey(t *testing.T) {
	t.Parallel()
	var shown []any
	for _, id := range []string{"a", "g"} {
		f, err := tfilter.Get(id[0])
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, f, pipe(t, id))
	}
	for _, v := range shown {
		for _, verb := range []string{"%v", "%+v", "%s", "%x", "%#v"} {
			text := fmt.Sprintf(verb, v)
			// In text, in hex, and as a list of numbers.
			for _, key := range []string{testKey, fmt.Sprintf("%x", testKey), "48 49 50 51", "0x33323130", "858927408"} {
				if strings.Contains(text, key) {
					t.Errorf("%s of %T prints the key: %s", verb, v, text)
				}
			}
		}
	}
}

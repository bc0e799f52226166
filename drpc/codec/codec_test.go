package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

// upper is a codec of an application: it has no AppendMarshal.
type upper struct {
	id   byte
	name string
}

var errUpper = errors.New("not a string")

func (u upper) ID() byte     { return u.id }
func (u upper) Name() string { return u.name }

func (upper) Marshal(v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok {
		return []byte("half"), errUpper
	}
	return []byte(strings.ToUpper(s)), nil
}

func (upper) Unmarshal(data []byte, v any) error {
	*v.(*string) = strings.ToLower(string(data))
	return nil
}

// The registry belongs to the whole process: what tests register stays.
func TestMain(m *testing.M) {
	codec.Reg(upper{'U', "upper"})
	os.Exit(m.Run())
}

// get returns a codec that must be registered.
func get(tb testing.TB, name string) codec.Codec {
	tb.Helper()
	c, err := codec.GetByName(name)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestRegisteredCodecsAreFoundByIDAndName(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]byte{
		codec.JsonName: codec.JsonId, codec.PlainName: codec.PlainId, codec.ProtobufName: codec.ProtobufId,
		codec.FormName: codec.FormId, codec.XmlName: codec.XmlId, "upper": 'U',
	} {
		byID, err := codec.Get(id)
		if err != nil || byID.ID() != id || byID.Name() != name {
			t.Errorf("Get(%d) = %v, %v", id, byID, err)
		}
		byName, err := codec.GetByName(name)
		if err != nil || byName != byID {
			t.Errorf("GetByName(%q) = %v, %v", name, byName, err)
		}
	}
	if codec.JsonId != 'j' || codec.PlainId != 's' || codec.ProtobufId != 'p' || codec.FormId != 'f' || codec.XmlId != 'x' {
		t.Error("an id on the wire changed")
	}
}

func TestUnknownCodecIsATypedError(t *testing.T) {
	t.Parallel()
	_, byID := codec.Get(1)
	_, byNil := codec.Get(codec.NilCodecID)
	_, byName := codec.GetByName("JSON")
	_, byNoName := codec.GetByName(codec.NilCodecName)
	_, marshal := codec.Marshal(1, "x")
	unmarshal := codec.Unmarshal(1, nil, new(string))
	for want, errs := range map[string][]error{
		"unsupported codec id: 1":      {byID, marshal, unmarshal},
		"unsupported codec id: 0":      {byNil},
		"unsupported codec name: JSON": {byName},
		"unsupported codec name: ":     {byNoName},
	} {
		for _, err := range errs {
			if err == nil || err.Error() != want || !errors.Is(err, codec.ErrUnsupported) {
				t.Errorf("error %q, want %q", err, want)
			}
		}
	}
	var (
		id   codec.UnknownIDError
		name codec.UnknownNameError
	)
	if !errors.As(fmt.Errorf("frame: %w", byID), &id) || id != 1 {
		t.Errorf("id in the error is %d", id)
	}
	if !errors.As(byName, &name) || name != "JSON" {
		t.Errorf("name in the error is %q", name)
	}
}

func TestRegPanicsOnMistakes(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]codec.Codec{
		"Reg of nil":                                          nil,
		`Reg of "zero": id 0 means no codec`:                  upper{0, "zero"},
		`Reg of id 90 without a name`:                         upper{'Z', ""},
		`codec "json" is registered already under the id 106`: upper{'j', "json2"},
		`a codec with the name "json" is registered already`:  upper{'Z', "json"},
		`codec "upper" is registered already under the id 85`: upper{'U', "upper"},
		`Reg of "protobuf2": codec "protobuf"`:                upper{'p', "protobuf2"},
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, want) {
					t.Errorf("panic %q, want %q in it", text, want)
				}
			}()
			codec.Reg(c)
		}()
	}
	if _, err := codec.Get('Z'); err == nil {
		t.Error("a refused codec is registered")
	}
	if _, err := codec.GetByName("json2"); err == nil {
		t.Error("the name of a refused codec is registered")
	}
}

func TestCodecOfAnApplicationWorksByID(t *testing.T) {
	t.Parallel()
	b, err := codec.Marshal('U', "abc")
	if err != nil || string(b) != "ABC" {
		t.Errorf("Marshal = %s, %v", b, err)
	}
	var s string
	if err := codec.Unmarshal('U', b, &s); err != nil || s != "abc" {
		t.Errorf("Unmarshal = %s, %v", s, err)
	}
}

func TestAppendKeepsWhatStandsInFront(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"upper", codec.JsonName, codec.PlainName} {
		c := get(t, name)
		want, err := c.Marshal("text")
		if err != nil {
			t.Fatal(err)
		}
		for _, dst := range [][]byte{nil, []byte("head"), slices.Grow([]byte("head"), 64)} {
			got, err := codec.Append(dst, c, "text")
			if err != nil || string(got) != string(dst)+string(want) {
				t.Errorf("%s: Append = %s, %v, want %s after %s", name, got, err, want, dst)
			}
		}
	}
}

func TestAppendReturnsDstOnError(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"upper", codec.JsonName, codec.PlainName, codec.ProtobufName, codec.FormName, codec.XmlName} {
		dst := slices.Grow([]byte("head"), 64)
		got, err := codec.Append(dst, get(t, name), make(chan int))
		if err == nil || !bytes.Equal(got, []byte("head")) {
			t.Errorf("%s: Append of a channel = %q, %v", name, got, err)
		}
	}
}

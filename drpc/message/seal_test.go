package message

import (
	"errors"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

// brackets is a sealer that shows what it has sealed.
type brackets struct{}

func (brackets) Seal(_ *Msg, plain []byte) ([]byte, error) {
	return append(append([]byte("<"), plain...), '>'), nil
}

// broken is a sealer that fails.
type broken struct{ err error }

func (b broken) Seal(*Msg, []byte) ([]byte, error) { return []byte("half"), b.err }

func TestSealerSeesEveryBody(t *testing.T) {
	t.Parallel()
	number := []byte("42")
	for name, body := range map[string]any{
		"value": 42, "bytes": []byte("42"), "bytes behind a pointer": &number,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := From(NewMessage())
			m.SetSealer(brackets{})
			m.SetBodyCodec(codec.JsonId)
			m.SetBody("another") // what is set after the sealer counts
			m.SetBody(body)
			for range 2 { // a message may be encoded again
				if got, err := m.AppendBody([]byte("head")); err != nil || string(got) != "head<42>" {
					t.Errorf("AppendBody: %q, %v", got, err)
				}
				if got, err := m.MarshalBody(); err != nil || string(got) != "<42>" {
					t.Errorf("MarshalBody: %q, %v", got, err)
				}
			}
			if m.Sealer() != (brackets{}) {
				t.Error("the sealer is lost")
			}
			m.Clear()
			if m.Sealer() != nil {
				t.Error("a cleared message keeps its sealer")
			}
		})
	}
}

func TestSealerThatFailsSendsNothing(t *testing.T) {
	t.Parallel()
	want := errors.New("no key")
	m := From(NewMessage(WithBody("secret")))
	m.SetBodyCodec(codec.JsonId)
	m.SetSealer(broken{want})
	if got, err := m.AppendBody([]byte("head")); !errors.Is(err, want) || string(got) != "head" {
		t.Errorf("AppendBody: %q, %v", got, err)
	}
	if got, err := m.MarshalBody(); !errors.Is(err, want) || got != nil {
		t.Errorf("MarshalBody: %q, %v", got, err)
	}
	m.SetSealer(nil)
	if got, err := m.MarshalBody(); err != nil || string(got) != `"secret"` {
		t.Errorf("without a sealer: %q, %v", got, err)
	}
}

package prototest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

// Version checks the id and the name of the protocol.
func (k Kit) Version(t *testing.T, id byte, name string) {
	if gotID, gotName := k.New(nil).Version(); gotID != id || gotName != name {
		t.Errorf("version %d %q, want %d %q", gotID, gotName, id, name)
	}
}

// Deterministic checks that equal messages give equal frames, in whatever order their meta was set.
func (k Kit) Deterministic(t *testing.T) {
	keys := []string{"z", "a", "m", "q", "b", "c", "y"}
	var want []byte
	for i := range 50 {
		m := Call(5)
		for j := range keys {
			key := keys[(i+j)%len(keys)]
			m.Meta().Set(key, key)
		}
		frame := k.Pack(t, m)
		if i == 0 {
			want = frame
		}
		if !bytes.Equal(frame, want) {
			t.Fatalf("%q\n%q", frame, want)
		}
	}
}

// Refusal is a message that cannot be sent: that of most golden frames with a setting.
type Refusal struct {
	With message.MsgSetting
	Want error  // nil: any
	Text string // of the error, if it matters
}

// Refuses checks that messages are packed in no way, those which no protocol takes among them. prefix is what errors
// begin with.
func (k Kit) Refuses(t *testing.T, prefix string, more map[string]Refusal) {
	long := strings.Repeat("x", proto.MaxHeaderPart+1)
	all := map[string]Refusal{
		"method too long": {With: message.WithServiceMethod(long), Want: proto.ErrHeaderTooLong},
		"meta too long":   {With: message.WithSetMeta("k", long), Want: proto.ErrHeaderTooLong},
		"meta value":      {With: message.WithSetMetas(map[string]any{"k": make(chan int)})},
		"body":            {With: message.WithBody(make(chan int))},
		"body codec":      {With: message.WithBodyCodec("no such codec"), Want: codec.ErrUnsupported},
		"filter":          {With: message.WithTFilterPipe('Q')},
		"17 filters":      {With: message.WithTFilterPipe([]byte(strings.Repeat("z", proto.MaxFilters+1))...), Want: proto.ErrTooManyFilters},
		"above the limit": {
			With: func(m message.Message) { message.From(m).SetSizeLimit(50) }, Want: message.ErrExceedMessageSizeLimit,
		},
	}
	for name, r := range more {
		all[name] = r
	}
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := k.Refused(t, Call(1, r.With), r.Want)
			if err != nil && (!strings.HasPrefix(err.Error(), prefix) || r.Text != "" && err.Error() != r.Text) {
				t.Errorf("%v, want %s%s", err, prefix, r.Text)
			}
		})
	}
	for name, stat := range map[string]*status.Status{"status": status.New(1, long), "cause": status.New(1, "m", long)} {
		t.Run(name+" too long", func(t *testing.T) {
			t.Parallel()
			_ = k.Refused(t, Failed(1, stat), proto.ErrHeaderTooLong)
		})
	}
}

package proto_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// filters registers what the tests of filters use. The registry belongs to the whole process.
var filters = sync.OnceFunc(func() {
	tfilter.RegGzip(5)
	tfilter.RegMD5()
})

// limited returns a message with a size limit, and the filters given.
func limited(t *testing.T, limit uint32, ids ...byte) *message.Msg {
	t.Helper()
	filters()
	m := message.From(message.NewMessage(message.WithTFilterPipe(ids...)))
	m.SetSizeLimit(limit)
	return m
}

func TestFilteredPayloadComesBack(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("all work and no play ", 100)
	for _, ids := range []string{"", "z", "5", "5z", "z5"} {
		t.Run(ids, func(t *testing.T) {
			t.Parallel()
			frame, err := proto.Filter([]byte("head"+text), 4, limited(t, 1<<20, []byte(ids)...))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(frame, []byte("head")) {
				t.Fatalf("the head became %q", frame[:4])
			}
			if changed := string(frame[4:]) != text; changed != (ids != "") {
				t.Errorf("the payload was changed: %v", changed)
			}
			m := limited(t, 1<<20, tfilter.Md5Id) // of an earlier message
			payload, err := proto.Unfilter(frame[4:], []byte(ids), m)
			if err != nil || string(payload) != text {
				t.Errorf("%.50q, %v", payload, err)
			}
			if got := string(m.PipeTFilter().IDs()); got != ids {
				t.Errorf("the filters of the message are %q, want %q", got, ids)
			}
		})
	}
}

func TestPayloadAboveTheLimitIsRefusedThoughFiltersShortenIt(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 10_000)
	frame, err := proto.Filter([]byte("head"+text), 4, limited(t, 9_999, tfilter.GzipId))
	if !errors.Is(err, message.ErrExceedMessageSizeLimit) || string(frame) != "head"+text {
		t.Errorf("sent: %v, frame of %d bytes", err, len(frame))
	}
	frame, err = proto.Filter([]byte(text), 0, limited(t, 10_000, tfilter.GzipId))
	if err != nil || len(frame) > 1_000 {
		t.Fatalf("%d bytes, %v", len(frame), err)
	}
	if _, err = proto.Unfilter(frame, []byte{tfilter.GzipId}, limited(t, 9_999)); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Errorf("received: %v", err)
	}
}

func TestFiltersThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ids  string
		want error
	}{
		"too many":        {strings.Repeat("5", proto.MaxFilters+1), proto.ErrTooManyFilters},
		"unknown":         {"z?", tfilter.ErrUnsupported},
		"another payload": {"5", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			payload, err := proto.Unfilter([]byte("no filter made this"), []byte(c.ids), limited(t, 1<<20))
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%q, %v", payload, err)
			}
			if errors.Is(err, message.ErrExceedMessageSizeLimit) {
				t.Errorf("a size is blamed: %v", err)
			}
		})
	}
}

func TestCheckHeaderPartNamesThePart(t *testing.T) {
	t.Parallel()
	if err := proto.CheckHeaderPart("meta", proto.MaxHeaderPart); err != nil {
		t.Error(err)
	}
	err := proto.CheckHeaderPart("meta", proto.MaxHeaderPart+1)
	if !errors.Is(err, proto.ErrHeaderTooLong) || !strings.Contains(err.Error(), "meta") {
		t.Error(err)
	}
}

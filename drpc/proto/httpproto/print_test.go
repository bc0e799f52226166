package httpproto_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/logger"
)

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Log implements logger.Handler.
func (l *lines) Log(int, ...any) {}

// LogF implements logger.Handler.
func (l *lines) LogF(_ int, format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, format, v...)
}

func TestMessagesArePrintedOnDemand(t *testing.T) { // not parallel: the log is that of the process
	var log lines
	logger.AddHandler(t.Name(), &log)
	t.Cleanup(func() { logger.RemoveHandler(t.Name()) })
	var wire bytes.Buffer
	for _, printed := range []bool{false, true} {
		p := httpproto.NewHTTProtoFunc(printed)(&wire)
		if err := p.Pack(prototest.Call(1, message.WithServiceMethod(fmt.Sprintf("/printed/%v", printed)))); err != nil {
			t.Fatal(err)
		}
		if err := p.Unpack(message.NewMessage()); err != nil {
			t.Fatal(err)
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if text := log.text.String(); strings.Count(text, "POST /printed/true HTTP/1.1\r\n") != 2 || strings.Contains(text, "/printed/false") {
		t.Errorf("%q", text)
	}
}

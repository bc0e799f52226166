package conformance

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/race"
)

const (
	callers        = 8
	callsOfACaller = 4
)

// unicode is what every codec can carry as text; XML has no control characters.
const unicode = "é世界 😀 <&>\"'\\ \\n \\\" C:\\new %41+%2B a\tb"

// scenario is something to try with a combination. run returns what went wrong; a status comes as its cause, so that
// errors.Is finds the reason.
type scenario struct {
	name   string
	binary bool // only for bodies that may be any bytes
	run    func(sess drpc.Session, k *bodyKind, filters string) error
}

var scenarios = []scenario{
	{name: "call", run: echo("hello")},
	{name: "unicode", run: echo(unicode)},
	{name: "large", run: echo(largeText())},
	{name: "binary", binary: true, run: echo("\x00\x01\xff\xfe\"\\\x80\r\n")},
	{name: "empty body", run: emptyBody},
	{name: "meta", run: meta},
	{name: "status", run: failure},
	{name: "push", run: push},
	{name: "concurrent", run: concurrent},
}

// largeText has 256 KiB, more than any buffer on the way; less under the race detector, where compressing that much so
// often takes minutes.
func largeText() string {
	size := 1 << 18
	if race.Enabled {
		size = 1 << 16
	}
	const line = "0123456789abcdef"
	return strings.Repeat(line, size/len(line))
}

// outcome is the status as an error.
func outcome(stat *drpc.Status) error {
	if stat.OK() {
		return nil
	}
	return fmt.Errorf("status %v: %w", stat, stat.Cause())
}

func pipe(filters string) message.MsgSetting { return message.WithTFilterPipe([]byte(filters)...) }

// echo calls with text and wants it back.
func echo(text string) func(drpc.Session, *bodyKind, string) error {
	return func(sess drpc.Session, k *bodyKind, filters string) error {
		got, cmd := k.call(sess, &text, pipe(filters))
		if err := outcome(cmd.Status()); err != nil {
			return err
		}
		return same("the reply", got, text)
	}
}

// errChanged is what came out being something else than what went in.
var errChanged = errors.New("changed on the way")

func same(what, got, want string) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%w: %s is %.100q of %d bytes, want %.100q of %d", errChanged, what, got, len(got), want, len(want))
}

func emptyBody(sess drpc.Session, k *bodyKind, filters string) error {
	got, cmd := k.call(sess, nil, pipe(filters))
	if err := outcome(cmd.Status()); err != nil {
		return err
	}
	return same("the reply to nothing", got, "")
}

func meta(sess drpc.Session, k *bodyKind, filters string) error {
	want := map[string]string{
		"A": "1", "Z": "26", "Dash-Key": "v", "Text": `q"uo\te <tag> & more`, "Unicode": "é世界", "Long": strings.Repeat("x", 2000),
	}
	settings := []message.MsgSetting{pipe(filters)}
	for key, value := range want {
		settings = append(settings, message.WithSetMeta(key, value))
	}
	text := "with meta"
	got, cmd := k.call(sess, &text, settings...)
	if err := outcome(cmd.Status()); err != nil {
		return err
	}
	errs := []error{same("the reply", got, text)}
	for key, value := range want {
		v, _ := cmd.InputMeta().Get(answerKey + key).(string)
		errs = append(errs, same("meta "+key, v, value))
	}
	return errors.Join(errs...)
}

func failure(sess drpc.Session, k *bodyKind, filters string) error {
	text := "please fail"
	got, cmd := k.call(sess, &text, pipe(filters), message.WithSetMeta(failKey, "yes"))
	stat := cmd.Status()
	if stat.Code() != failCode {
		return errors.Join(fmt.Errorf("code %d, want %d", stat.Code(), failCode), outcome(stat))
	}
	return errors.Join(same("msg", stat.Msg(), failMsg), same("cause", stat.Cause().Error(), failCause), same("the reply", got, ""))
}

func push(sess drpc.Session, k *bodyKind, filters string) error {
	want := "pushed with " + filters
	if err := outcome(k.push(sess, want, pipe(filters))); err != nil {
		return err
	}
	select {
	case got := <-k.pushed:
		return same("the push", got, want)
	case <-time.After(patience):
		return errors.New("the push never arrives")
	}
}

// concurrent lets several callers share the session; each must get its own replies.
func concurrent(sess drpc.Session, k *bodyKind, filters string) error {
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for i := range errs {
		wg.Go(func() {
			for j := range callsOfACaller {
				text := strings.Repeat(fmt.Sprintf("caller %d call %d;", i, j), j)
				errs[i] = errors.Join(errs[i], echo(text)(sess, k, filters))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

package lifeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Variable names the environment variable that carries the program's end: "<descriptor>,<time between beats>".
const Variable = "DMICRO_LIFELINE"

// ErrNotSupervised is returned by Join when the program was not started with a life-line.
var ErrNotSupervised = errors.New("lifeline: not started with a life-line")

// Join returns a channel that is closed when the supervisor of this process is gone; the program should then finish what
// it has and end. If the supervisor wants beats, they are sent until ctx ends, and so does the watching: ctx should live as
// long as the process. Join takes the variable out of the environment and keeps the descriptor from the programs that this one
// starts; a second Join therefore returns ErrNotSupervised.
//
// Call it early: a supervisor that wants beats counts from the start of the process.
func Join(ctx context.Context) (<-chan struct{}, error) {
	text, ok := os.LookupEnv(Variable)
	if !ok {
		return nil, ErrNotSupervised
	}
	if err := os.Unsetenv(Variable); err != nil {
		return nil, fmt.Errorf("lifeline: %w", err)
	}
	fd, every, err := parse(text)
	if err != nil {
		return nil, err
	}
	end, err := inherited(fd)
	if err != nil {
		return nil, fmt.Errorf("lifeline: descriptor %d: %w", fd, err)
	}
	gone := make(chan struct{})
	forget := context.AfterFunc(ctx, func() { _ = end.Close() })
	go func() {
		defer forget()
		wait(end)
		if ctx.Err() == nil {
			close(gone)
			_ = end.Close()
		}
	}()
	if every > 0 {
		go beat(ctx, gone, end, every)
	}
	return gone, nil
}

// parse reads what Environ wrote.
func parse(text string) (fd int, every time.Duration, err error) {
	number, rest, _ := strings.Cut(text, ",")
	fd, err = strconv.Atoi(number)
	if err == nil {
		every, err = time.ParseDuration(rest)
	}
	if err != nil || fd < 3 || every < 0 {
		return 0, 0, fmt.Errorf("lifeline: bad %s=%q", Variable, text)
	}
	return fd, every, nil
}

// wait returns when the other end is closed. A supervisor says nothing.
func wait(end *os.File) {
	for buf := make([]byte, 64); ; {
		if _, err := end.Read(buf); err != nil {
			return
		}
	}
}

// beat sends a beat at each tick. A supervisor that does not read, because it is frozen itself, must not hold us up: what
// does not fit is left out.
func beat(ctx context.Context, gone <-chan struct{}, end *os.File, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		_ = end.SetWriteDeadline(time.Now().Add(every))
		_, _ = end.Write([]byte{1}) // that the supervisor is gone is noticed by wait
		select {
		case <-tick.C:
		case <-gone:
			return
		case <-ctx.Done():
			return
		}
	}
}

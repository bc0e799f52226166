package lifeline

import (
	"fmt"
	"os"
	"time"
)

// Line is the supervisor's end of a life-line.
type Line struct {
	own, child *os.File
	beats      chan struct{}
	ended      chan struct{}
}

// New makes a line. Close it when the program has ended.
func New() (*Line, error) {
	own, child, err := pair()
	if err != nil {
		return nil, fmt.Errorf("lifeline: %w", err)
	}
	return &Line{own: own, child: child, beats: make(chan struct{}, 1)}, nil
}

// ChildFile is the end that the program inherits, for exec.Cmd.ExtraFiles. Started closes it here.
func (l *Line) ChildFile() *os.File { return l.child }

// Environ is the entry of the program's environment that tells Join where its end is: it has descriptor number fd. With a
// time above 0 the program sends a beat that often.
func Environ(fd int, every time.Duration) string {
	return fmt.Sprintf("%s=%d,%s", Variable, fd, every)
}

// Started is called after the program was started: only it has its end then, and its beats are read.
func (l *Line) Started() {
	_ = l.child.Close()
	l.ended = make(chan struct{})
	go l.listen()
}

// Beats has a token when the program has sent a beat since the last token was taken.
func (l *Line) Beats() <-chan struct{} { return l.beats }

// Close ends the line. A program that still lives takes it for the end of its supervisor.
func (l *Line) Close() error {
	_ = l.child.Close() // closed already if the program was started
	err := l.own.Close()
	if l.ended != nil {
		<-l.ended
	}
	return err
}

func (l *Line) listen() {
	defer close(l.ended)
	buf := make([]byte, 64)
	for {
		if _, err := l.own.Read(buf); err != nil {
			return
		}
		select {
		case l.beats <- struct{}{}:
		default:
		}
	}
}

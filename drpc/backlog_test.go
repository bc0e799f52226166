package drpc

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// numberTask is a task that can be told from others.
type numberTask int

func (numberTask) run() {}

func TestBurstOfShortTasksCostsTwoWakes(t *testing.T) {
	t.Parallel()
	var b backlog
	const n = 1000
	wakes := 0
	count := func(wake bool) {
		if wake {
			wakes++
		}
	}
	for i := range n {
		count(b.push(numberTask(i)))
	}
	count(b.waiting())
	if wakes != 1 {
		t.Errorf("%d wakes before anybody could come", wakes)
	}
	for i := range n {
		got, wake := b.pop(i == 0)
		if got != numberTask(i) {
			t.Fatalf("task %v, want %d", got, i)
		}
		count(wake)
	}
	if wakes != 2 {
		t.Errorf("%d wakes for %d tasks that one worker runs", wakes, n)
	}
	for range 2 { // the second worker, who comes late, and nobody
		if got, wake := b.pop(true); got != nil || wake || b.waiting() {
			t.Errorf("an empty backlog gives %v, wake %v", got, wake)
		}
	}
}

func TestFewTasksWaitForTheReaderAndManyDoNot(t *testing.T) {
	t.Parallel()
	var few, many backlog
	for i := range earlyWake - 1 {
		if few.push(numberTask(i)) || many.push(numberTask(i)) {
			t.Fatalf("a wake for %d tasks", i+1)
		}
	}
	if !few.waiting() || few.waiting() {
		t.Error("the reader wakes one worker, once")
	}
	if !many.push(numberTask(0)) || many.push(numberTask(0)) || many.waiting() {
		t.Errorf("%d tasks wake one worker, once", earlyWake)
	}
}

func TestBacklogThatNeverRunsEmptyDoesNotGrow(t *testing.T) {
	t.Parallel()
	var b backlog
	next := 0
	for i := range 100_000 {
		b.push(numberTask(i))
		if i < 10 {
			continue
		}
		if got, _ := b.pop(false); got != numberTask(next) {
			t.Fatalf("task %v, want %d", got, next)
		}
		next++
	}
	if cap(b.tasks) > 64 {
		t.Errorf("room for %d tasks where 11 wait", cap(b.tasks))
	}
	for i := range 100_000 {
		b.push(numberTask(i))
	}
	for got, _ := b.pop(false); got != nil; got, _ = b.pop(false) {
	}
	if cap(b.tasks) > keptTasks {
		t.Errorf("room for %d tasks is kept after a burst", cap(b.tasks))
	}
}

// FuzzBacklog plays a reader and workers in any order. Every task blocks for ever, which is the worst a handler can do:
// each must be taken all the same, once, and in the order in which they came.
func FuzzBacklog(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 2, 0, 3})
	f.Add([]byte(strings.Repeat("\x00", 40) + "\x02\x01\x02\x00\x00\x03\x01"))
	f.Add([]byte(strings.Repeat("\x00\x02\x00\x03", 30)))
	f.Fuzz(func(t *testing.T, script []byte) {
		var b backlog
		pushed, taken, coming, free := 0, 0, 0, 0
		wake := func(wake bool) {
			if wake {
				coming++
			}
		}
		take := func(arrived bool) bool {
			got, more := b.pop(arrived)
			wake(more)
			if got == nil {
				return false
			}
			if got != numberTask(taken) {
				t.Fatalf("task %v, want %d", got, taken)
			}
			taken++
			return true
		}
		for _, op := range script {
			switch op % 5 {
			case 0, 4:
				wake(b.push(numberTask(pushed)))
				pushed++
			case 1: // the reader waits
				wake(b.waiting())
			case 2: // a worker comes; an odd one will be done with its task
				if coming > 0 {
					coming--
					if take(true) && op%2 == 1 {
						free++
					}
				}
			case 3: // one is done, and takes another task, which blocks
				if free > 0 {
					free--
					take(false)
				}
			}
			if coming > 1 {
				t.Fatal("two workers are coming at once")
			}
		}
		wake(b.waiting())
		for ; coming > 0; coming-- {
			take(true)
		}
		if taken != pushed {
			t.Errorf("%d tasks of %d were taken", taken, pushed)
		}
	})
}

// crowd is a server with a handler that returns once as many are in it as asked for.
func crowd(t testing.TB, n int) Endpoint {
	srv := newPeer(t, EndpointConfig{})
	var in atomic.Int32
	all := make(chan struct{})
	HandleCall(srv, "/meet", func(CallCtx, *int) (int, *Status) {
		if int(in.Add(1)) == n {
			close(all)
		}
		<-all
		return n, nil
	})
	HandleCall(srv, "/quick", func(_ CallCtx, n *int) (int, *Status) { return *n, nil })
	return srv
}

func TestNoRequestQueuesBehindAHandlerThatBlocks(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, earlyWake - 1, earlyWake, earlyWake + 1, 400} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, crowd(t, n)))
			done := make(chan CallCmd, 2*n)
			for i := range n {
				sess.AsyncCall("/quick", i, new(int), done)
				sess.AsyncCall("/meet", i, new(int), done)
			}
			for range 2 * n {
				if c := polltest.Receive(t, "all of them to meet", done); !c.StatusOK() {
					t.Fatal(c.Status())
				}
			}
		})
	}
}

func TestRequestsThatComeInOneReadMeetToo(t *testing.T) {
	t.Parallel()
	const n = 5 // too few for an early wake
	conn := rawDial(t, serve(t, crowd(t, n)))
	var burst []byte
	for seq := range int32(n) {
		burst = append(burst, hostileFrame(t, message.WithServiceMethod("/meet"), message.WithBody(1),
			message.WithBodyCodec(codec.JsonName), func(m message.Message) { m.SetSeq(seq) })...)
	}
	if _, err := conn.Raw().Write(burst); err != nil {
		t.Fatal(err)
	}
	for range n {
		if m := conn.next(); m == nil || !m.StatusOK() {
			t.Fatalf("reply %v", m)
		}
	}
}

// gates are plugins with one hook each, which waits; so no other hook hands over in its place.
type (
	gate               func(method string)
	beforeReadHeader   struct{ gate }
	afterCallHeader    struct{ gate }
	beforeCallBody     struct{ gate }
	afterPushHeader    struct{ gate }
	beforePushBody     struct{ gate }
	gateOfUnknownFrame struct{ gate }
)

func (gate) Name() string { return "gate" }

func (g gate) pass(c ReadCtx) *Status { g(c.ServiceMethod()); return nil }

func (g beforeReadHeader) BeforeReadHeader(EarlyCtx) error      { g.gate(""); return nil }
func (g afterCallHeader) AfterReadCallHeader(c ReadCtx) *Status { return g.pass(c) }
func (g beforeCallBody) BeforeReadCallBody(c ReadCtx) *Status   { return g.pass(c) }
func (g afterPushHeader) AfterReadPushHeader(c ReadCtx) *Status { return g.pass(c) }
func (g beforePushBody) BeforeReadPushBody(c ReadCtx) *Status   { return g.pass(c) }

// A hook of the reader waits here until all requests run that came before it, and they wait for each other. A frame of
// no known type ends the reading, with the same requests before it.
func TestReaderThatAHookBlocksKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plugin func(gate) Plugin
		mtype  byte
	}{
		"BeforeReadHeader":    {func(g gate) Plugin { return beforeReadHeader{g} }, message.TypeCall},
		"AfterReadCallHeader": {func(g gate) Plugin { return afterCallHeader{g} }, message.TypeCall},
		"BeforeReadCallBody":  {func(g gate) Plugin { return beforeCallBody{g} }, message.TypeCall},
		"AfterReadPushHeader": {func(g gate) Plugin { return afterPushHeader{g} }, message.TypePush},
		"BeforeReadPushBody":  {func(g gate) Plugin { return beforePushBody{g} }, message.TypePush},
		"no known type":       {func(g gate) Plugin { return gateOfUnknownFrame{g} }, 99},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const before = 3
			var ran, headers atomic.Int32
			all := make(chan struct{})
			srv := newPeer(t, EndpointConfig{}, tt.plugin(func(method string) {
				if method == "/gated" || method == "" && headers.Add(1) == before+1 { // once the others were read
					<-all
				}
			}))
			HandleCall(srv, "/free", func(CallCtx, *int) (int, *Status) {
				if ran.Add(1) == before {
					close(all)
				}
				<-all
				return 1, nil
			})
			HandleCall(srv, "/gated", func(CallCtx, *int) (int, *Status) { return 2, nil })
			HandlePush(srv, "/gated", func(PushCtx, *int) *Status { return nil })
			p := rawDial(t, serve(t, srv))
			var burst []byte
			for seq := range int32(before + 1) {
				mtype, method := byte(message.TypeCall), "/free"
				if seq == before {
					mtype, method = tt.mtype, "/gated"
				}
				burst = append(burst, hostileFrame(t, message.WithServiceMethod(method), message.WithMType(mtype),
					message.WithBody(1), message.WithBodyCodec(codec.JsonName), func(m message.Message) { m.SetSeq(seq) })...)
			}
			if _, err := p.Raw().Write(burst); err != nil {
				t.Fatal(err)
			}
			polltest.Receive(t, "the requests before the hook to run", all)
			replies := before
			switch tt.mtype {
			case message.TypeCall:
				replies++
			case 99:
				replies = 0 // the session has ended
			}
			for range replies {
				if m := p.next(); m == nil || !m.StatusOK() {
					t.Fatalf("reply %v", m)
				}
			}
		})
	}
}

func TestRefusalThatThePeerDoesNotReadKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{MaxRequests: 1, OutboxSize: 64})
	ran := make(chan struct{}, 1)
	HandleCall(srv, "/echo", func(CallCtx, *string) (string, *Status) { ran <- struct{}{}; return "", nil })
	near, far := net.Pipe() // where a write waits for its reader
	if _, stat := srv.ServeConn(near); stat != nil {
		t.Fatal(stat)
	}
	p := newRawPeer(t, far)
	const n = 10
	var burst []byte
	for seq := range int32(n) {
		burst = append(burst, honestFrame(t, func(m message.Message) { m.SetSeq(seq) })...)
	}
	if _, err := far.Write(burst); err != nil {
		t.Fatal(err)
	}
	polltest.Receive(t, "the call before the refusals", ran)
	for range n {
		if m := p.next(); m == nil {
			t.Fatal("the session has ended")
		}
	}
}

func TestBacklogUnderRacingWorkers(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{MaxRequests: -1})
	var ran atomic.Int32
	HandlePush(srv, "/count", func(PushCtx, *int) *Status { ran.Add(1); return nil })
	HandleCall(srv, "/double", double)
	cli := newPeer(t, EndpointConfig{})
	HandleCall(cli, "/double", double)
	HandleCall(srv, "/back", func(c CallCtx, n *int) (int, *Status) {
		var twice int
		stat := c.Session().Call("/double", *n, &twice).Status()
		return twice, stat
	})
	sess := dial(t, cli, serve(t, srv))
	const senders, each = 20, 100
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for n := range each {
				for _, method := range []string{"/double", "/back"} {
					var got int
					if stat := sess.Call(method, n, &got, WithContext(ctx)).Status(); stat != nil || got != 2*n {
						t.Errorf("%s: %d, %v", method, got, stat)
						return
					}
				}
				if stat := sess.Push("/count", n); stat != nil {
					t.Error(stat)
				}
			}
		})
	}
	wg.Wait()
	polltest.Until(t, "all pushes to run", func() bool { return ran.Load() == senders*each })
	quiet(t, srv)
	quiet(t, cli)
}

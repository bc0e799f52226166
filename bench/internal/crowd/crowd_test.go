package crowd

import (
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain makes the test binary the program of servers and clients, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "server" || os.Args[1] == "client") {
		if err := Child(os.Args[1:], os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // libraries start some when they are loaded
}

func TestASmallCrowd(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the loopback network has one address only")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			plan := Plan{
				Program: program, Idle: 2*wave + 11, Calling: 21, Watch: 50 * time.Millisecond,
				Stderr: t.Output(), Progress: t.Logf,
			}
			crowds, err := plan.Measure(t.Context(), network)
			if err != nil {
				t.Fatal(err)
			}
			idle, calling := crowds[0], crowds[1]
			if idle.Sessions+len(idle.Limit) < plan.Idle || idle.Calls != nil || idle.Accepting <= 0 || idle.Clients < 2 {
				t.Errorf("unlikely: %+v", idle)
			}
			if idle.Server.Heap < 500 || idle.Client.Heap < 500 || idle.Server.Resident > 1<<20 {
				t.Errorf("a session holds %+v in the server, %+v in a client", idle.Server, idle.Client)
			}
			if calling.Calls == nil || calling.Calls.Made == 0 || calling.Calls.Failed != 0 || calling.Calls.P50 <= 0 {
				t.Errorf("calls: %+v", calling.Calls)
			}
		})
	}
}

func TestChildRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	if err := Child([]string{"client", "-nonsense"}, nil, nil); err == nil {
		t.Error("took -nonsense")
	}
}

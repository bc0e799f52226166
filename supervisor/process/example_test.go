//go:build unix

package process_test

import (
	"fmt"

	"github.com/osgochina/dmicro/supervisor/process"
)

// A program that runs until it is stopped. If it ended by itself it would be started again.
func ExampleManager() {
	m := process.NewManager()
	p, err := m.NewProcessByOptions(process.NewProcOptions(
		process.ProcName("sleeper"),
		process.ProcCommand("/bin/sleep"),
		process.ProcArgs("1000"),
		process.ProcStartSecs(0), // it counts as running at once
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.StartProcess("sleeper", true))
	fmt.Println(p.GetProcessInfo().StateName)
	m.StopAllProcesses()
	fmt.Println(p.GetProcessInfo().StateName)
	// Output:
	// true <nil>
	// Running
	// Stopped
}

func ExampleSplitCommand() {
	words, err := process.SplitCommand(`/srv/app/worker --queue "new orders" --name it\'s`)
	fmt.Printf("%q %v\n", words, err)
	// Output: ["/srv/app/worker" "--queue" "new orders" "--name" "it's"] <nil>
}

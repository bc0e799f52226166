package ini_test

import (
	"fmt"
	"strings"

	"github.com/osgochina/dmicro/supervisor/ini"
)

func ExampleLoad() {
	programs, err := ini.Load(strings.NewReader(`
[program:worker]
command = /srv/app/worker --number %(process_num)d
process_name = %(program_name)s_%(process_num)02d
numprocs = 2
`), "/etc/app")
	for _, p := range programs {
		fmt.Println(p.Name, p.Command, p.Args)
	}
	fmt.Println(err)

	_, err = ini.Load(strings.NewReader("[program:worker]\ncomand = /srv/app/worker\n"), "/etc/app")
	fmt.Println(err)
	// Output:
	// worker_00 /srv/app/worker [--number 0]
	// worker_01 /srv/app/worker [--number 1]
	// <nil>
	// ini: line 2: [program:worker] comand: is not a key that is known here
}

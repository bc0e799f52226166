package proclog_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/osgochina/dmicro/supervisor/proclog"
)

// Output that is kept in a file, at most 1 MiB of it and three files before that.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "proclog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	size, err := proclog.ParseSize("1MB")
	if err != nil {
		fmt.Println(err)
		return
	}
	log, err := proclog.Open(filepath.Join(dir, "app.log"), proclog.Config{MaxBytes: int64(size), Backups: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	fmt.Fprintln(log, "started")
	fmt.Fprintln(log, "served 3 orders")
	text, err := log.ReadLog(-int64(len("served 3 orders\n")), 0)
	fmt.Print(text)
	fmt.Println(err)
	// Output:
	// served 3 orders
	// <nil>
}

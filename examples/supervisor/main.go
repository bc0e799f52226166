// Command supervisor looks after the programs of an ini file until it is told to stop.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/osgochina/dmicro/supervisor/ini"
	"github.com/osgochina/dmicro/supervisor/process"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: supervisor FILE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	process.ReapZombie() // as process 1 of a container there is nobody else
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts the programs, says what becomes of them, and stops them when ctx ends. A program that does not come up is
// told in the error; the others run on meanwhile.
func run(ctx context.Context, file string, out io.Writer) error {
	programs, err := ini.LoadFile(file)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return errors.New(file + " has no programs")
	}
	changes := make(chan string)
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		for line := range changes {
			fmt.Fprintln(out, line)
		}
	}()
	defer func() { close(changes); <-printed }()

	m := process.NewManager()
	for _, o := range programs {
		o.OnChange = func(i *process.Info) { changes <- fmt.Sprintf("%-10s %-9s %s", i.Name, i.StateName, i.SpawnErr) }
		if _, err = m.NewProcessByOptions(o); err != nil {
			return err
		}
	}
	err = m.StartAll()
	<-ctx.Done()
	m.StopAllProcesses()
	return err
}

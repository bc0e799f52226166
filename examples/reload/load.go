package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/logger"
)

const (
	callers     = 8
	callLimit   = 30 * time.Second
	betweenTime = 300 * time.Millisecond // of load between two reloads
)

func loadCommand(o *options) *cobra.Command {
	reloads := 5
	cmd := &cobra.Command{
		Use:   "load",
		Short: "call the running application, reload it meanwhile, and count what became of the calls",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return load(cmd.OutOrStdout(), o, reloads)
		},
	}
	cmd.Flags().IntVar(&reloads, "reloads", reloads, "how often the application is reloaded")
	return cmd
}

// load fails unless every call was executed once.
func load(out io.Writer, o *options, reloads int) error {
	logger.SetLevel(logger.LevelCritical) // each session tells that it moves; what goes wrong is counted
	endpoint, err := drpc.New(drpc.EndpointConfig{RedialTimes: 50, DialTimeout: callLimit})
	if err != nil {
		return err
	}
	defer func() { _ = endpoint.Close() }()
	var (
		stop   = make(chan struct{})
		wg     sync.WaitGroup
		made   atomic.Int64
		failed atomic.Int64
	)
	for caller := range callers {
		session, stat := endpoint.Dial(fmt.Sprintf("127.0.0.1:%d", o.port))
		if !stat.OK() {
			return fmt.Errorf("dial: %v", stat)
		}
		wg.Go(func() {
			for n := 0; !closed(stop); n++ {
				made.Add(1)
				if stat := enter(session, fmt.Sprintf("%d-%d", caller, n)); !stat.OK() {
					failed.Add(1)
					fmt.Fprintf(out, "call %d-%d: %v\n", caller, n, stat)
				}
			}
		})
	}
	err = reloadSome(out, reloads)
	close(stop)
	wg.Wait()
	if err != nil {
		return err
	}
	twice, never, err := audit(o.ledger, made.Load())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "calls made %d, failed %d, run twice %d, never run %d\n", made.Load(), failed.Load(), twice, never)
	if failed.Load()+twice+never > 0 {
		return errors.New("calls were lost or run twice")
	}
	return nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func enter(session drpc.Session, id string) *drpc.Status {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	return session.Call("/ledger/enter", id, nil, message.WithContext(ctx)).Status()
}

// reloadSome reloads the application as a person would, with its command.
func reloadSome(out io.Writer, reloads int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for range reloads {
		time.Sleep(betweenTime)
		text, err := exec.Command(self, "reload").CombinedOutput()
		fmt.Fprint(out, string(text))
		if err != nil {
			return fmt.Errorf("reload: %w", err)
		}
	}
	time.Sleep(betweenTime)
	return nil
}

// audit counts the entries of calls that ran more than once, and the calls without an entry.
func audit(ledger string, made int64) (twice, never int64, err error) {
	text, err := os.ReadFile(ledger)
	if err != nil {
		return 0, 0, err
	}
	entries := make(map[string]bool)
	for id := range strings.FieldsSeq(string(text)) {
		if entries[id] {
			twice++
		}
		entries[id] = true
	}
	return twice, made - int64(len(entries)), nil
}

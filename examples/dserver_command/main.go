// Command dserver_command is an application with a command of its own beside start, stop and the others.
package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/dserver"
	"github.com/osgochina/dmicro/logger"
)

// box is a sandbox that does nothing until it is stopped.
type box struct{ dserver.BaseSandbox }

func (b *box) Name() string { return "box" }

func (b *box) Setup() error {
	<-b.Context.Done()
	return nil
}

func (b *box) Shutdown() error { return nil }

func main() {
	dserver.SetName("with_command")
	dserver.Cobra(func(root *cobra.Command) {
		loud := false
		greet := &cobra.Command{
			Use:   "greet NAME",
			Short: "greet somebody, whether the application runs or not",
			Args:  cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				if loud {
					fmt.Printf("HELLO, %s!\n", args[0])
				} else {
					fmt.Printf("hello, %s\n", args[0])
				}
				return nil
			},
		}
		greet.Flags().BoolVar(&loud, "loud", false, "raise the voice")
		root.AddCommand(greet)
	})
	dserver.Setup(func(svr *dserver.DServer) {
		if err := svr.AddSandBox(new(box)); err != nil {
			logger.Fatal(context.Background(), err)
		}
	})
}

// Arguments: greet gopher --loud
//
// Output:
// HELLO, gopher!

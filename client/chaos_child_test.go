package client

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/server"
)

// roleEnv makes the test binary a server that its parent plays with.
const roleEnv = "DMICRO_CLIENT_TEST_ROLE"

// workTime is how long a node works for a call.
const workTime = 5 * time.Millisecond

// childRole runs the server if this process is to be one.
func childRole() bool {
	if os.Getenv(roleEnv) != "server" {
		return false
	}
	logger.SetLevel(logger.LevelCritical) // standard output is for the parent
	s, err := server.New("svc", server.OptListenAddress("127.0.0.1:0"), server.OptRegistry(&toldRegistry{Registry: memory.NewRegistry()}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	drpc.HandleCall(s, "/work", func(c drpc.CallCtx, arg *int) (int, *drpc.Status) {
		select {
		case <-time.After(workTime):
		case <-c.Context().Done():
		}
		return *arg + 1, nil
	})
	go func() {
		bufio.NewScanner(os.Stdin).Scan() // "drain", or the end of the parent
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			fmt.Println("shutdown", err)
		}
		fmt.Println("left")
		os.Exit(0)
	}()
	_ = s.ListenAndServe() // ends with Shutdown
	select {}
}

// toldRegistry passes on to the parent what is registered.
type toldRegistry struct {
	registry.Registry
	once sync.Once
}

func (r *toldRegistry) Register(s *registry.Service, _ ...registry.RegisterOption) error {
	r.once.Do(func() { fmt.Println("register", s.Nodes[0].Address) })
	return nil
}

func (r *toldRegistry) Deregister(s *registry.Service, _ ...registry.DeregisterOption) error {
	fmt.Println("deregister", s.Nodes[0].Address)
	return nil
}

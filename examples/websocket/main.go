// Command websocket serves a page that chats with it: the page calls, and everybody who has it open gets pushes.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"io/fs"
	"log"
	"net/http"
	"os/signal"
	"strings"
	"syscall"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
)

//go:embed page
var files embed.FS

// maxText is how long what somebody says may be, in bytes.
const maxText = 1000

// newServer makes the server: the page under /, the websocket under /ws.
func newServer(port uint16) (*websocket.Server, error) {
	srv := websocket.NewServer("/ws", drpc.EndpointConfig{ListenIP: "127.0.0.1", ListenPort: port, MaxMessageSize: 64 << 10})
	page, err := fs.Sub(files, "page")
	if err != nil {
		return nil, err
	}
	srv.Handle("/", http.FileServerFS(page))
	drpc.HandleCall(srv, "/say", func(c drpc.CallCtx, text *string) (int, *drpc.Status) {
		said := strings.TrimSpace(*text)
		if said == "" || len(said) > maxText {
			return 0, drpc.NewStatus(1001, "say something, but not too much")
		}
		reached := 0
		srv.RangeSession(func(sess drpc.Session) bool {
			if stat := sess.Push("/said", said); stat.OK() {
				reached++
			}
			return true
		})
		return reached, nil
	})
	return srv, nil
}

func main() {
	port := flag.Uint("port", 8080, "port on the loopback interface")
	flag.Parse()
	srv, err := newServer(uint16(*port))
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		closed <- srv.Close()
	}()
	if err := srv.ListenAndServeJSON(); !errors.Is(err, drpc.ErrListenClosed) {
		log.Fatal(err)
	}
	if err := <-closed; err != nil {
		log.Print(err)
	}
}

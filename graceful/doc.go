// Package graceful replaces a running process by a new one without losing a connection: the new process inherits the
// listening sockets, says when it is ready, and only then the old one stops accepting.
//
// It is the only place that knows the environment variables and descriptor numbers of that hand-over. It needs no
// framework: anything that serves a [net.Listener] can be reloaded, such as net/http, ghttp and servers of one's own.
//
//	ln, err := graceful.Listen("tcp", ":8080") // inherited if the predecessor had it, else bound
//	...
//	go srv.Serve(ln)
//	err = graceful.Run(ctx, report) // ready; reloads on SIGHUP and SIGUSR2, returns when it is time to leave
//	...
//	srv.Shutdown(drain)
//
// # A reload
//
//  1. [Upgrader.Reload] starts the program again. Each listening socket is an extra descriptor of the new process, and
//     there is a pipe in either direction.
//  2. The new process listens on what it needs: an address that its predecessor listened on is taken over, others are
//     bound. Nothing is accepted yet: Accept waits, while the old process goes on serving.
//  3. The new process calls [Upgrader.Ready].
//  4. The old process stops accepting: its Accept calls return an error that is [net.ErrClosed]. Connections that
//     arrive in between wait in the kernel.
//  5. The new process is told to go ahead, and its Accept calls return connections. The old one finishes what it has, at
//     its own pace, and leaves.
//
// Until step 4 the new process can die, hang or refuse, and nothing has happened: it is removed, and the error of the
// reload, a [StartError], carries its exit state and its last words. From step 4 on there is no way back.
//
// A further reload may begin as soon as the new process is ready, even if generations before it still drain; how
// many there are at a time is bounded by how long a program lets itself drain.
//
// # UDP
//
// Two processes that read one UDP socket take each other's packets, so exactly one reads at any time: the old process
// up to step 4, the new one from step 5 on. The old one may go on writing, to tell its peers to leave. See
// [Upgrader.ListenPacket].
//
// # Unix sockets
//
// The file of a socket stays through reloads and goes with [Upgrader.Stop]. A file left behind by a process that was
// killed is replaced; one that a living process serves, or that is no socket, never is. New ones have mode 0600.
//
// # Concurrency and platforms
//
// All functions and methods may be used concurrently. Linux and macOS work alike. On Windows listening works, without
// inheritance, and Reload fails with [ErrUnsupported].
package graceful

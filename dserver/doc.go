// Package dserver turns business code into an application: it is started,
// stopped and inspected from the command line, reads a configuration file, and
// keeps exactly one copy of itself running.
//
// A server ([DServer]) has services ([DService]) that hold sandboxes. A sandbox
// is a unit of business code: a pointer to a struct that embeds [BaseSandbox]
// and has Name, Setup and Shutdown. A program hands its sandboxes over in the
// function it gives to [Setup]:
//
//	dserver.SetName("orders")
//	dserver.Setup(func(svr *dserver.DServer) {
//		if err := svr.AddSandBox(new(OrderSandbox)); err != nil {
//			logger.Fatal(context.TODO(), err)
//		}
//	})
//
// # Command line
//
// start [sandbox ...], reload, stop, quit, status, version, ctl, help, and
// whatever the program adds with [Cobra]. "start" also fails, then or later, when every sandbox
// has failed. Exit codes: 0 done, 1 failed, 2 wrong usage, 3
// "status" of a server that does not run, 128+n ended at once by signal n.
//
// ctl without a command opens a shell, with one it runs that and ends; --json
// prints for programs. Texts are English, or Chinese where LC_ALL, LC_MESSAGES or
// LANG begins with zh. Colours show on a terminal only, and not if NO_COLOR is
// set. The commands are ps, start, stop, debug, log, top, sessions, routes,
// version, help, clear, exit.
//
// # Files
//
// The pid file <name>.pid (locked as long as the process lives) and the control
// socket <name>.sock stand in the run directory <tmp>/<name>-<uid>, which is
// mode 0700 and refused if it belongs to somebody else. <tmp> is $DMICRO_RUN_DIR
// or the system's temporary directory; setting it lets copies of one
// application run side by side. --pid FILE, or [DServer.SetPidFile], adds a pid
// file at a place of one's own. The shell keeps its history in $HOME/.<name>.hist.
//
// # Configuration
//
// config.{toml,yaml,yml,json,ini,xml,properties} in the working directory, in
// the directory of the binary, or in the folder config of either; --config FILE
// names another. No file at all is fine. See [Config.EndpointConfig] for the
// keys of a sandbox. Of the rest dserver itself reads
//
//	[logger]              settings of the log, see logger.SetConfigWithMap
//	ENV_NAME = "product"  dev, test or product: the log level when none is set; --env goes first
//	Debug = false         log everything, to the standard output too; --debug goes first
//	[dserver]
//	StopTimeout = 15      limit of a graceful stop; seconds, or "1m30s"
//	DrainTimeout = 0      limit of the old process after a reload; 0 is that of a stop
//	ReadyTimeout = 60     what a new process may take until it serves
//	Heartbeat = 10        silence after which a worker counts as frozen; 0 for never
//	RestartPause = 1      before the second start of a worker that fails, doubled each time
//	StartRetries = 6      failures in a row after which a worker is given up
//
// # Signals
//
// TERM, INT, QUIT and ABRT stop the server gracefully: [DServer.BeforeStop] may
// refuse, then each running sandbox is shut down in turn, the last started first,
// within the limit. A second signal ends the process at once.
//
// USR2 reloads: a new process takes the sockets over and serves, and this one
// leaves. If the new one does not come up, this one serves on. See the command
// reload, which waits for the outcome and prints it.
//
// # Concurrency
//
// All methods of DServer, DService and Config may be called from any goroutine.
// The package-level functions act on one server a process; call those that
// prepare it (SetName, Cobra, CloseCtl) before Setup.
package dserver

// Package proclog takes what a program writes to its standard output and error output to where it is kept: files that
// are rotated, the system log, the supervisor's own output, or several of these at once.
//
// Open makes a Logger of a text such as "/var/log/app.log" or "syslog, /dev/stdout". A Pump reads a program's pipe
// and hands whole lines to a Logger; a Logger that is slow or stuck never holds the program up.
//
// All exported types may be used concurrently. The files that are open are kept in one table of the process, so that
// two programs that name the same file share one writer: two writers would rotate each other's lines away.
package proclog

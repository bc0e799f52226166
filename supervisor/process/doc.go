// Package process starts programs, watches them, starts them again and stops them, with the states and options of
// supervisord.
//
// A Process is one program; a Manager holds several under their names. Options come from ProcOption functions or, for
// programs that are described in a file, from package supervisor/ini. What a program writes is kept by package
// supervisor/proclog; that its supervisor has died it learns through package supervisor/lifeline.
//
// Each running Process is driven by one goroutine, which alone changes its state, along the table in state.go. All
// exported types may be used concurrently; options must not be changed after they were given to a process.
//
// On Linux everything is there. On other Unix systems a program without a life-line is not killed when its supervisor
// dies, and orphans cannot be adopted. On Windows there are no process groups, users, life-lines and stop signals: a
// stop ends the program at once, and asking for the others is an error that wraps errors.ErrUnsupported.
package process

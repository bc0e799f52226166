package process

import (
	"errors"
	"fmt"
	"os/exec"
)

// CreateCommand returns the command that the options describe, without output, life-line and log. An error wraps that of
// the look-up in PATH, or errors.ErrUnsupported where the system lacks something that was asked for.
func (o ProcOptions) CreateCommand() (*exec.Cmd, error) {
	if o.Command == "" {
		return nil, errors.New("process: no command")
	}
	cmd := exec.Command(o.Command, o.Args...)
	if cmd.Err != nil {
		return nil, fmt.Errorf("process: %w", cmd.Err)
	}
	cmd.Dir = o.Directory
	cmd.ExtraFiles = append(cmd.ExtraFiles, o.ExtraFiles...)
	cmd.SysProcAttr = ownGroup()
	var userEnv []string
	if o.User != "" {
		var err error
		if userEnv, err = asUser(cmd.SysProcAttr, o); err != nil {
			return nil, fmt.Errorf("process: user %q: %w", o.User, err)
		}
	}
	cmd.Env = o.environ(userEnv...)
	return cmd, nil
}

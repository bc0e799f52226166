package dserver

import "errors"

func (a *app) newMaster(dir string, units []*unit) (model, error) {
	return nil, errors.New("the multi-process model (--model=1, ProcessModelMulti) is not available in this version; use --model=0")
}

func (a *app) runWorker(o startOptions, args []string) error { return errors.New("no workers") }

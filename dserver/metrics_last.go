package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/osgochina/dmicro/logger"
)

// dropFiles removes last figures that nobody has read.
func (f *figures) dropFiles() {
	left, _ := filepath.Glob(filepath.Join(f.master.dir, "[0-9]*.figures")) // the pattern is good
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// name is one that no other worker has had.
func (w *worker) name() string { return w.service.name + " " + strconv.Itoa(w.generation) }

// retire is called when a worker has ended: what it has counted stays, what it held does not.
func (f *figures) retire(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.retired {
		return
	}
	w.retired = true
	last, err := readLast(lastFigures(f.master.dir, w.pid))
	if err != nil {
		logger.Warningf(context.Background(), "the last figures of worker %d: %v", w.pid, err)
	}
	f.take(w, last)
	for _, p := range f.pages {
		if p.sum == nil {
			continue
		}
		if err := p.sum.Drop(w.name()); err != nil {
			p.complain(err)
		}
	}
}

// readLast reads and removes the last figures of a worker. One that was killed has left none.
func readLast(path string) (last []ctlFigures, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	_ = os.Remove(path)
	text, err := io.ReadAll(io.LimitReader(file, maxLastFile))
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		return nil, err
	}
	return last[:min(len(last), maxPages)], nil
}

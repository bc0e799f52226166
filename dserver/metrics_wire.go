package dserver

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/osgochina/dmicro/metrics"
)

// The methods by which a master asks a worker for the figures of its metrics pages.
const (
	methodPages   = "/ctl/metrics_pages"
	methodFigures = "/ctl/metrics"
)

const (
	maxPages    = 16        // of one process
	maxPageKey  = 1 << 10   // address and path, in bytes
	maxPacked   = 700 << 10 // figures of a page on the wire, so that they fit into a message
	maxUnpacked = 32 << 20  // the same as text
)

// errTooLarge says that the figures of a page are more than the master takes.
var errTooLarge = errors.New("the figures are too large")

// ctlPages is the reply of methodPages.
type ctlPages struct {
	List []ctlPage `json:"list"`
}

// ctlPageKey is where a page is shown. It is the argument of methodFigures.
type ctlPageKey struct {
	Address string `json:"address"`
	Path    string `json:"path"`
}

// ctlPage is a page that the worker has, or has had: what was counted for it stays.
type ctlPage struct {
	ctlPageKey
	Format      string `json:"format"`
	ContentType string `json:"contentType"`
	Open        bool   `json:"open"` // it is to be shown
}

// ctlFigures is the reply of methodFigures, and one of the last words of a worker.
type ctlFigures struct {
	Page   ctlPage `json:"page"`
	Packed []byte  `json:"packed"` // with gzip
}

func keyOf(p metrics.Page) ctlPageKey { return ctlPageKey{Address: p.Address, Path: p.Path} }

func (k ctlPageKey) String() string { return "http://" + k.Address + k.Path }

// pack makes figures fit into a message: text of this kind shrinks to a tenth and less.
func pack(text []byte) ([]byte, error) {
	if len(text) > maxUnpacked {
		return nil, fmt.Errorf("%w: %d bytes", errTooLarge, len(text))
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err = z.Write(text); err == nil {
		err = z.Close()
	}
	if err == nil && out.Len() > maxPacked {
		err = fmt.Errorf("%w: %d bytes when they are compressed", errTooLarge, out.Len())
	}
	return out.Bytes(), err
}

// unpack reverses pack.
func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("figures of a metrics page: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxUnpacked+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("figures of a metrics page: %w", err)
	case len(text) > maxUnpacked:
		return nil, errTooLarge
	}
	return text, nil
}

// lastFigures is the file in which a worker leaves its figures when it ends.
func lastFigures(dir string, pid int) string { return filepath.Join(dir, strconv.Itoa(pid)+".figures") }

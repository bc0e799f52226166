//go:build !unix

package lifeline

import (
	"errors"
	"os"
)

func pair() (a, b *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func inherited(int) (*os.File, error) { return nil, errors.ErrUnsupported }

package drpc

import (
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/codec"
)

var defaultBodyCodec atomic.Pointer[codec.Codec]

// DefaultBodyCodec returns the codec of endpoints whose configuration names none: json, until SetDefaultBodyCodec
// changes it.
func DefaultBodyCodec() codec.Codec {
	if c := defaultBodyCodec.Load(); c != nil {
		return *c
	}
	return codec.JSONCodec{}
}

// SetDefaultBodyCodec sets the codec of endpoints made from now on whose configuration names none, for the whole
// process. It returns an error if no codec has that name.
func SetDefaultBodyCodec(codecName string) error {
	c, err := codec.GetByName(codecName)
	if err != nil {
		return err
	}
	defaultBodyCodec.Store(&c)
	return nil
}

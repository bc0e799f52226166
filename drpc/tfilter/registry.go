package tfilter

import (
	"github.com/osgochina/dmicro/internal/idtable"
)

var filters = idtable.New[TransferFilter]("tfilter", "filter")

// Reg registers tFilter for the whole process.
//
// It panics, for these are mistakes of the program, if tFilter is nil, if its
// name is empty, or if a filter with the id or the name is registered already.
func Reg(tFilter TransferFilter) { filters.Add(tFilter) }

// Get returns the filter of the id given, or an [UnknownIDError].
func Get(id byte) (TransferFilter, error) {
	if f, ok := filters.Get(id); ok {
		return f, nil
	}
	return nil, UnknownIDError(id)
}

// GetByName returns the filter of the name given, or an [UnknownNameError]. The
// case of letters counts.
func GetByName(name string) (TransferFilter, error) {
	if f, ok := filters.GetByName(name); ok {
		return f, nil
	}
	return nil, UnknownNameError(name)
}

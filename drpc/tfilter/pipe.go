package tfilter

import (
	"errors"
	"fmt"
	"math"
)

// maxPipe is how many filters a pipe may have: the count travels in one byte.
const maxPipe = 255

// PipeTFilter is the list of filters of one message. The zero value is an empty
// pipe, which leaves data as it is. The package comment says in which order the
// filters act.
type PipeTFilter struct {
	filters []TransferFilter
}

// NewPipeTFilter returns an empty pipe.
func NewPipeTFilter() *PipeTFilter { return new(PipeTFilter) }

// Reset empties the pipe and keeps its memory for the next message.
func (p *PipeTFilter) Reset() {
	clear(p.filters)
	p.filters = p.filters[:0]
}

// Append adds the filters with the ids given at the end. It adds none of them
// and returns an [UnknownIDError] if one is not registered, or
// [ErrTransferFilterTooLong] if the pipe would have more than 255 filters.
func (p *PipeTFilter) Append(filterID ...byte) error {
	old := len(p.filters)
	if old+len(filterID) > maxPipe {
		return ErrTransferFilterTooLong
	}
	for _, id := range filterID {
		f, err := Get(id)
		if err != nil {
			clear(p.filters[old:])
			p.filters = p.filters[:old]
			return err
		}
		p.filters = append(p.filters, f)
	}
	return nil
}

// AppendFrom adds the filters of src, which may be nil, at the end. If that
// makes the pipe longer than 255, OnPack and OnUnpack will say so.
func (p *PipeTFilter) AppendFrom(src *PipeTFilter) {
	if src != nil {
		p.filters = append(p.filters, src.filters...)
	}
}

// Len returns the number of filters.
func (p *PipeTFilter) Len() int { return len(p.filters) }

// IDs returns the ids of the filters in a new slice, nil if there are none.
// [PipeTFilter.AppendIDs] does without the new slice.
func (p *PipeTFilter) IDs() []byte {
	if len(p.filters) == 0 {
		return nil
	}
	return p.AppendIDs(make([]byte, 0, len(p.filters)))
}

// AppendIDs appends the ids of the filters to dst and returns the longer slice.
func (p *PipeTFilter) AppendIDs(dst []byte) []byte {
	for _, f := range p.filters {
		dst = append(dst, f.ID())
	}
	return dst
}

// Names returns the names of the filters in a new slice, nil if there are none.
func (p *PipeTFilter) Names() []string {
	var names []string
	for _, f := range p.filters {
		names = append(names, f.Name())
	}
	return names
}

// Iterator calls callback for each filter, first to last, until it returns
// false. The callback must not change the pipe.
func (p *PipeTFilter) Iterator(callback func(idx int, filter TransferFilter) bool) {
	for i, f := range p.filters {
		if !callback(i, f) {
			return
		}
	}
}

// OnPack applies all filters, LAST to FIRST. data is not changed; the result
// may share its memory, and is data itself if the pipe is empty. Errors name
// the filter and wrap what it returned.
func (p *PipeTFilter) OnPack(data []byte) ([]byte, error) {
	if len(p.filters) > maxPipe {
		return nil, ErrTransferFilterTooLong
	}
	for i := len(p.filters) - 1; i >= 0; i-- {
		f := p.filters[i]
		out, err := f.OnPack(data)
		if err != nil {
			return nil, filterError(f, err)
		}
		data = out
	}
	return data, nil
}

// OnUnpack reverses all filters, FIRST to LAST, under the rules of OnPack. How
// long a result may be is left to each filter (gzip: [DefaultUnpackLimit]);
// where the caller knows better, [PipeTFilter.OnUnpackLimit] is the better
// choice.
func (p *PipeTFilter) OnUnpack(data []byte) ([]byte, error) {
	if len(p.filters) > maxPipe {
		return nil, ErrTransferFilterTooLong
	}
	for _, f := range p.filters {
		out, err := f.OnUnpack(data)
		if err != nil {
			return nil, filterError(f, err)
		}
		data = out
	}
	return data, nil
}

// OnUnpackLimit is OnUnpack for data from strangers: the result may not exceed
// limit bytes. Nor may what one filter hands to the next, save for the little
// that md5, aes and gzip add to what they cannot shorten; a filter that is a
// [LimitedUnpacker] stops as soon as that happens. The error then wraps a
// [*SizeError] with the limit. A limit below 0 counts as 0.
func (p *PipeTFilter) OnUnpackLimit(data []byte, limit int) ([]byte, error) {
	limit = max(limit, 0)
	if len(p.filters) > maxPipe {
		return nil, ErrTransferFilterTooLong
	}
	for i, f := range p.filters {
		out, err := unpackLimit(f, data, stageLimit(limit, len(p.filters)-1-i))
		if err != nil {
			if size := (*SizeError)(nil); errors.As(err, &size) {
				err = &SizeError{Limit: limit} // the whole pipe's, not the stage's
			}
			return nil, filterError(f, err)
		}
		data = out
	}
	if len(data) > limit { // the empty pipe
		return nil, &SizeError{Limit: limit}
	}
	return data, nil
}

// stageLimit is how long a result may be if rest filters still follow and leave
// limit bytes at most: one whose packing lengthened the data adds a block, or a
// header and a trailer, and gzip 5 bytes for 65535 that it stores as they are.
func stageLimit(limit, rest int) int {
	slack := rest * (limit/1024 + 64)
	if limit > math.MaxInt-slack {
		return math.MaxInt
	}
	return limit + slack
}

// unpackLimit runs one filter. Filters that are no LimitedUnpacker shorten data
// when they unpack; those of applications are taken at their word only after
// the fact.
func unpackLimit(f TransferFilter, src []byte, limit int) (out []byte, err error) {
	if l, ok := f.(LimitedUnpacker); ok {
		out, err = l.OnUnpackLimit(src, limit)
	} else {
		out, err = f.OnUnpack(src)
	}
	if err == nil && len(out) > limit {
		return nil, &SizeError{Limit: limit}
	}
	return out, err
}

func filterError(f TransferFilter, err error) error {
	return fmt.Errorf("transfer filter %s: %w", f.Name(), err)
}

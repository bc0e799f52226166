package graceful

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// The description that a process gives its successor. Descriptors have no numbers in it: they come in a fixed order.
const (
	envelopeName    = "GRACEFUL_INHERIT"
	envelopeVersion = 1
	maxEnvelope     = 120 << 10 // bytes; systems allow 128 KiB for one variable
	maxDescriptors  = 4096      // sockets and files
)

// The order of inherited descriptors: both pipes, standard error if Stderr says so, the sockets, the files.
const (
	firstFD = 3
	readyFD = firstFD     // written by the successor
	goFD    = firstFD + 1 // read by the successor
)

// envelope describes the inherited descriptors.
type envelope struct {
	Version    int `json:"v"`
	Generation int `json:"gen"`
	// ID identifies the pipe at readyFD. A process that merely got a copy of the variable does not have that pipe, and
	// so knows that it is not meant.
	ID      string            `json:"id"`
	Worker  bool              `json:"worker,omitempty"`
	Stderr  bool              `json:"stderr,omitempty"`
	Sockets []envelopeSocket  `json:"sockets,omitempty"`
	Files   []string          `json:"files,omitempty"`
	Values  map[string]string `json:"values,omitempty"`
}

// envelopeSocket describes one inherited socket.
type envelopeSocket struct {
	Network string `json:"net"`
	Ask     string `json:"ask"`             // the address that the program asked for
	Owner   string `json:"owner,omitempty"` // the part of the program that did
	Addr    string `json:"addr"`            // the address that it got
	File    string `json:"file,omitempty"`  // identity of the file of a unix socket that goes with the socket
}

// encode returns the description as it stands in the environment.
func (e *envelope) encode() (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("graceful: describe the sockets: %w", err)
	}
	if len(text) > maxEnvelope {
		return "", fmt.Errorf("graceful: %d sockets take %d bytes to describe, the limit is %d", len(e.Sockets), len(text), maxEnvelope)
	}
	return string(text), nil
}

// parseEnvelope reads a description. What it does not know is left alone, so that later versions may add to it.
func parseEnvelope(text string) (*envelope, error) {
	if len(text) > maxEnvelope {
		return nil, errors.New("graceful: the description of the inherited sockets is too long")
	}
	var e envelope
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return nil, fmt.Errorf("graceful: the description of the inherited sockets: %w", err)
	}
	switch {
	case e.Version != envelopeVersion:
		return nil, fmt.Errorf("graceful: the description of the inherited sockets has version %d, not %d", e.Version, envelopeVersion)
	case e.Generation < 1:
		return nil, fmt.Errorf("graceful: there is no generation %d", e.Generation)
	case e.ID == "":
		return nil, errors.New("graceful: the description of the inherited sockets lacks its identity")
	case len(e.Sockets)+len(e.Files) > maxDescriptors:
		return nil, fmt.Errorf("graceful: more than %d inherited descriptors", maxDescriptors)
	}
	for _, s := range e.Sockets {
		if kinds[s.Network] == "" {
			return nil, fmt.Errorf("graceful: inherited socket of unknown network %q", s.Network)
		}
	}
	for i, name := range e.Files {
		if name == "" || slices.Contains(e.Files[:i], name) {
			return nil, fmt.Errorf("graceful: inherited file %q has no name of its own", name)
		}
	}
	return &e, nil
}

package proclog

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Config says how output is kept.
type Config struct {
	// Name is the program's, shown by the system log.
	Name string
	// MaxBytes is the size at which a file is rotated; 0 and below: never.
	MaxBytes int64
	// Backups is how many rotated files are kept beside the current one; 0 and below: none, a full file is emptied.
	Backups int
}

// Open returns the logger that spec names:
//
//	"", "/dev/null"              nothing is kept
//	/dev/stdout, /dev/stderr     the supervisor's own outputs
//	syslog                       the system log of this machine
//	syslog@[tcp:|udp:]host[:port]  one elsewhere; udp and 514 unless given
//	anything else                a file, made with mode 0600 if it is missing, its directory with 0755
//	a, b                         both; what one of them cannot take still goes to the others, but one that hangs holds them up
//
// A file that exists must be a regular one. Two loggers of one file share its writer; the limits are those of the
// first. A remote system log need not be there yet: it is dialled when there is something to write. Where there is no
// system log the error wraps errors.ErrUnsupported.
func Open(spec string, c Config) (Logger, error) {
	parts := strings.Split(spec, ",")
	if len(parts) == 1 {
		return openOne(strings.TrimSpace(spec), c)
	}
	var all composite
	for _, part := range parts {
		l, err := openOne(strings.TrimSpace(part), c)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, l)
	}
	return all, nil
}

func openOne(spec string, c Config) (Logger, error) {
	switch spec {
	case "", "/dev/null":
		return discard{}, nil
	case "/dev/stdout":
		return stream{Writer: os.Stdout}, nil
	case "/dev/stderr":
		return stream{Writer: os.Stderr}, nil
	}
	if spec == "syslog" || strings.HasPrefix(spec, "syslog@") {
		network, address, err := parseSyslog(spec)
		if err != nil {
			return nil, err
		}
		return openSyslog(network, address, c.Name)
	}
	return openFile(spec, c)
}

// parseSyslog takes "syslog@tcp:host:port" apart. The system log of this machine has no network and no address.
func parseSyslog(spec string) (network, address string, err error) {
	_, place, remote := strings.Cut(spec, "@")
	if !remote {
		return "", "", nil
	}
	network, address = "udp", strings.TrimSpace(place)
	if proto, rest, ok := strings.Cut(address, ":"); ok && (proto == "tcp" || proto == "udp") {
		network, address = proto, rest
	}
	host, port, err := splitHostPort(address)
	if err != nil {
		return "", "", fmt.Errorf("proclog: %q: %w", spec, err)
	}
	return network, host + ":" + port, nil
}

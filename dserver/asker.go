package dserver

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

// sandboxLabel is a label of the goroutine of a Setup and of those that it starts, which inherit it. Profiles show it, and
// whoever binds a socket finds by it for which sandbox that is: nothing else leads from an endpoint to a sandbox.
const sandboxLabel = "sandbox"

// asSandbox runs fn with the label of a sandbox.
func asSandbox(name string, fn func()) {
	pprof.Do(context.Background(), pprof.Labels(sandboxLabel, name), func(context.Context) { fn() })
}

// oneAsks lets one goroutine at a time be in asker, which looks for itself.
var oneAsks sync.Mutex

// askingSandbox returns the sandbox for which the calling goroutine works, "" if nobody knows. It is for what is rare: the
// runtime tells labels only in the profile of all goroutines.
func askingSandbox() string {
	oneAsks.Lock()
	defer oneAsks.Unlock()
	return asker()
}

func asker() string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(record, "/dserver.asker+") {
			return labelOf(record)
		}
	}
	return ""
}

// labelOf finds the label in what the profile has of a goroutine: a line such as
//
//	# labels: {"a":"b", "sandbox":"orders"}
func labelOf(record string) string {
	_, rest, ok := strings.Cut(record, "\n# labels: {")
	if !ok {
		return ""
	}
	_, rest, ok = strings.Cut(rest, strconv.Quote(sandboxLabel)+":")
	if !ok {
		return ""
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return ""
	}
	name, _ := strconv.Unquote(quoted) // QuotedPrefix has checked it
	return name
}

#!/bin/sh
# Runs every fuzz target of the module in turn, FUZZTIME each, and stops at the first finding. The go command
# fuzzes one target of one package at a time, so the targets are looked up in the test files. Inputs are hardly minimised:
# those that run on several goroutines cover something else each time, and the whole time would go into it.
set -eu

GO=${GO:-go}
FUZZTIME=${FUZZTIME:-30s}

# Modules of their own are left out, as by the go command.
targets=$(find . -name '.?*' -prune -o -type d -exec test -f '{}/go.mod' ';' ! -path . -prune -o \
	-type f -name '*_test.go' -exec grep -H '^func Fuzz' {} + |
	sed -n 's|^\(.*\)/[^/]*_test\.go:func \(Fuzz[A-Za-z0-9_]*\).*|\1 \2|p' | sort)

if [ -z "$targets" ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
echo "$targets" | while read -r folder target; do
	echo "== $target in $folder for $FUZZTIME"
	"$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 20x "$folder" </dev/null
done

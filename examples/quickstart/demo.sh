#!/bin/sh
# The quickstart example from build to stop, and reloads under load, on real processes. It needs Go and
# a shell, uses a free port, and leaves nothing behind. Run it from anywhere.
set -eu

cd "$(dirname "$0")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/dmicro.XXXXXX")
server_pid=
reloaded=
export DMICRO_RUN_DIR="$work"

say() { printf '\n== %s\n' "$*"; }

clean() {
    code=$?
    trap - EXIT
    if [ -n "$server_pid" ] && kill -0 "$server_pid" 2>/dev/null; then
        kill "$server_pid" 2>/dev/null || :
        wait "$server_pid" 2>/dev/null || :
    fi
    if [ -n "$reloaded" ]; then
        "$work/reload" stop >/dev/null 2>&1 || :
    fi
    rm -rf "$work"
    exit "$code"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# with_progress COMMAND...: run it, with a dot a second so that a first build,
# which downloads libraries, is seen to be at work.
with_progress() {
    "$@" >"$work/build.log" 2>&1 &
    job=$!
    while kill -0 "$job" 2>/dev/null; do
        printf '.'
        sleep 1
    done
    printf '\n'
    wait "$job" || { cat "$work/build.log" >&2; return 1; }
}

say "Building the programs (the first time downloads libraries)"
with_progress go build -o "$work/" ./examples/quickstart/server ./examples/quickstart/client ./examples/reload

# Ports are tried until one is free: the server says so in its first lines.
say "Starting the server: server start"
try=0
while :; do
    port=$((20000 + ($$ * 7 + try * 131) % 20000))
    cd "$work"
    "$work/server" start --port="$port" >"$work/server.log" 2>&1 &
    server_pid=$!
    cd "$OLDPWD"
    waited=0
    until grep -q 'started, pid' "$work/server.log"; do
        waited=$((waited + 1))
        if [ "$waited" -gt 150 ] || ! kill -0 "$server_pid" 2>/dev/null; then
            cat "$work/server.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    if ! grep -q 'failed:' "$work/server.log"; then
        break
    fi
    "$work/server" stop >/dev/null
    wait "$server_pid" || :
    try=$((try + 1))
    if [ "$try" -ge 10 ]; then
        cat "$work/server.log" >&2
        exit 1
    fi
done
cat "$work/server.log"

say "Calling /math/add with 1 2 3 4 5: client"
result=$("$work/client" -addr "127.0.0.1:$port")
echo "$result"
[ "$result" = "result: 15" ]

say "Asking the running server what it does: server ctl ps"
"$work/server" ctl ps

say "Stopping it: server stop"
"$work/server" stop
wait "$server_pid"
server_pid=

say "Reloading another application five times while it is called: reload start -d, reload load"
try=0
until "$work/reload" start -d --port="$port" --ledger="$work/ledger"; do
    try=$((try + 1))
    [ "$try" -lt 10 ]
    port=$((port + 131))
done
reloaded=yes
"$work/reload" load --port="$port" --ledger="$work/ledger"
"$work/reload" stop
reloaded=

say "Done. What the first server wrote meanwhile:"
cat "$work/server.log"

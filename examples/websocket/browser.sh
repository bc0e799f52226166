#!/bin/sh
# The page of this example in a real browser: finds a Chromium, or fetches one, and runs the test that needs it. "make
# browser" calls it. CHROMIUM names a browser that is elsewhere.
set -eu

cd "$(dirname "$0")/../.."

# have prints the path of a Chromium, if there is one.
have() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome chrome; do
        if [ -n "$name" ] && command -v "$name" 2>/dev/null; then
            return 0
        fi
    done
    # Where an earlier run has put one.
    find .cache/browser -type f \( -name chrome -o -name chrome-headless-shell -o -name headless_shell \) 2>/dev/null | grep . | head -n 1
}

# fetch gets one into .cache/browser, with npm, or else installs one with the system's packages.
fetch() {
    echo "no Chromium here: fetching one, which takes a minute" >&2
    if command -v npx >/dev/null 2>&1 &&
        PLAYWRIGHT_BROWSERS_PATH="$PWD/.cache/browser" npx --yes playwright@1.56.1 install chromium-headless-shell >&2; then
        return 0
    fi
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        apt-get update >&2 && apt-get install -y --no-install-recommends chromium >&2
        return
    fi
    return 1
}

path=$(have) || path=
if [ -z "$path" ]; then
    fetch || true
    path=$(have) || path=
fi
if [ -z "$path" ]; then
    echo "no Chromium could be had: install one, or set CHROMIUM to its path" >&2
    exit 1
fi
echo "in $path:"
case $path in /*) ;; *) path=$PWD/$path ;; esac
CHROMIUM=$path "${GO:-go}" test ./examples/websocket -run TestThePageInABrowser -count 1 -v

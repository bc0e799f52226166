#!/bin/sh
# Statement coverage of each package and in total; "make cover" calls it from the root of the module. What counts is what
# the tests of a package run in it; for the packages of dserver, whose tests start applications and use the shell from
# outside, what the tests of all of them and those applications run. Left out are programs, what the examples among them
# share, and packages for tests alone, which are those that import testing and internal/race. Fails if a test fails or a
# package is under its bar: 80 %, of drpc, graceful and dserver 85 %.
set -eu

GO=${GO:-go}
dir=$PWD/.cache/cover
rm -rf "$dir"
mkdir -p "$dir"
packages=$($GO list -f '{{if ne .Name "main"}}{{.ImportPath}} {{join .Imports " "}} {{end}}' ./... |
	grep -v -e ' testing ' -e '^[^ ]*/examples/' -e '^[^ ]*/internal/race ' | cut -d ' ' -f 1)

: >.cache/cover.txt
measure() {
	DMICRO_COVERDIR=$dir $GO test -cover "$@" -args -test.gocoverdir="$dir" >>.cache/cover.txt ||
		{ cat .cache/cover.txt; exit 1; }
}
measure $(echo "$packages" | grep -v '/dserver')
measure -coverpkg="$(echo "$packages" | grep '/dserver' | paste -sd , -)" $(echo "$packages" | grep '/dserver')

$GO tool covdata textfmt -i="$dir" -o=.cache/cover.out
# Packages that no test runs a line of are only in what the tests printed.
{ $GO tool covdata percent -i="$dir" && grep -E '^[[:space:]].*coverage: 0\.0%' .cache/cover.txt || true; } | awk -v module="$($GO list -m)" '
	!seen[$1]++ {
		name = substr($1, length(module) + 2)
		bar = name ~ /^(drpc|graceful|dserver)$/ ? 85 : 80
		low = $3 + 0 < bar
		under += low
		printf "%6.1f %%  %s%s\n", $3, name, low ? "  (under " bar " %)" : ""
	}
	END { exit under > 0 }' && status=0 || status=$?
$GO tool cover -func=.cache/cover.out | awk 'END { printf "%6.1f %%  in total\n", $NF }'
exit $status

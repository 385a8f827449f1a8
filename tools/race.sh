#!/usr/bin/env bash
# Runs every test twice under the race detector. Under CI a skipped test fails
# the run: .ci/run installs what the tests ask for, so a skip there means that a
# check is no longer made.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! go test -race -count=2 -v ./... >"$log" 2>&1; then
	grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS|PASS$)' "$log" | tail -n 200
	exit 1
fi
grep -E '^(ok|\?)' "$log"
skipped=$(grep -cE '^ *--- SKIP' "$log" || true)
if [ "$skipped" -gt 0 ]; then
	grep -B 3 -E '^ *--- SKIP' "$log" | grep -vE '=== (RUN|PAUSE|CONT|NAME)'
	echo "$skipped tests skipped"
	if [ "${CI:-}" = true ]; then exit 1; fi
fi

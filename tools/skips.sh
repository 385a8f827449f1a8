#!/usr/bin/env bash
# Runs every test and lists those that were skipped. Under CI a skipped test
# fails the run: .ci/run installs what the tests ask for, so a skip there means
# that a check is no longer made.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! go test -v ./... >"$log" 2>&1; then
	grep -E '^ *--- FAIL|^FAIL|^panic:' "$log"
	exit 1
fi
echo "$(grep -cE '^ *--- PASS' "$log") tests passed"
skipped=$(grep -cE '^ *--- SKIP' "$log" || true)
if [ "$skipped" -gt 0 ]; then
	grep -B 3 -E '^ *--- SKIP' "$log" | grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)'
	echo "$skipped tests skipped"
	if [ "${CI:-}" = true ]; then exit 1; fi
fi

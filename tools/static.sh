#!/usr/bin/env bash
# Builds noecho a second time, from a copy at another path and with an empty
# cache, and compares the digests: static.sh 'BUILD COMMAND'
set -euo pipefail
build=${1:?usage: static.sh 'BUILD COMMAND'}

copy=$(mktemp -d)
trap 'chmod -R u+w "$copy" && rm -rf "$copy"' EXIT
tar -c --exclude=./.git --exclude=./bin --exclude=./dist --exclude=node_modules --exclude=venv . | tar -x -C "$copy"
(cd "$copy" && GOCACHE="$copy/.cache" bash -c "$build -o bin/noecho ./cmd/noecho")

first=$(sha256sum <bin/noecho)
second=$(sha256sum <"$copy/bin/noecho")
echo "first  ${first%% *}"
echo "second ${second%% *}"
test "$first" = "$second"

go version -m bin/noecho | grep -E 'CGO_ENABLED=0|-trimpath=true'
if grep -aq "$copy\|$PWD/" bin/noecho; then
	echo "bin/noecho names a folder of this machine"
	exit 1
fi

#!/usr/bin/env bash
# Fuzzes every target of the module for TIME, one after the other: fuzz.sh TIME
# One test program is built for each package. Inputs that reach new code are kept
# in the build cache, where `go test -fuzz` keeps them too.
set -euo pipefail
time=${1:?usage: fuzz.sh TIME}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$PWD cache=$(go env GOCACHE)/fuzz

# fuzz TARGET runs in the folder of the package. Shrinking an input has a limit,
# because it otherwise takes all the time.
fuzz() {
	"$work/test" -test.run '^$' -test.fuzz "^$1\$" -test.fuzztime "$time" -test.fuzzminimizetime 200x \
		-test.fuzzcachedir "$cache/noecho/${PWD#"$root/"}" >"$work/log" 2>&1
}

found=0
while read -r folder; do
	go test -c -fuzz=. -o "$work/test" "./$folder" # the flag adds the counters that guide the engine
	for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$folder"/*_test.go); do
		found=$((found + 1))
		for try in 1 2; do
			if (cd "$folder" && fuzz "$target"); then
				echo "$folder $target: $(grep -o 'execs: .*' "$work/log" | tail -n 1 || echo 'seeds took all the time')"
				break
			fi
			# The engine may report its own deadline as a failure; a real one
			# leaves an input behind.
			if [ "$try" = 2 ] || grep -q 'Failing input written' "$work/log" || ! grep -q 'context deadline exceeded' "$work/log"; then
				echo "$folder $target"
				cat "$work/log"
				exit 1
			fi
		done
	done
done < <(grep -rlE '^func Fuzz' --include='*_test.go' --exclude-dir=sdk --exclude-dir=testdata . | xargs -n1 dirname | sed 's|^\./||' | sort -u)

echo "$found fuzz targets"
test "$found" -gt 0

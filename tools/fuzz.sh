#!/usr/bin/env bash
# Fuzzes every target of the module, one after the other: fuzz.sh TIME
# Shrinking an input is bounded, because it otherwise eats the whole time.
set -euo pipefail
time=${1:?usage: fuzz.sh TIME}

found=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
while IFS=: read -r file line; do
	target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/' <<<"$line")
	package=./$(dirname "$file")
	found=$((found + 1))
	echo "fuzz $package $target"
	for try in 1 2; do
		if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 200x "$package" >"$log" 2>&1; then
			grep -E 'execs:' "$log" | tail -n 1 || true # none if gathering took all the time
			break
		fi
		# The engine may report its own deadline as a failure; a real one
		# leaves an input behind.
		if [ "$try" = 2 ] || grep -q 'Failing input written' "$log" || ! grep -q 'context deadline exceeded' "$log"; then
			cat "$log"
			exit 1
		fi
	done
done < <(find . -name '*_test.go' -not -path './bench/sdk/*' -not -path '*/testdata/*' -print0 |
	sort -z | xargs -0 grep -HE '^func Fuzz[A-Za-z0-9_]*\(' | sed 's|^\./||')

echo "$found fuzz targets"
test "$found" -gt 0

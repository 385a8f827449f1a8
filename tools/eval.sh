#!/usr/bin/env bash
# Measures the disguises on the corpus of the demo: eval.sh check|write
# check fails if something does not hold that should, or if the table and the plot
# in docs/ are not what came out; write puts them there.
set -euo pipefail
page=docs/disguises.md plot=docs/eval.svg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p bin
bin/noecho index build --out bin/demo.nidx cmd/noecho/demo/corpus 2>"$work/notices" || { cat "$work/notices"; exit 1; }
bin/noecho eval --index bin/demo.nidx --corpus cmd/noecho/demo/corpus --markdown "$work/eval.md" --svg "$work/eval.svg"

# Between the two marks stands the table, the marks included.
{
	sed '/^<!-- noecho eval -->$/,$d' "$page"
	cat "$work/eval.md"
	sed -n '/^<!-- end of noecho eval -->$/,$p' "$page"
} >"$work/page.md"
grep -q '^<!-- end of noecho eval -->$' "$work/page.md" || { echo "$page: the marks of the table are gone"; exit 1; }

case ${1:-check} in
check)
	diff -u "$page" "$work/page.md" && diff -u "$plot" "$work/eval.svg" || { echo "run make eval-docs"; exit 1; }
	;;
write)
	cp "$work/page.md" "$page"
	cp "$work/eval.svg" "$plot"
	;;
*)
	echo "usage: eval.sh check|write"
	exit 2
	;;
esac

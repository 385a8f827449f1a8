#!/usr/bin/env bash
# Measures every row of bench/RESULTS.md in one go: record.sh all|once
# all takes about an hour and a half and writes bench/results/COMMIT.tsv and the plots beside it; once
# measures each row for a moment, so that none rots, and keeps nothing. OLD is a commit to compare with.
# MOMENT is the time of a measurement, SIZES are the corpora in MB, for a shorter run of all.
# nginx and LiteLLM are measured if they are there: `make clients` installs LiteLLM.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'git worktree remove --force "$work/old" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'tail -n 20 "$work/log" >&2' ERR

case ${1:-} in
all)
	rounds=9 moment=${MOMENT:-1s} size=300MB streams="1 10 100 1000 2000" words="100 1000 10000 100000" sizes=${SIZES:-1,7,64,300,2000}
	name=$(git describe --always --dirty --abbrev=12)
	out=bench/results/$name.tsv
	;;
once)
	rounds=1 moment=50ms size=1MB streams=2 words=100 sizes=0.3
	out=$work/figures.tsv
	;;
*)
	echo "usage: record.sh all|once"
	exit 2
	;;
esac

old=()
if [ -n "${OLD:-}" ]; then
	git worktree add --quiet --detach "$work/old" "$OLD"
	(cd "$work/old" && CGO_ENABLED=0 go build -trimpath -o "$work/noecho-old" ./cmd/noecho)
	old=(-old "$work/noecho-old")
fi
(cd bench/record && go build -o "$work/record" .)
peers=(-peer "ReverseProxy with Coraza=$work/record gateway \$HOST:\$PORT \$TARGET")
if [ -x bench/sdk/py/litellm/venv/bin/litellm ]; then peers+=(-peer "LiteLLM with its filter of contents=bench/record/litellm.sh"); fi
go build -o "$work/latency" ./bench/latency
go build -o "$work/scan" ./bench/scan

rm -f "$out"
{
	echo "# $(go env GOVERSION), $(nproc) processors, $(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg)"
	echo "# subject, measure, size, lowest, median, highest"
} >"$out"

echo "== an answer, and a stream that comes at once"
"$work/latency" -load $moment -rounds $rounds -parallel 16 -corpus 4 "${old[@]}" "${peers[@]}" -tsv "$out" 2>"$work/log"
for n in $words; do
	echo "== $n words"
	"$work/latency" -load $moment -rounds $rounds -parallel 4 -corpus 4 -bytes $((n * 6)) -words "$n" -tsv "$out" 2>"$work/log"
done
for n in $streams; do
	echo "== $n streams that are open together"
	"$work/latency" -load $moment -rounds $rounds -corpus 4 -streams "$n" "${old[@]}" -tsv "$out" 2>"$work/log"
done
echo "== scanning"
"$work/scan" -rounds $rounds -sizes $sizes -tsv "$work/scan.tsv"
cat "$work/scan.tsv" >>"$out"
echo "== building, merging and opening"
go run ./bench/build -size $size -rounds $rounds "${old[@]}" -tsv "$out"

"$work/record" plot "$out" "$(dirname "$out")"
"$work/record" table "$out"

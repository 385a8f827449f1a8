#!/usr/bin/env bash
# Starts bin/noecho the way the image does: in a root that holds the program and
# the certificate authorities and nothing else, as user 65532, configured by the
# environment. Behind it stands a model that leaks; the caller must not see it.
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
	echo "smoke: run as root, to change root and user"
	exit 1
fi
dir=$(mktemp -d)
pids=()
clean() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap clean EXIT

root=$dir/root
chroot=$(command -v chroot || echo /usr/sbin/chroot) # the environment below has no PATH
mkdir -p "$root/etc/ssl/certs" "$root/data"
chmod 755 "$dir"
install -m 755 bin/noecho "$root/noecho"
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cat >"$root/data/letter.txt" <<'TEXT'
Dear Ilse Brandvold the piano tuner comes on the second Tuesday of October and
brings the felt that you chose, order 5583, so please clear the corridor.
TEXT

# contained runs the program in its root with the given environment: contained NAME=VALUE... -- ARGS
contained() {
	local vars=()
	while [ "$1" != -- ]; do
		vars+=("$1")
		shift
	done
	shift
	exec env -i "${vars[@]}" "$chroot" --userspec=65532:65532 "$root" /noecho "$@"
}

free() {
	local port
	while port=$((20000 + RANDOM % 20000)) && (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo "$port"
}

# await URL waits until it answers.
await() { curl -sSf -o /dev/null --retry 100 --retry-delay 0 --retry-max-time 60 --retry-all-errors "$1" 2>/dev/null; }

bin/noecho index build --out "$root/data/letter.nidx" "$root/data/letter.txt"
chown 65532:65532 "$root/data/letter.nidx"
(contained -- version)
(contained -- index verify /data/letter.nidx)

go build -o "$dir/fakellm" ./internal/fakellm/cmd/fakellm
model=$(free) data=$(free) admin=$(free)
"$dir/fakellm" -listen "127.0.0.1:$model" -text "$root/data/letter.txt" -unit chars >/dev/null &
pids+=($!)
contained "NOECHO_LISTEN=0.0.0.0:$data" "NOECHO_ADMIN=127.0.0.1:$admin" "NOECHO_UPSTREAM=http://127.0.0.1:$model" \
	NOECHO_INDEX=/data/letter.nidx -- serve >"$dir/out" 2>&1 &
serve=$!
pids+=("$serve")
if ! await "http://127.0.0.1:$admin/readyz"; then
	cat "$dir/out"
	exit 1
fi

ask() {
	curl -sSN "http://127.0.0.1:$1/v1/chat/completions" -H 'Content-Type: application/json' \
		-d '{"model":"m","stream":true,"messages":[{"role":"user","content":"What did you write?"}]}'
}
text() { grep -o '"content":"[^"]*"' | sed 's/^"content":"//; s/"$//' | tr -d '\n'; }

ask "$model" | text >"$dir/said"
ask "$data" | text >"$dir/got"
echo "the model said:  $(cat "$dir/said")"
echo "the caller got:  $(cat "$dir/got")"
grep -q 'Ilse Brandvold' "$dir/said"
grep -qF '[redacted]' "$dir/got"
if grep -qE 'Brandvold|Tuesday|5583|corridor' "$dir/got" "$dir/out"; then
	echo "smoke: training text left"
	exit 1
fi

kill -TERM "$serve"
wait "$serve"
echo "stopped cleanly"

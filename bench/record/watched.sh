#!/usr/bin/env bash
# A peer of bench/latency: noecho alone, or with ten viewers of its console and every kind of sink.
#
#   peer=bench/record/watched.sh
#   go run ./bench/latency -load 300ms -rounds 31 -parallel 8 -corpus 1 -peer "alone=$peer alone \$INDEX" -peer "watched=$peer watched \$INDEX"
#
# HOST, PORT and TARGET come from bench/latency, INDEX is an index, NOECHO the program (bin/noecho).
set -euo pipefail
dir=$(mktemp -d)
noecho=${NOECHO:-bin/noecho} admin=$((PORT > 40000 ? PORT - 20000 : PORT + 20000)) sink=$((PORT > 40000 ? PORT - 19000 : PORT + 21000))
{
	printf 'version: 1\nlisten: %s:%s\nadmin: {listen: "127.0.0.1:%s", console: true}\n' "$HOST" "$PORT" "$admin"
	printf 'upstream: {url: "%s"}\nindex: [%s]\nroutes: [{path: /v1/chat/completions}]\n' "$TARGET" "$2"
	printf 'alerts:\n  - {type: file, path: %s/alerts.jsonl}\n' "$dir"
	if [ "$1" = watched ]; then
		printf '  - {type: webhook, url: "http://127.0.0.1:%s/", spool: %s/webhook}\n' "$sink" "$dir"
		printf '  - {type: otlp, url: "http://127.0.0.1:%s/v1/logs", spool: %s/otlp}\n' "$sink" "$dir"
		printf '  - {type: syslog, url: "tcp://127.0.0.1:%s", spool: %s/syslog}\n' $((sink + 1)) "$dir"
		printf '  - {type: file, format: ocsf, path: %s/ocsf.jsonl}\n' "$dir"
	fi
} >"$dir/config.yaml"
if [ "$1" = watched ]; then
	python3 - "$sink" <<'PY' >/dev/null 2>&1 &
import http.server, socketserver, sys, threading
class Taker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.read1(65536):
            pass
port = int(sys.argv[1])
threading.Thread(target=socketserver.ThreadingTCPServer(("127.0.0.1", port + 1), Lines).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", port), Taker).serve_forever()
PY
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		curl -sN --retry 30 --retry-connrefused --retry-delay 1 -H 'Accept: text/event-stream' "http://127.0.0.1:$admin/console/api/v1/live" >/dev/null 2>&1 &
	done
fi
exec "$noecho" serve --config "$dir/config.yaml" >"$dir/log" 2>&1

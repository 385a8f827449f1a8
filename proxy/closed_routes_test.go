package proxy

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/config"
)

var updateAPIs = flag.Bool("update-apis", false, "write the tables of docs/routes.md anew")

// TestRouteTables compares docs/routes.md with the tables.
func TestRouteTables(t *testing.T) {
	t.Parallel()
	const file = "../docs/routes.md"
	const begin, end = "<!-- begin routes -->\n", "<!-- end routes -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	from, to := bytes.Index(page, []byte(begin)), bytes.Index(page, []byte(end))
	if from < 0 || to < 0 {
		t.Fatalf("%s has no tables between %q and %q", file, begin, end)
	}
	from += len(begin)
	quoted := func(paths []string) string {
		if len(paths) == 0 {
			return "none: where a route's `api` names it"
		}
		return "`" + strings.Join(paths, "`, `") + "`"
	}
	var b strings.Builder
	b.WriteString("Scanned, each as its API:\n\n| api | method | paths |\n|---|---|---|\n")
	for _, row := range catalogue {
		if len(row.paths) == 0 {
			continue // scanned only where a route names the API
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", row.api, row.methods, quoted(row.paths))
	}
	b.WriteString("\nForwarded, because no generated text is in it:\n\n| method | paths |\n|---|---|\n")
	for _, row := range passTable {
		fmt.Fprintf(&b, "| %s | %s |\n", row.methods, quoted(row.paths))
	}
	b.WriteString("\nClosed, and answered with 404 and the reason (a path ending in `/` stands for all below it):\n\n| paths | because |\n|---|---|\n")
	for _, row := range closedTable {
		fmt.Fprintf(&b, "| %s | %s |\n", quoted(row.paths), row.why)
	}
	if *updateAPIs {
		page = slices.Concat(page[:from], []byte(b.String()), page[to:])
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page[from:to]) != b.String() {
		t.Errorf("%s is not what the tables say: go test ./proxy -run TestRouteTables -update-apis", file)
	}
}

// TestTablesAgree: no path is in two of the tables of scanned, forwarded and closed paths.
func TestTablesAgree(t *testing.T) {
	t.Parallel()
	open := map[string]string{}
	add := func(methods, path, as string) {
		for m := range strings.FieldsSeq(methods) {
			if was := open[m+" "+path]; was != "" && was != as {
				t.Errorf("%s %s is %s and %s", m, path, was, as)
			}
			open[m+" "+path] = as
		}
		if why := closed(path); why != "" {
			t.Errorf("%s %s is %s, and closed because %s", methods, path, as, why)
		}
	}
	for _, row := range catalogue {
		for _, p := range row.paths {
			add(row.methods, p, row.api)
		}
	}
	for _, row := range passTable {
		for _, p := range row.paths {
			add(row.methods, p, passAPI)
		}
	}
}

// TestShutRoutes: the refusal for a closed path says why it is closed, and no request for it
// reaches the upstream.
func TestShutRoutes(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", `{}`) })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	for _, path := range []string{"/slots", "/slots/0", "/props", "/v1/stream/abc", "/detokenize", "/v1/realtime", "/tools", "/v1/audio/speech", "/openai/deployments/d/audio/speech"} {
		for _, method := range []string{"GET", "POST"} {
			status, head, text, err := b.do(method, path, "")
			if err != nil || status != 404 || !strings.Contains(text, `"code":"closed_route"`) || !strings.Contains(text, closed(path)) || head.Get("X-Should-Retry") != "false" {
				t.Errorf("%s %s: %d %s %v", method, path, status, text, err)
			}
		}
	}
	if status, _, text, _ := b.do("GET", "/never/heard/of", ""); status != 404 || !strings.Contains(text, "unknown_route") {
		t.Errorf("%d %s", status, text)
	}
	answer := b.raw("GET /v1/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 400") || !strings.Contains(answer, "WebSocket") {
		t.Errorf("upgrade: %s", answer)
	}
	if n := up.accepted(); n != 0 {
		t.Errorf("%d connections reached the upstream", n)
	}
}

// TestWarnsOfDoubledPath: an upstream that ends with the first part of the paths of its routes
// answers every call with 404.
func TestWarnsOfDoubledPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		upstream string
		routes   []config.Route
		want     string // a part of the only warning; empty: there is none
	}{
		{"http://m:8000/v1", nil, "upstream http://m:8000/v1 ends in /v1, and the paths that callers ask for begin with it: /v1/chat/completions is sent as /v1/v1/chat/completions; leave /v1 out of the URL"},
		{"http://m:8000/base/v1", []config.Route{{Path: "/a/"}, {Path: "/b/"}}, "/v1/chat/completions is sent as /base/v1/v1/chat/completions"},
		{"http://m:8000/v1beta", nil, "/v1beta/v1beta/"},
		{"http://m:8000/v1", []config.Route{{Path: "/v1/messages"}}, "/v1/messages is sent as /v1/v1/messages"},
		{"http://m:8000/v1", []config.Route{{Path: "/chat/completions"}}, ""},
		{"http://m:8000/v1/chat/completions", nil, "ends in /v1/chat/completions, and the paths that callers ask for begin with it: /v1/chat/completions is sent as /v1/chat/completions/v1/chat/completions"},
		{"http://m:8000/base/v1/chat/completions/", nil, "leave /v1/chat/completions out of the URL"},
		{"http://m:8000/v1/messages", []config.Route{{Path: "/v1/messages"}}, "leave /v1/messages out of the URL"},
		{"http://m:8000/completion", nil, "leave /completion out of the URL"},
		{"http://m:8000/base/completion", nil, ""},
		{"http://m:8000", nil, ""},
		{"http://m:8000/team", nil, ""},
	} {
		cfg := bedConfig(t, tt.upstream)
		cfg.Routes = tt.routes
		got := Warnings(&cfg)
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%s %v: %q, want %q", tt.upstream, tt.routes, got, tt.want)
		}
	}
}

// TestWarnings: a configuration that opens a closed path causes a warning, and the path is open.
func TestWarnings(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", `{"slots":1}`) })
	cfg := bedConfig(t, up.url())
	cfg.Routes = []config.Route{{Path: "/slots", API: passAPI}, {Path: "/v1/completions", API: passAPI}, {Path: "/own/status", API: passAPI}, {Path: "/"}}
	got := Warnings(&cfg)
	if len(got) != 2 || !strings.Contains(got[0], "/slots") || !strings.Contains(got[1], "openai.completions") {
		t.Fatalf("%q", got)
	}
	b := newBed(t, Options{Config: cfg})
	if status, _, text, _ := b.do("GET", "/slots", ""); status != 200 || text != `{"slots":1}` {
		t.Errorf("%d %s", status, text)
	}
	if logs := b.logs.String(); !strings.Contains(logs, `"path":"/slots","api":"pass"}`) {
		t.Errorf("the log has a mode for what is not scanned: %s", logs)
	}
	for _, w := range got {
		if !strings.Contains(b.logs.String(), w) {
			t.Errorf("%q is not in the log", w)
		}
	}
}

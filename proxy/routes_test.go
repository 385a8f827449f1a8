package proxy

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"noecho/detect"
	"noecho/proxy/config"
)

func table(t *testing.T, routes ...config.Route) (*routeTable, error) {
	t.Helper()
	cfg := bedConfig(t, "http://model:8000")
	cfg.Routes = routes
	return newRouteTable(&cfg, func(u *url.URL) *upstream { return &upstream{host: u.Host, prefix: u.Path} })
}

func TestRoutesFind(t *testing.T) {
	t.Parallel()
	block := detect.Block
	other, _ := config.ParseUpstream("http://other/base")
	def, err := table(t)
	if err != nil {
		t.Fatal(err)
	}
	custom, err := table(t,
		config.Route{Path: "/team-a/", Upstream: other},
		config.Route{Path: "/team-a/deep/"},
		config.Route{Path: "/v1/chat/completions", Mode: &block},
		config.Route{Path: "/gateway/{name}/chat", API: "openai.chat"},
		config.Route{Path: "/models/{name}:chat", API: "openai.chat"},
		config.Route{Path: "/models/{name}:complete", API: "openai.completions"},
		config.Route{Path: "/slots", API: passAPI})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		table        *routeTable
		method, path string
		want         string // pattern, api, host and forwarded path
	}{
		{"chat", def, "POST", "/v1/chat/completions", "/v1/chat/completions openai.chat model:8000 /v1/chat/completions"},
		{"chat alias", def, "POST", "/chat/completions", "/chat/completions openai.chat model:8000 /chat/completions"},
		{"completions", def, "POST", "/v1/completions", "/v1/completions openai.completions model:8000 /v1/completions"},
		{"azure", def, "POST", "/openai/deployments/gpt-4o/chat/completions", "/openai/deployments/{deployment}/chat/completions openai.chat model:8000 /openai/deployments/gpt-4o/chat/completions"},
		{"azure completions", def, "POST", "/openai/deployments/d_1.2/completions", "/openai/deployments/{deployment}/completions openai.completions model:8000 /openai/deployments/d_1.2/completions"},
		{"vertex", def, "POST", "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict", "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:streamRawPredict anthropic.messages model:8000 /v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict"},
		{"vertex, another publisher's model", def, "POST", "/v1/projects/p/locations/l/publishers/meta/models/llama:rawPredict", ""},
		{"legacy", def, "POST", "/v1/complete", "/v1/complete anthropic.complete model:8000 /v1/complete"},
		{"models", def, "GET", "/v1/models", "/v1/models pass model:8000 /v1/models"},
		{"model of an owner", def, "HEAD", "/v1/models/meta-llama/Llama-3", "/v1/models/{owner}/{model} pass model:8000 /v1/models/meta-llama/Llama-3"},
		{"embeddings", def, "POST", "/v1/embeddings", "/v1/embeddings pass model:8000 /v1/embeddings"},
		{"llama.cpp native", def, "POST", "/completions", "/completions llamacpp.completion model:8000 /completions"},
		{"wrong method", def, "GET", "/v1/embeddings", ""},
		{"root", def, "GET", "/", "/ pass model:8000 /"},
		{"deleted answer", def, "DELETE", "/v1/responses/resp_1", "/v1/responses/{id} openai.responses model:8000 /v1/responses/resp_1"},
		{"deleted model", def, "DELETE", "/v1/models/m", ""},
		{"TGI's root", def, "POST", "/", "/ tgi model:8000 /"},
		{"batch of chats", def, "POST", "/v1/chat/completions/batch", "/v1/chat/completions/batch openai.chat model:8000 /v1/chat/completions/batch"},

		{"whole path", custom, "POST", "/v1/chat/completions", "/v1/chat/completions openai.chat model:8000 /v1/chat/completions"},
		{"not listed any more", custom, "POST", "/v1/completions", ""},
		{"models not listed", custom, "GET", "/v1/models", ""},
		{"mount", custom, "POST", "/team-a/v1/chat/completions", "/team-a/v1/chat/completions openai.chat other /base/v1/chat/completions"},
		{"mount, pass table", custom, "GET", "/team-a/v1/models/x", "/team-a/v1/models/{model} pass other /base/v1/models/x"},
		{"deeper mount", custom, "POST", "/team-a/deep/v1/completions", "/team-a/deep/v1/completions openai.completions model:8000 /v1/completions"},
		{"below a mount, unlisted", custom, "GET", "/team-a/slots", ""},
		{"shaped", custom, "POST", "/gateway/x/chat", "/gateway/{name}/chat openai.chat model:8000 /gateway/x/chat"},
		{"ending", custom, "POST", "/models/x@1:chat", "/models/{name}:chat openai.chat model:8000 /models/x@1:chat"},
		{"another ending", custom, "POST", "/models/x:complete", "/models/{name}:complete openai.completions model:8000 /models/x:complete"},
		{"two endings", custom, "POST", "/models/x:chat:complete", "/models/{name}:complete openai.completions model:8000 /models/x:chat:complete"},
		{"ending alone", custom, "POST", "/models/:chat", ""},
		{"no ending", custom, "POST", "/models/x", ""},
		{"ending of another segment", custom, "POST", "/models/x:chat/y", ""},
		{"longer than the ending", custom, "POST", "/models/x:chats", ""},
		{"opened", custom, "GET", "/slots", "/slots pass model:8000 /slots"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if r := tt.table.find(tt.method, tt.path); r != nil {
				got = strings.Join([]string{r.pattern, r.api, r.upstream.host, r.upstream.prefix + tt.path[r.cut:]}, " ")
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if r := custom.find("POST", "/v1/chat/completions"); r.policy.ModeFor("m", detect.Redact) != detect.Block {
		t.Error("the route's own mode is lost")
	}
}

func TestRoutesRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		route config.Route
		want  string
	}{
		{config.Route{Path: "/v9/new"}, "not in the catalogue"},
		{config.Route{Path: "/v9/new", API: "openai.chta"}, `api "openai.chta" is not known`},
	} {
		if _, err := table(t, tt.route); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.route, err, tt.want)
		}
	}
	_, err := table(t, config.Route{Path: "/v9/new"}, config.Route{Path: "/v9/newer", API: "openai.chta"})
	if err == nil || !strings.Contains(err.Error(), "not in the catalogue") || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("not all that is wrong is told: %v", err)
	}
}

// TestMissedPaths: a path that is not open is named in the answer, the log and the metrics.
// Callers cannot make either of them grow without bound.
func TestMissedPaths(t *testing.T) {
	t.Parallel()
	b := newBed(t, Options{Config: bedConfig(t, "http://127.0.0.1:1")})
	for range 3 {
		status, _, text, err := b.do("POST", "/v1/files/uploads/pot-0123456789abcdef?key=quokka", "{}")
		if err != nil || status != 404 || !strings.Contains(text, `POST /v1/files/uploads/pot-0123456789abcdef is not open here: the operator can open the path under routes`) {
			t.Errorf("%d %q %v", status, text, err)
		}
	}
	if n := b.metric("noecho_missed_paths_total", `{method="POST",path="/v1/files/uploads/{id}"}`); n != 3 {
		t.Errorf("%d requests are counted, want 3", n)
	}
	if n := strings.Count(b.logs.String(), `"method":"POST","path":"/v1/files/uploads/{id}"`); n != 1 {
		t.Errorf("%d log lines, want 1: %s", n, b.logs.String())
	}
	if _, _, text, err := b.do("POST", "/v1/v1/chat/completions", "{}"); err != nil || !strings.Contains(text, "/v1 is in it twice") {
		t.Errorf("%q %v", text, err)
	}
	for i := range 2 * maxPaths {
		if status, _, _, err := b.do("GET", fmt.Sprintf("/x%d", i), ""); err != nil || status != 404 {
			t.Fatalf("%d %v", status, err)
		}
	}
	if n := b.metric("noecho_missed_paths_total", `{method="GET",path="other"}`); n < maxPaths {
		t.Errorf("%d requests are counted as others", n)
	}
	for path, want := range map[string]string{
		"/v1/zebra/finch":                   "/v1/zebra/finch is",
		"/zebra" + strings.Repeat("a", 999): "/zebra" + strings.Repeat("a", 250) + "… is",
	} {
		if status, _, text, err := b.do("GET", path, ""); err != nil || status != 404 || !strings.Contains(text, `"message":"GET `+want) {
			t.Errorf("%q: %d %s %v", path, status, text, err)
		}
	}
	if got := shownPath("/a\x01\xffé\"\\"); got != `/a\x01\xff\u00e9\"\\` {
		t.Errorf("got %s", got)
	}
	_, text := b.ask("GET", "/metrics")
	if n := strings.Count(text, "\nnoecho_missed_paths_total{"); n > maxPaths+3 {
		t.Errorf("%d series, want at most %d", n, maxPaths+3)
	}
	if written := b.logs.String() + text; strings.Contains(written, "quokka") || strings.Contains(written, "zebra") {
		t.Error("a query or an unknown path was written down")
	}
}

func TestNotePaths(t *testing.T) {
	t.Parallel()
	m := missedPaths{logged: map[string]time.Time{}}
	key, known := []byte("key of principals"), pathSegments([]config.Route{{Path: "/my/route"}})
	start := time.Unix(1_000_000, 0)
	for _, tt := range []struct {
		path string
		at   time.Duration
		want string
		due  bool
	}{
		{"/v1/files", 0, "/v1/files", true},
		{"/v1/files", pathPause - 1, "/v1/files", false},
		{"/v1/files", pathPause, "/v1/files", true},
		{"/v1/x%2e", pathPause, otherPath, true},
		{"/" + strings.Repeat("a", 200), pathPause, otherPath, false},
		{"/v1/files/file-0123456789ab/content", pathPause, "/v1/files/{id}/content", true},
		{"/v9beta1/models/zebra:generateContent", pathPause, "/v9beta1/models/" + hiddenName(key, "zebra") + ":generateContent", true},
		{"/v1/zebra/my/files", pathPause, "/v1/" + hiddenName(key, "zebra") + "/my/files", true},
	} {
		if name, due := m.note("GET", pathName(key, known, tt.path), start.Add(tt.at)); name != tt.want || due != tt.due {
			t.Errorf("%s: %q %v, want %q %v", tt.path, name, due, tt.want, tt.due)
		}
	}
}

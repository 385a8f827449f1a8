package proxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/proxy/config"
)

// identifiedBed serves a model that recites secret, under the keys that say who a caller is.
func identifiedBed(t *testing.T, trusted ...string) *bed {
	t.Helper()
	cfg := bedConfig(t, recite(t, says("Well: "+secret+". Done.")).URL())
	for _, p := range trusted {
		cfg.TrustedProxies = append(cfg.TrustedProxies, netip.MustParsePrefix(p))
	}
	cfg.Identify.User = "x-forwarded-user"
	return newBed(t, Options{Config: cfg, Open: secretOpen(t)})
}

// TestWhoCalls: headers about a caller are believed from trusted proxies only, and without a
// list of them only the name of a user.
func TestWhoCalls(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, tt := range []struct {
		trusted         []string
		header, user    string
		forwarded, want string // and the user that alerts have
	}{
		{nil, "192.0.2.1", "ann", "", "ann"},
		{[]string{"10.0.0.0/8"}, "192.0.2.1", "ann", "", ""},
		{[]string{"127.0.0.0/8"}, "192.0.2.1", "ann", "192.0.2.1", "ann"},
		{[]string{"127.0.0.0/8"}, "6.6.6.6, 192.0.2.1", "", "192.0.2.1", ""},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, "6.6.6.6, 192.0.2.1, 10.0.0.7", "", "192.0.2.1", ""},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, "10.0.0.8,10.0.0.7", "", "10.0.0.8", ""},
		{[]string{"127.0.0.0/8"}, "[2001:db8::1]:443", "", "2001:db8::1", ""},
		{[]string{"127.0.0.0/8"}, "192.0.2.1:443", "", "192.0.2.1", ""},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, "192.0.2.1, <script>, 10.0.0.7", "", "10.0.0.7", ""},
		{[]string{"127.0.0.0/8"}, "", strings.Repeat("a", 257), "", ""},
	} {
		b := identifiedBed(t, tt.trusted...)
		if _, _, _, err := b.do("POST", chatPath, askWhole, "X-Forwarded-For", tt.header, "X-Forwarded-User", tt.user, "Traceparent", trace); err != nil {
			t.Fatal(err)
		}
		b.metric("noecho_refusals_total", ".*")
		for _, ev := range b.alertLines("finding") {
			if ev["forwarded"] != tt.forwarded || ev["user"] != tt.want || ev["traceparent"] != trace || !strings.HasPrefix(fmt.Sprint(ev["client"]), "127.") {
				t.Errorf("%v, %q by %q: %v", tt.trusted, tt.header, tt.user, ev)
			}
		}
		if len(b.alertLines("finding")) != 1 {
			t.Errorf("%d findings", len(b.alertLines("finding")))
		}
	}
}

// TestIgnoredWarnings: check and the log tell of entries whose time is over or nearly so, of
// alerts about identifiers, and of users that everybody can name.
func TestIgnoredWarnings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ignore.jsonl")
	soon := time.Now().Add(24 * time.Hour).UTC().Format(time.DateOnly)
	list := fmt.Sprintf(`{"digest":"0000000000000001","until":"2020-01-31"}`+"\n"+`{"digest":"0000000000000002","until":%q}`+"\n"+
		`{"digest":"0000000000000003"}`+"\n"+`{"v":1,"type":"finding","identifier":"email","digests":["0000000000000004"]}`+"\n", soon)
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := bedConfig(t, "http://127.0.0.1:1")
	cfg.Ignore.Files, cfg.Identify.User = []string{path}, "x-forwarded-user"
	got := strings.Join(Warnings(&cfg), "\n")
	for _, want := range []string{"1 of 3 ignored windows have expired", "1 of 3 ignored windows expire within 7 days", "1 lines of the ignored windows are about identifiers", "identify.user is read from every caller"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if err := os.WriteFile(path, []byte("greeting\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSnapshot(nil, cfg, secretOpen(t)); err == nil || !strings.Contains(err.Error(), path+":1: the line is no JSON object") {
		t.Errorf("a list that cannot be read: %v", err)
	}
}

// TestForwardedBudgets: callers behind one trusted proxy have budgets of their own.
func TestForwardedBudgets(t *testing.T) {
	t.Parallel()
	cfg := bedConfig(t, recite(t, says("Well: "+secret+". Done.")).URL())
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.Budget = config.Budget{Findings: 1, Per: time.Hour, Then: config.ThenBlock}
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	for _, tt := range []struct {
		address string
		want    []int
	}{{"192.0.2.1", []int{200, 200, 400}}, {"192.0.2.2", []int{200, 200, 400}}} {
		for i, want := range tt.want {
			if status, _, _, err := b.do("POST", chatPath, askWhole, "X-Forwarded-For", tt.address); err != nil || status != want {
				t.Errorf("%s, answer %d: %d, %v, want %d", tt.address, i, status, err, want)
			}
		}
	}
	b.metric("noecho_refusals_total", ".*")
	if lines := b.alertLines("finding"); lines[len(lines)-1]["rule"] != "budget" || fmt.Sprint(lines[len(lines)-1]["signal"]) != "[budget]" {
		t.Errorf("%v", lines[len(lines)-1])
	}
}

func TestPlainTrace(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":   true,
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01":   false,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-a": false,
		"00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01":   false,
		"": false,
	} {
		if got := plainTrace([]byte(in)) == in; got != want && in != "" {
			t.Errorf("%q: %t", in, got)
		}
	}
}

// TestRequestIDs: every answer has an id, found or not, which is that of the alert; answers with
// and without a finding have headers of the same names.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	answer := func(text, id string) string {
		body := fmt.Sprintf(`{"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]}`, text)
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", id, len(body), body)
	}
	names := map[string][]string{}
	for _, tt := range []struct{ name, method, path, body, sent, upstream, want string }{
		{"leak", "POST", chatPath, askWhole, "", "", "*"},
		{"leak, caller", "POST", chatPath, askWhole, "mine-1", "", "mine-1"},
		{"leak, odd caller", "POST", chatPath, askWhole, "a b", "", "*"},
		{"leak, upstream", "POST", chatPath, askWhole, "mine-1", "req_up", "req_up"},
		{"leak, odd upstream", "POST", chatPath, askWhole, "mine-1", "a b", "mine-1"},
		{"clean", "POST", chatPath, askWhole, "", "", "*"},
		{"clean, upstream", "POST", chatPath, askWhole, "", "req_up", "req_up"},
		{"not open", "GET", "/nothing", "", "mine-1", "", "mine-1"},
		{"not open", "GET", "/nothing", "", "", "", "*"},
		{"unreadable", "POST", chatPath, "{", "mine-1", "", "mine-1"},
	} {
		header := ""
		if tt.upstream != "" {
			header = "X-Request-Id: " + tt.upstream + "\r\n"
		}
		text := "Well: " + secret + ". Done."
		if strings.HasPrefix(tt.name, "clean") {
			text = "Well."
		}
		b := newBed(t, Options{Config: bedConfig(t, newScripted(t, func(c *scene) { c.say("%s", answer(text, header)) }).url()), Open: secretOpen(t)})
		_, h, _, err := b.do(tt.method, tt.path, tt.body, "X-Request-Id", tt.sent)
		if err != nil {
			t.Fatal(err)
		}
		got := h.Values("X-Request-Id")
		if len(got) != 1 || got[0] == "" || tt.want != "*" && got[0] != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			continue
		}
		b.metric("noecho_refusals_total", ".*")
		for _, ev := range b.alertLines("finding") {
			if ev["request_id"] != got[0] {
				t.Errorf("%s: the answer has %q, the alert %q", tt.name, got[0], ev["request_id"])
			}
		}
		for name := range h {
			names[tt.name] = append(names[tt.name], name)
		}
		slices.Sort(names[tt.name])
	}
	if !slices.Equal(names["leak"], names["clean"]) || !slices.Equal(names["leak, upstream"], names["clean, upstream"]) {
		t.Errorf("headers of answers with a finding %q, without %q", names["leak"], names["clean"])
	}
}

// TestIgnored: a finding whose windows are all listed passes from the next reload on; text that
// follows it is withheld with it.
func TestIgnored(t *testing.T) {
	t.Parallel()
	greeting := storyWords("ticket", 0, 26) // 17 windows of 10 words
	says := map[string]string{
		"greeting": "Well: " + greeting + ". Done.",
		"more":     "Well: " + storyWords("ticket", 0, 30) + ". Done.",
		"other":    "Well: " + greeting + ". And " + storyWords("ticket", 40, 55) + ". Done.",
		"mail":     "Well: sarah.okafor@example.com. Done.",
	}
	listed := "" // alerts of the first mode; a blocked finding names its first window alone
	for _, mode := range []string{"redact", "block", "observe"} {
		path := filepath.Join(t.TempDir(), "ignore.jsonl")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("# nothing\n")
		b := storyBed(t, "mode: "+mode+"\nbudget: {findings: 2, per: 1h, then: block}\nignore: "+path, says)
		b.story("greeting", "a", true)
		b.metric("noecho_refusals_total", ".*")
		lines := b.alertLines("finding")
		if len(lines) != 1 || mode != "block" && len(lines[0]["digests"].([]any)) != 17 {
			t.Fatalf("%v", lines)
		}
		listed = cmp.Or(listed, b.alerts.String())
		write(listed)
		if err := b.srv.Reload(); err != nil {
			t.Fatal(err)
		}
		for i := range 4 { // more than the budget
			for _, streamed := range []bool{false, true} {
				if _, got := b.story("greeting", "a", streamed); !strings.HasPrefix(got, says["greeting"]) {
					t.Errorf("%s, %d: %q", mode, i, got)
				}
			}
		}
		b.metric("noecho_refusals_total", ".*")
		for _, ev := range b.alertLines("finding")[1:] {
			if ev["action"] != "ignored" || ev["rule"] != "ignore" {
				t.Errorf("%s: %v", mode, ev)
			}
		}
		if n := b.metric("noecho_leaks_total", `\{action="ignored",kind="verbatim",lane="plain"\}`); n != 8 {
			t.Errorf("%s: %d counted", mode, n)
		}
		if len(b.alertLines("membership_probing")) > 0 {
			t.Errorf("%s: ignored findings use up the budget", mode)
		}
		if mode == "observe" {
			continue
		}
		for _, model := range []string{"more", "other", "mail"} {
			_, got := b.story(model, "b", true)
			if strings.Contains(got, storyWords("ticket", 27, 30)) || strings.Contains(got, storyWords("ticket", 41, 54)) || strings.Contains(got, "sarah") {
				t.Errorf("%s, %s: %q", mode, model, got)
			}
			if model == "other" && !strings.HasPrefix(got, "Well: "+greeting) {
				t.Errorf("%s: the greeting beside a leak is withheld: %q", mode, got)
			}
		}
	}
}

package proxy

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/config"
)

// TestLongerThanTheLimit: an unstreamed answer beyond the limit is refused, or passed whole and
// counted where the route says so, in any coding.
func TestLongerThanTheLimit(t *testing.T) {
	t.Parallel()
	long := `{"choices":[{"index":0,"message":{"content":"` + strings.Repeat("word after word ", 1<<17) + `"}}]}`
	for _, coding := range []string{"", "gzip", "br", "zstd"} {
		for _, policy := range []config.Unscanned{config.Refuse, config.Pass} {
			t.Run(fmt.Sprintf("%s/%s", coding, policy), func(t *testing.T) {
				t.Parallel()
				body, header := long, ""
				if coding != "" {
					body, header = string(encode(t, coding, long)), "Content-Encoding: "+coding+"\r\n"
				}
				up := newScripted(t, func(c *scene) {
					c.say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
				})
				cfg := bedConfig(t, up.url())
				cfg.Limits.Answer, cfg.Limits.Ratio = 1<<20, 1<<20
				cfg.Routes = []config.Route{{Path: "/", Unscanned: policy}}
				b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
				status, _, text, err := b.do("POST", chatPath, askWhole)
				switch policy {
				case config.Pass:
					if err != nil || status != 200 || text != long {
						t.Errorf("%d, %d bytes of %d, %v", status, len(text), len(long), err)
					}
				default:
					if err != nil || status != 400 || !strings.Contains(text, "unscannable_content") {
						t.Errorf("%d %.80q %v", status, text, err)
					}
				}
				b.stop()
				if lines := b.alertLines("unscanned"); len(lines) != 1 {
					t.Errorf("alerts %v", lines)
				}
				if logs := b.logs.String(); strings.Contains(logs, "panic") {
					t.Errorf("logs: %s", logs)
				}
			})
		}
	}
}

// TestObserveHoldsNothing: in observe mode an answer leaves before it is scanned, also if the
// scan takes long.
func TestObserveHoldsNothing(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"`+secret+`"},"finish_reason":"stop"}]}`)
	})
	cfg := bedConfig(t, up.url())
	cfg.Mode = detect.Observe
	hold := make(chan struct{})
	b := newBed(t, Options{Config: cfg, Open: slowOpen(t, hold)})
	req, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+b.data+chatPath, strings.NewReader(`{"messages":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	if text, err := in.ReadString(']'); err != nil || !strings.Contains(text, secret) {
		t.Errorf("%q %v", text, err)
	}
	close(hold)
	b.stop()
	if lines := b.alertLines("finding"); len(lines) != 1 {
		t.Errorf("alerts %v", lines)
	}
}

// slowSet is an index that answers no look-up before hold is closed.
type slowSet struct {
	detect.Index
	hold <-chan struct{}
}

func (s slowSet) Gate2(h ngram.Hash) bool  { <-s.hold; return s.Index.Gate2(h) }
func (s slowSet) Gate4(h ngram.Hash) bool  { <-s.hold; return s.Index.Gate4(h) }
func (s slowSet) Window(h ngram.Hash) bool { <-s.hold; return s.Index.Window(h) }

func slowOpen(t testing.TB, hold <-chan struct{}) func(*config.Config) (Indexes, error) {
	open := secretOpen(t)
	return func(asked *config.Config) (Indexes, error) {
		ix, err := open(asked)
		ix.Set = slowSet{ix.Set, hold}
		return ix, err
	}
}

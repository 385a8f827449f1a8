package receiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noecho/internal/outbox"
	"noecho/proxy/alert"
)

// wire is a network in memory, so that a test has its own clock.
type wire struct{ conns chan net.Conn }

func (w wire) Accept() (net.Conn, error) {
	c, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (w wire) Close() error   { close(w.conns); return nil }
func (w wire) Addr() net.Addr { return &net.UnixAddr{Net: "pipe"} }

func (w wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case w.conns <- b:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func load(t *testing.T, address string) Load {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return func() (Access, error) { return Access{URL: u, Token: "secret", Key: []byte("key")}, nil }
}

// serve runs an HTTP server on a wire, and returns a log whose only sink is a webhook there.
func serve(t *testing.T, dir string, handler http.HandlerFunc) (l *alert.Log, end func()) {
	t.Helper()
	w := wire{make(chan net.Conn)}
	srv := &http.Server{Handler: handler}
	go func() { _ = srv.Serve(w) }()
	hook, err := NewWebhook(load(t, "http://siem.example/SECRET"), w.dial)
	if err != nil {
		t.Fatal(err)
	}
	box, err := outbox.Open(outbox.Options{Name: "webhook", Peer: hook, Append: alert.AppendLine, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if l, err = alert.Open(alert.Options{Sinks: []alert.Sink{box}}); err != nil {
		t.Fatal(err)
	}
	return l, func() {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
	}
}

// TestWebhook: each event is one request with its id, the token and a signature.
func TestWebhook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		l, end := serve(t, "", func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mac := hmac.New(sha256.New, []byte("key"))
			mac.Write(body)
			if got := r.Header.Get("X-Noecho-Signature-256"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("signature %q", got)
			}
			if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "application/json" || !strings.Contains(string(body), `"type":"start"`) {
				t.Errorf("%v, %s", r.Header, body)
			}
			ids = append(ids, r.Header.Get("Idempotency-Key"))
		})
		l.Offer(alert.Event{Type: alert.TypeStart})
		l.Offer(alert.Event{Type: alert.TypeStart})
		time.Sleep(time.Minute)
		boot := l.Boot()
		end()
		if len(ids) != 2 || ids[0] != boot+":1" || ids[1] != boot+":2" {
			t.Errorf("ids %q", ids)
		}
	})
}

// TestWebhookTrouble: a receiver that is slow, that is busy and says for how long, and that
// fails, gets every event, in order, and no error has the address.
func TestWebhookTrouble(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"429", "503", "redirect", "slow", "hangs", "breaks off", "401"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() + "/spool"
			synctest.Test(t, func(t *testing.T) {
				var got []string
				var down atomic.Bool
				down.Store(true)
				var attempts atomic.Int64
				l, end := serve(t, dir, func(w http.ResponseWriter, r *http.Request) {
					attempts.Add(1)
					_, _ = io.Copy(io.Discard, r.Body)
					if down.Load() {
						switch name {
						case "429":
							w.Header().Set("Retry-After", "120")
							w.WriteHeader(http.StatusTooManyRequests)
							return
						case "503":
							w.WriteHeader(http.StatusServiceUnavailable)
							return
						case "401":
							w.WriteHeader(http.StatusUnauthorized)
							return
						case "redirect":
							http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
							return
						case "slow":
							time.Sleep(3 * time.Second)
						case "hangs":
							<-r.Context().Done()
							return
						case "breaks off":
							panic(http.ErrAbortHandler)
						}
					}
					if r.URL.Path != "/SECRET" {
						t.Errorf("path %q", r.URL.Path)
					}
					got = append(got, r.Header.Get("Idempotency-Key"))
				})
				for range 60 {
					l.Offer(alert.Event{Type: alert.TypeStart})
					time.Sleep(10 * time.Second)
				}
				s := l.Stats().Sinks[0]
				if name != "slow" && (!s.Down || s.Spooled != 60) || s.Lost != 0 || strings.Contains(s.Reason, "SECRET") {
					t.Errorf("after ten minutes: %+v", s)
				}
				if name == "429" && attempts.Load() > 6 {
					t.Errorf("%d attempts in ten minutes, although the receiver asks for two minutes", attempts.Load())
				}
				down.Store(false)
				time.Sleep(10 * time.Minute)
				if s := l.Stats().Sinks[0]; s.Delivered != 60 || s.Queued != 0 || s.Down {
					t.Errorf("ten minutes later: %+v", s)
				}
				end()
				for i, id := range got {
					if !strings.HasSuffix(id, ":"+[]string{"1", "2", "3"}[min(i, 2)]) && i < 3 {
						t.Errorf("event %d is %s", i, id)
					}
				}
				if len(got) != 60 {
					t.Errorf("%d events", len(got))
				}
			})
		})
	}
}

// TestReopen: new secrets are used after Reopen; if they cannot be read, the old ones are.
func TestReopen(t *testing.T) {
	t.Parallel()
	token, failure := "old", error(nil)
	u, _ := url.Parse("http://h/")
	hook, err := NewWebhook(func() (Access, error) { return Access{URL: u, Token: token}, failure }, nil)
	if err != nil {
		t.Fatal(err)
	}
	token = "new"
	failure = errors.New("no such file")
	if err := hook.Reopen(); err == nil || hook.access.Token != "old" {
		t.Errorf("%v, %q", err, hook.access.Token)
	}
	failure = nil
	if err := hook.Reopen(); err != nil || hook.access.Token != "new" {
		t.Errorf("%v, %q", err, hook.access.Token)
	}
	if err := hook.Close(); err != nil {
		t.Error(err)
	}
}

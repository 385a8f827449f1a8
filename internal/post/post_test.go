package post

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func client(t *testing.T, address string) *Client {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{URL: u, Header: map[string]string{"authorization": "Bearer secret"}, Timeout: time.Minute})
	t.Cleanup(c.Close)
	return c
}

func TestPost(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("x-more") != "1" || r.URL.RawQuery != "key=token" {
			t.Errorf("request is %s %s with %v", r.Method, r.URL, r.Header)
		}
		_, _ = w.Write(append([]byte("took "), body...))
	}))
	defer srv.Close()
	answer, err := client(t, srv.URL+"/a?key=token").Post(t.Context(), []byte("body"), map[string]string{"x-more": "1"})
	if err != nil || string(answer) != "took body" {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestPostErrors(t *testing.T) {
	t.Parallel()
	var followed bool
	mux := http.NewServeMux()
	mux.HandleFunc("/secret-429", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	mux.HandleFunc("/secret-400", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	mux.HandleFunc("/secret-302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) })
	mux.HandleFunc("/other", func(http.ResponseWriter, *http.Request) { followed = true })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	gone := httptest.NewServer(mux)
	gone.Close()
	for address, want := range map[string]Error{
		srv.URL + "/secret-429":                 {Status: 429, After: 7 * time.Second},
		srv.URL + "/secret-400":                 {Status: 400, Refused: true},
		srv.URL + "/secret-302":                 {Status: 302},
		gone.URL + "/secret":                    {},
		"http://secret.invalid:1/secret-lookup": {},
	} {
		_, err := client(t, address).Post(t.Context(), nil, nil)
		var got *Error
		if !errors.As(err, &got) {
			t.Fatalf("%s: %v", address, err)
		}
		if got.Status != want.Status || got.After != want.After || got.Refused != want.Refused {
			t.Errorf("%s: %+v", address, got)
		}
		if text := err.Error(); text == "" || strings.Contains(text, "/secret") {
			t.Errorf("the error is %q", text)
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, srv.URL).Post(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for s, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-1": 0, "soon": 0, "4000000000": MaxWait, "99999999999999999999": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"Fri, 02 Jan 2099 03:04:00 GMT": MaxWait,
	} {
		if got := retryAfter(s, now); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

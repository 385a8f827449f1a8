package console

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// TestAttemptsBehindProxy: wrong tokens behind a trusted proxy are counted by the address that it
// had them from; one that a stranger names counts for nothing.
func TestAttemptsBehindProxy(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	b := newBed(t, t.TempDir(), func(o *Options) {
		o.Access = Access{Token: []byte(token), Trusted: func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }}
	}).look()
	signIn := func(peer, forwarded, token string) int {
		r := httptest.NewRequest("POST", "http://console.example"+api+"login", strings.NewReader(`{"token":"`+token+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", forwarded)
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Code
	}
	for _, peer := range []string{"10.0.0.1:1", "203.0.113.9:1"} {
		for i := range wrongTokens {
			if got := signIn(peer, "198.51.100.1, 192.0.2.7", "wrong"); got != 401 {
				t.Errorf("attempt %d from %s: %d", i, peer, got)
			}
		}
	}
	for _, tt := range []struct {
		peer, forwarded string
		want            int
	}{
		{"10.0.0.1:2", "192.0.2.7", 429},
		{"10.0.0.2:2", "192.0.2.8, 192.0.2.7, 10.0.0.3", 429},
		{"10.0.0.1:2", "192.0.2.8", 204},
		{"10.0.0.1:2", "", 204},
		{"203.0.113.9:2", "192.0.2.8", 429},
	} {
		if got := signIn(tt.peer, tt.forwarded, token); got != tt.want {
			t.Errorf("%s for %q: %d, want %d", tt.peer, tt.forwarded, got, tt.want)
		}
	}
}

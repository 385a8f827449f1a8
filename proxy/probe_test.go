package proxy

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/proxy/config"
)

// TestProbe: any answer of a model server will do, over TLS too, and one that is down is an error.
func TestProbe(t *testing.T) {
	t.Parallel()
	var asked []string
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
			w.WriteHeader(status)
		})
	}
	plain, secure, down := httptest.NewServer(answer(200)), httptest.NewTLSServer(answer(401)), httptest.NewServer(answer(200))
	defer plain.Close()
	defer secure.Close()
	down.Close()
	roots := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := bedConfig(t, plain.URL+"/base")
	cfg.Upstream.CAFile = roots
	for _, url := range []string{secure.URL, down.URL, plain.URL + "/base"} {
		u, err := config.ParseUpstream(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Routes = append(cfg.Routes, config.Route{Path: "/", Upstream: u})
	}
	lines, failed := Probe(t.Context(), &cfg)
	got := strings.Join(lines, "\n")
	if len(lines) != 2 || !strings.Contains(got, "/base answers: status 200 for GET /base/v1/models.") || !strings.Contains(got, "status 401 for GET /v1/models, as it wants a credential") {
		t.Errorf("%q", got)
	}
	if len(failed) != 1 || !strings.Contains(failed[0].Error(), down.URL) {
		t.Errorf("%v", failed)
	}
	if strings.Join(asked, ", ") != "GET /base/v1/models , GET /v1/models " {
		t.Errorf("%q", asked)
	}
}

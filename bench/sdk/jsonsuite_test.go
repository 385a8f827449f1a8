package sdk

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// jsonSuite is nst/JSONTestSuite: files that every parser has to accept (y_), to
// refuse (n_) or may treat either way (i_). It is fetched as a module and no part
// of it is kept here.
const jsonSuite = "github.com/nst/JSONTestSuite@v0.0.0-20241122125541-1ef36fa01286"

// TestJSONSuite sends every file through noecho, as an answer and as the data of
// an event, on a known and on an unknown API. What is valid JSON comes back byte
// for byte, what is none is refused, and noecho is alive afterwards.
func TestJSONSuite(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", jsonSuite).Output()
	if err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.ReplaceAll(module.Dir, "[", `\[`), "test_parsing", "*.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		body, err := os.ReadFile(filepath.Join(module.Dir, "test_parsing", filepath.Base(r.URL.Query().Get("file"))))
		if err != nil {
			t.Error(err)
		}
		if r.URL.Query().Get("as") == "event" {
			w.Header().Set("Content-Type", "text/event-stream")
			body = event(body)
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(upstream.Close)
	g := newProgram(t).serve(t, "redact", upstream.URL)
	for _, file := range files {
		name := filepath.Base(file)
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/v1/chat/completions", "/api/v1/chat"} {
			for _, as := range []string{"answer", "event"} {
				want := body
				if as == "event" {
					want = event(body)
				}
				status, got := askFile(t, g.url+path+"?"+url.Values{"file": {name}, "as": {as}}.Encode())
				same := status == http.StatusOK && bytes.Equal(got, want)
				refused := bytes.Contains(got, []byte("unscannable_content")) && (status == http.StatusBadRequest || as == "event")
				if !jsonVerdict(name, body, same, refused) {
					t.Errorf("%s %s as %s: status %d, %.200q", path, name, as, status, got)
				}
			}
		}
	}
}

// jsonVerdict reports whether a file was treated as it may be. An object with
// a name twice is valid JSON and cannot be scanned: no two readers agree on it.
// Nothing at all holds no text.
func jsonVerdict(name string, body []byte, same, refused bool) bool {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return same
	case strings.HasPrefix(name, "y_object_duplicated_key"):
		return refused
	case strings.HasPrefix(name, "y_"):
		return same
	case strings.HasPrefix(name, "n_"):
		return refused
	}
	return same != refused
}

// event is a file as the data of one event.
func event(body []byte) []byte {
	var b bytes.Buffer
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(body)), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func askFile(t *testing.T, target string) (int, []byte) {
	t.Helper()
	resp, err := http.Post(target, "application/json", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return resp.StatusCode, got
}

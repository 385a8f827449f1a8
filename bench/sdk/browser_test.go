package sdk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestBrowser has a page in Chromium ask noecho, which is of another origin than the
// page: before an upstream that allows the page, and with a section cors of its own
// before one that does not.
func TestBrowser(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("chromium"); err != nil {
		missing(t, "needs a browser: apt-get install chromium")
	}
	site := newSite(t)
	p := newProgram(t)
	allows := func(origin string) []string {
		config := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(config, fmt.Appendf(nil, "version: 1\ncors:\n  origins: [%q]\n", origin), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--config", config}
	}
	m := p.model(t, script())
	site.add("without", "without", m, site.allowed(t, m.url))
	for _, mode := range []string{"observe", "redact", "block"} {
		m := p.model(t, script())
		site.add("upstream-"+mode, mode, m, p.serve(t, mode, site.allowed(t, m.url)).url)
		m = p.model(t, script())
		site.add("section-"+mode, mode, m, p.serve(t, mode, m.url, allows(site.url)...).url)
	}
	m = p.model(t, script())
	site.add("stranger", "redact", m, p.serve(t, "redact", m.url, allows("https://chat.example.com")...).url)

	site.browse(t)
	for name, j := range site.jobs {
		t.Run(name, func(t *testing.T) { j.check(t, name) })
	}
	if site.questions.Load() == 0 {
		t.Error("the browser did not ask the upstream for leave")
	}
}

// A site is the server of page/index.html, which asks the servers of the jobs.
type site struct {
	url       string
	lock      sync.Mutex // of the jobs
	jobs      map[string]*job
	done      chan struct{}
	questions atomic.Int64 // that a browser asked of an upstream first
}

// A job is one server that the page asks.
type job struct {
	Name  string `json:"name"`
	Base  string `json:"base"`
	mode  string
	model model
	told  []told
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{jobs: map[string]*job{}, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("page")))
	mux.HandleFunc("GET /jobs", func(w http.ResponseWriter, _ *http.Request) {
		all := make([]*job, 0, len(s.jobs))
		for _, j := range s.jobs {
			all = append(all, j)
		}
		if err := json.NewEncoder(w).Encode(all); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /asked/{job}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, s.jobs[r.PathValue("job")].model.asked.Load())
	})
	mux.HandleFunc("POST /told/{job}", func(_ http.ResponseWriter, r *http.Request) {
		var got told
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		j := s.jobs[r.PathValue("job")]
		j.told = append(j.told, got)
	})
	mux.HandleFunc("POST /done", func(http.ResponseWriter, *http.Request) { close(s.done) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.lock.Lock()
		defer s.lock.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) add(name, mode string, m model, base string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.jobs[name] = &job{Name: name, Base: base, mode: mode, model: m}
}

// allowed starts a server before a model that allows the page to ask, and returns
// its URL.
func (s *site) allowed(t *testing.T, address string) string {
	t.Helper()
	pass := passTo(t, address)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") == s.url {
			w.Header().Set("Access-Control-Allow-Origin", s.url)
		}
		if r.Method == http.MethodOptions {
			s.questions.Add(1)
			w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// browse opens the page in Chromium and waits until it has asked everything.
func (s *site) browse(t *testing.T) {
	t.Helper()
	profile, err := os.MkdirTemp("", "noecho-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--user-data-dir="+profile, s.url+"/")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts processes of its own
	cmd.WaitDelay = time.Second                           // for those that have its log
	log, ended := launch(t, cmd)
	select {
	case <-s.done:
	case err := <-ended:
		t.Fatalf("chromium ended: %v\n%s", err, log)
	case <-time.After(patience):
		t.Errorf("the page is not done after %v", patience)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	<-ended
	_ = os.RemoveAll(profile) // a process that is just ending may still write there
	if t.Failed() {
		t.Fatalf("chromium said:\n%s", log)
	}
}

// check fails if an answer differs from the one that the page ought to get.
func (j *job) check(t *testing.T, name string) {
	if len(j.told) != 17 {
		t.Errorf("%d calls", len(j.told))
	}
	for _, got := range j.told {
		switch {
		case name == "stranger":
			if got.Name != "TypeError" || got.Asked != 0 {
				t.Errorf("a page that is not listed got an answer: %+v", got)
			}
		case got.API != "nowhere":
			got.check(t, j.mode)
		case name == "upstream-"+j.mode: // the error is noecho's, and the upstream is not asked whether the page may read it
			if got.Name != "TypeError" {
				t.Errorf("no path: %+v", got)
			}
		case got.Status/100 != 4:
			t.Errorf("no path: %+v", got)
		}
	}
}

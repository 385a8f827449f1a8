package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// patience bounds every wait for a process; nothing takes that long.
const patience = 60 * time.Second

// A program is a built noecho with an index of testdata/train.jsonl.
type program struct {
	bin   string
	index string
}

func newProgram(t *testing.T) program {
	t.Helper()
	dir := t.TempDir()
	p := program{bin: filepath.Join(dir, "noecho"), index: filepath.Join(dir, "train.nidx")}
	p.build(t, p.bin, "./cmd/noecho")
	out, err := exec.CommandContext(t.Context(), p.bin, "index", "build", "--out", p.index, "testdata/train.jsonl").CombinedOutput()
	if err != nil {
		t.Fatalf("index build: %v\n%s", err, out)
	}
	return p
}

// build builds a program of the checkout above.
func (p program) build(t *testing.T, bin, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, pkg)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
}

// A guard is a running `noecho serve`.
type guard struct {
	url    string
	alerts string // path of the alert file
}

// serve starts noecho before upstream and stops it when the test ends.
func (p program) serve(t *testing.T, mode, upstream string) guard {
	t.Helper()
	listen, admin := freeAddress(t), freeAddress(t)
	g := guard{url: "http://" + listen, alerts: filepath.Join(t.TempDir(), "alerts.jsonl")}
	cmd := exec.Command(p.bin, "serve", "--index", p.index, "--upstream", upstream,
		"--listen", listen, "--admin", admin, "--mode", mode, "--alerts", g.alerts)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := stop(cmd, ended); err != nil {
			t.Errorf("serve --mode %s: %v\n%s", mode, err, &log)
		}
		if strings.Contains(log.String(), "Okafor") {
			t.Errorf("serve --mode %s: the log holds training text", mode)
		}
	})
	if err := awaitReady("http://"+admin+"/readyz", ended); err != nil {
		t.Fatalf("serve --mode %s: %v\n%s", mode, err, &log)
	}
	return g
}

// stop asks a process to end and waits for it.
func stop(cmd *exec.Cmd, ended chan error) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		return errors.Join(errors.New("did not end after SIGTERM"), cmd.Process.Kill())
	}
}

// awaitReady asks until the answer is 200, the process has ended or patience
// has run out.
func awaitReady(url string, ended chan error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("ended before it was ready: %w", err)
		case <-late:
			return fmt.Errorf("not ready: %v", err)
		case <-tick.C:
		}
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// client returns the official client with its defaults, retries included.
func (g guard) client() openai.Client {
	return openai.NewClient(option.WithBaseURL(g.url+"/v1/"), option.WithAPIKey("sk-of-nobody"))
}

// findings returns the findings in the alert file once there are n of them.
func (g guard) findings(t *testing.T, n int) []finding {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		found := g.readFindings(t)
		if len(found) >= n {
			return found
		}
		select {
		case <-late:
			t.Fatalf("%d findings in the alert file, want %d", len(found), n)
		case <-tick.C:
		}
	}
}

// finding is what the tests look at in an alert line.
type finding struct {
	Type, Action, Channel, Kind string
	Words                       int
}

func (g guard) readFindings(t *testing.T) []finding {
	t.Helper()
	text, err := os.ReadFile(g.alerts)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("Okafor")) {
		t.Error("the alert file holds training text")
	}
	var found []finding
	for line := range bytes.Lines(text) {
		var f finding
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if f.Type == "finding" {
			found = append(found, f)
		}
	}
	return found
}

// A model is a scripted model server: the name of the model in the request
// picks the answer.
type model struct {
	*httptest.Server
	asked   atomic.Int64 // requests seen
	scripts map[string]script
}

// A script is an answer: a JSON body, and the events of the same answer as a
// stream.
type script struct {
	body   string
	events []string
}

func newModel(t *testing.T, scripts map[string]script) *model {
	t.Helper()
	m := &model{scripts: scripts}
	m.Server = httptest.NewServer(http.HandlerFunc(m.answer))
	t.Cleanup(m.Close)
	return m
}

func (m *model) answer(w http.ResponseWriter, r *http.Request) {
	m.asked.Add(1)
	var request struct {
		Model  string
		Stream bool
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	s, ok := m.scripts[request.Model]
	if err != nil || !ok || r.Header.Get("Authorization") != "Bearer sk-of-nobody" {
		http.Error(w, `{"error":{"message":"not in the script"}}`, http.StatusTeapot)
		return
	}
	if !request.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.body)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, event := range s.events {
		_, _ = io.WriteString(w, "data: "+event+"\n\n")
		w.(http.Flusher).Flush()
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// quote returns s as a JSON string.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// deadline bounds one call of a client.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

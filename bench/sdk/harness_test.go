package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// patience bounds every wait for a process. It only ends a hang: a browser, LiteLLM and
// Java start at the same time, which takes minutes on a slow machine.
const patience = 5 * time.Minute

// A program is a built noecho with an index of testdata/train.jsonl, and a built
// fakellm.
type program struct {
	bin     string
	fakellm string
	index   string
}

// built builds the programs of the checkout above, once for all tests.
var built = sync.OnceValues(func() (program, error) {
	dir, err := os.MkdirTemp("", "noecho-sdk-")
	if err != nil {
		return program{}, err
	}
	p := program{bin: filepath.Join(dir, "noecho"), fakellm: filepath.Join(dir, "fakellm"), index: filepath.Join(dir, "train.nidx")}
	build := exec.Command("go", "build", "-o", dir, "./cmd/noecho", "./internal/fakellm/cmd/fakellm")
	build.Dir = filepath.Join("..", "..")
	for _, cmd := range []*exec.Cmd{build, exec.Command(p.bin, "index", "build", "--out", p.index, "testdata/train.jsonl")} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return p, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if p, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(p.bin))
	}
	os.Exit(code)
}

func newProgram(t *testing.T) program {
	t.Helper()
	p, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A guard is a running `noecho serve`.
type guard struct {
	url    string
	alerts string // path of the alert file
}

// serve starts noecho before upstream, with more arguments, and stops it when the
// test ends.
func (p program) serve(t *testing.T, mode, upstream string, more ...string) guard {
	t.Helper()
	listen, admin := freeAddress(t), freeAddress(t)
	g := guard{url: "http://" + listen, alerts: filepath.Join(t.TempDir(), "alerts.jsonl")}
	args := append([]string{
		"serve", "--index", p.index, "--upstream", upstream,
		"--listen", listen, "--admin", admin, "--mode", mode, "--alerts", g.alerts,
	}, more...)
	cmd := exec.Command(p.bin, args...)
	log, ended := launch(t, cmd)
	t.Cleanup(func() {
		if err := stop(cmd, ended); err != nil {
			t.Errorf("serve --mode %s: %v\n%s", mode, err, log)
		}
		if t.Failed() {
			t.Logf("serve --mode %s said:\n%s", mode, log)
		}
		if strings.Contains(log.String(), "Okafor") {
			t.Errorf("serve --mode %s: the log holds training text", mode)
		}
	})
	if err := awaitReady("http://"+admin+"/readyz", ended); err != nil {
		t.Fatalf("serve --mode %s: %v\n%s", mode, err, log)
	}
	return g
}

// launch starts a command. It returns the log, which holds both outputs of the
// command, and the channel on which the result of the command comes when it ends.
// The log is whole once the command has ended.
func launch(t *testing.T, cmd *exec.Cmd) (*bytes.Buffer, chan error) {
	t.Helper()
	log := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return log, ended
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
			return errors.Join(errors.New("not ready"), err)
		case <-tick.C:
		}
	}
}

// lowPort is the port that freeAddress has tried last. The ports below 32768 are those that
// no system gives to a connection, or to a listener that asks for any port.
var lowPort atomic.Int32

// freeAddress returns a loopback address that nobody listens on, and that nobody gets
// before the caller uses it.
func freeAddress(t *testing.T) string {
	t.Helper()
	lowPort.CompareAndSwap(0, 16384+rand.Int32N(8192))
	for port := lowPort.Add(1); port < 32768; port = lowPort.Add(1) {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
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

// A model is a running fakellm that counts its requests.
type model struct {
	url     string
	asked   *atomic.Int64
	offered *atomic.Int64 // requests that offered to go on in HTTP/2
}

// A choice is what the model says in one choice; the members are those of
// fakellm.Choice.
type choice struct {
	Reasoning string `json:"reasoning,omitempty"`
	Content   string `json:"content,omitempty"`
	ToolCalls []call `json:"tool_calls,omitempty"`
}

type call struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// model starts fakellm. The name of the model in a request picks the choices,
// which are cut into pieces of one to four bytes.
func (p program) model(t *testing.T, says map[string][]choice) model {
	t.Helper()
	script := filepath.Join(t.TempDir(), "script.json")
	models := map[string]any{}
	for name, choices := range says {
		models[name] = map[string]any{
			"choices":  choices,
			"chunking": map[string]any{"unit": "tokens", "size": 4, "seed": 7},
		}
	}
	text, err := json.Marshal(map[string]any{"models": models})
	if err == nil {
		err = os.WriteFile(script, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.fakellm, "-listen", "127.0.0.1:0", "-script", script)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := stop(cmd, ended); err != nil {
			t.Errorf("fakellm: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("fakellm: %v", err)
	}
	return count(t, strings.TrimSpace(address))
}

// count puts a counter before a model. It also stands for the model's own
// check of the key, which has to arrive unchanged.
func count(t *testing.T, address string) model {
	t.Helper()
	m := model{asked: new(atomic.Int64), offered: new(atomic.Int64)}
	pass := passTo(t, address)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/asked" {
			fmt.Fprint(w, m.asked.Load())
			return
		}
		if r.Method == http.MethodPost { // others ask for the list of models
			m.asked.Add(1)
		}
		if r.Header.Get("Upgrade") != "" || r.Header.Get("HTTP2-Settings") != "" {
			m.offered.Add(1)
		}
		if !authorised(r) {
			http.Error(w, `{"error":{"message":"wrong key"}}`, http.StatusUnauthorized)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// passTo returns a handler that passes requests on to a server. It reads each to its end
// before: that server may answer earlier, and net/http then closes the body of the request,
// which would break off both the request and the answer.
func passTo(t *testing.T, address string) http.Handler {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		pass.ServeHTTP(w, r)
	})
}

// authorised reports whether the key of the clients arrived, wherever the API
// keeps it. Ollama has none.
func authorised(r *http.Request) bool {
	const key = "sk-of-nobody"
	return r.Header.Get("Authorization") == "Bearer "+key || r.Header.Get("X-Api-Key") == key ||
		r.Header.Get("X-Goog-Api-Key") == key || strings.HasPrefix(r.URL.Path, "/api/")
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

//go:build unix

package noecho_test

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"noecho/internal/fakellm"
)

// TestReadme pastes the commands of README.md, in their order, into a fresh copy of the tree.
// Only the ports are others. A command that goes on runs beside the next ones.
func TestReadme(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program three times: the run without -short, stage test of .ci/run, has it")
	}
	for _, need := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("needs %s: %v", need, err)
		}
	}
	s := newReadmeShell(t)
	ran := 0
	for _, line := range readmeCommands(t) {
		ran++
		switch {
		case strings.HasPrefix(line, "PATH=$PWD:$PATH"):
			s.env = append(s.env, "PATH="+s.dir+":"+os.Getenv("PATH"))
		case strings.HasSuffix(line, "&"):
			s.start(strings.TrimSuffix(line, "&"), "http://")
		case strings.HasPrefix(line, "noecho serve"):
			if s.serving != nil { // "stop the other first"
				s.serving()
			}
			s.serving = s.start(line, `"msg":"serving"`)
		case strings.HasPrefix(line, "noecho tail -f"):
			s.start(line, " start ")
		case strings.HasPrefix(line, "noecho scan"):
			s.run(line, 3, "verbatim, 14 words")
		case strings.HasPrefix(line, "curl"):
			s.run(line, 0, "the espresso machine I bought")
			if alerts, err := os.ReadFile(filepath.Join(s.dir, "alerts.jsonl")); err != nil || !strings.Contains(string(alerts), `"action":"observed"`) {
				t.Errorf("no alert in the file that the README names: %v", err)
			}
		default:
			s.run(line, 0, "")
		}
	}
	if ran < 14 {
		t.Errorf("the README has %d commands; the test is out of date", ran)
	}
	// The last server blocks.
	s.run(`curl -s -o - http://127.0.0.1:8711/v1/completions -d '{"model":"m","prompt":"Hi"}'`, 0, "content_filter")
}

// readmeCommands returns the lines of the code blocks of README.md before its section Test.
func readmeCommands(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	begin, _, _ := strings.Cut(string(text), "\n## Test")
	comment := regexp.MustCompile(`\s{2,}# .*$`)
	for _, block := range regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```").FindAllStringSubmatch(begin, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			lines = append(lines, comment.ReplaceAllString(strings.TrimSpace(line), ""))
		}
	}
	return lines
}

// readmeShell runs command lines in a copy of the tree.
type readmeShell struct {
	t       *testing.T
	dir     string
	env     []string
	ports   *strings.Replacer
	serving func() // stops the server
}

func newReadmeShell(t *testing.T) *readmeShell {
	t.Helper()
	s := &readmeShell{t: t, dir: t.TempDir(), env: os.Environ()}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Join(s.dir, filepath.Dir(path)), 0o700)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(s.dir, path), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	model, clients, admin := freePort(t), freePort(t), freePort(t)
	s.ports = strings.NewReplacer("127.0.0.1:8000", model, "127.0.0.1:8711", clients, "fakellm -text", "fakellm -listen "+model+" -text")
	s.env = append(s.env, "NOECHO_LISTEN="+clients, "NOECHO_ADMIN="+admin)
	return s
}

// freePort returns an address that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	address, err := fakellm.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (s *readmeShell) command(line string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", s.ports.Replace(line))
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// run runs a command, which must end with an exit code and print a text.
func (s *readmeShell) run(line string, code int, want string) {
	s.t.Helper()
	cmd := s.command(line)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) {
		s.t.Fatalf("%s: exit code %d, %v: %s", line, got, err, out)
	}
}

// start starts a command, waits until it prints a text, and returns a function that ends it
// as Ctrl-C does. The end of the test ends it too.
func (s *readmeShell) start(line, want string) (stop func()) {
	s.t.Helper()
	cmd := s.command(line)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		_ = w.Close()
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
			<-ended
		}
	}
	s.t.Cleanup(stop)
	lines, seen := bufio.NewScanner(r), ""
	for lines.Scan() {
		seen += lines.Text() + "\n"
		if strings.Contains(lines.Text(), want) {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return stop
		}
	}
	s.t.Fatalf("%s: ended without %q: %s", line, want, seen)
	return stop
}

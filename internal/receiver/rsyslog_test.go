//go:build !windows

package receiver

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"noecho/internal/fakellm"
	"noecho/internal/format"
	"noecho/internal/outbox"
	"noecho/proxy/alert"
)

// rsyslogConf makes rsyslog pass on the name, the structured data and the text of each message.
const rsyslogConf = `
global(workDirectory="DIR" maxMessageSize="256k" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="DIR/ca.pem" defaultNetstreamDriverCertFile="DIR/server.pem" defaultNetstreamDriverKeyFile="DIR/server.key")
INPUT
template(name="seen" type="list" option.jsonf="off") {
  property(name="app-name") constant(value=" ") property(name="msgid") constant(value=" ")
  property(name="structured-data") constant(value=" ") property(name="msg")
}
action(type="omfwd" target="127.0.0.1" port="PORT" protocol="tcp" template="seen" TCP_Framing="octet-counted"
  action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.saveOnShutdown="on" queue.filename="fwd" queue.timeoutShutdown="10000")
`

var rsyslogInput = map[string]string{
	"tls":  `module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid") input(type="imtcp" address="127.0.0.1" port="LISTEN")`,
	"tcp":  `module(load="imtcp" StreamDriver.Name="ptcp") input(type="imtcp" address="127.0.0.1" port="LISTEN")`,
	"unix": `module(load="imuxsock" SysSock.Use="off") input(type="imuxsock" Socket="DIR/log" useSpecialParser="off" parseHostname="on" RateLimit.Interval="0")`,
}

// TestRsyslog sends alerts to rsyslog over TLS with certificates on both sides, over TCP and over
// a socket. It gets every line, also if it is restarted while they come.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	daemon, err := exec.LookPath("rsyslogd")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs rsyslogd: apt-get install rsyslog rsyslog-gnutls")
	}
	for scheme := range rsyslogInput {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			testRsyslog(t, daemon, scheme)
		})
	}
}

func testRsyslog(t *testing.T, daemon, scheme string) {
	dir, err := os.MkdirTemp("", "rsyslog") // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	authority(t, dir, "server", "client")
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = collector.Close() })
	seen := make(chan string, 1000)
	go collect(collector, seen)

	address, err := fakellm.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("INPUT", strings.NewReplacer("LISTEN", address[strings.LastIndex(address, ":")+1:]).Replace(rsyslogInput[scheme]),
		"PORT", collector.Addr().String()[len("127.0.0.1:"):]).Replace(rsyslogConf)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), daemon, "-n", "-f", filepath.Join(dir, "conf"), "-i", filepath.Join(dir, "pid"))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	cmd := run()
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()

	if scheme == "unix" {
		address = filepath.Join(dir, "log")
	}
	s, err := NewSyslog(syslogLoad(t, dir, scheme+"://"+address), nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]bool{}
	box, err := outbox.Open(outbox.Options{Name: "syslog", Peer: s, Dir: filepath.Join(dir, "spool"), Append: func(dst []byte, ev *alert.Event) []byte {
		sent[strings.TrimSuffix(string(alert.AppendLine(nil, ev)), "\n")] = true
		return format.Syslog(alert.AppendLine)(dst, ev)
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := alert.Open(alert.Options{Sinks: []alert.Sink{box}})
	if err != nil {
		t.Fatal(err)
	}
	const events = 600
	for i := range events {
		l.Offer(alert.Event{Type: alert.TypeFinding, Model: `"] é \` + strings.Repeat("m", i), Records: []alert.Record{{ID: "r\u2028\n", Labels: []string{}}}})
		if i == events/2 && scheme != "unix" { // whose messages in the socket die with the process
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			cmd = run()
		}
	}
	end := time.After(3 * time.Minute)
	arrived := map[string]bool{}
	for len(arrived) < events {
		select {
		case m := <-seen:
			head, text, _ := strings.Cut(m, `"] `)
			if !strings.HasPrefix(head, `noecho finding [meta sequenceId="`) {
				t.Fatalf("rsyslog got %q", m)
			}
			arrived[strings.TrimSpace(text)] = true
		case <-end:
			t.Fatalf("%d of %d events arrived: %+v", len(arrived), events, l.Stats())
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for text := range arrived {
		if !sent[text] {
			t.Errorf("nobody sent %q", text)
		}
	}
}

// collect reads the messages that rsyslog passes on.
func collect(l net.Listener, seen chan<- string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go frames(conn, func(m string) { seen <- m })
	}
}

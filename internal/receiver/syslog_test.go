package receiver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noecho/internal/format"
	"noecho/internal/outbox"
	"noecho/internal/testca"
	"noecho/internal/transport"
	"noecho/proxy/alert"
)

// authority makes certificates in a folder: ca.pem, and NAME.pem with NAME.key for localhost.
func authority(t *testing.T, dir string, names ...string) {
	t.Helper()
	ca := testca.New(t)
	files := map[string][]byte{"ca.pem": ca.PEM}
	for _, name := range names {
		pair := ca.Issue(name)
		files[name+".pem"], files[name+".key"] = pair.Cert, pair.Key
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// syslogLoad returns the access to a syslog server, with the certificate of client.
func syslogLoad(t *testing.T, dir, address string) Load {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return func() (a Access, err error) {
		a.URL = u
		if u.Scheme == "tls" {
			files, err := transport.Open(transport.Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "client.pem"), Private: filepath.Join(dir, "client.key")})
			if err != nil {
				return a, err
			}
			a.TLS = files.Client("")
		}
		return a, nil
	}
}

// frames reads messages with their lengths until the end of a connection.
func frames(r io.Reader, each func(message string)) {
	in := bufio.NewReader(r)
	for {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			each("no length: " + length)
			return
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return
		}
		each(string(text))
	}
}

func lines(from, to int) (all []outbox.Line) {
	for i := from; i < to; i++ {
		ev := alert.Event{V: 1, Type: alert.TypeFinding, Boot: "01ARZ3NDEKTSV4RRFFQ69G5FAA", Seq: uint64(i), Severity: alert.High, Instance: "pod 0", Model: "é\n" + strings.Repeat("m", i%900), Records: []alert.Record{}}
		all = append(all, outbox.Line{Boot: ev.Boot, Seq: ev.Seq, Text: format.Syslog(alert.AppendLine)(nil, &ev)})
	}
	return all
}

// TestSyslogMessage: a message is as RFC 5424 says.
func TestSyslogMessage(t *testing.T) {
	t.Parallel()
	want := regexp.MustCompile(`^<107>1 0001-01-01T00:00:00\.000000Z pod_0 noecho \d+ finding \[meta sequenceId="7"\] \{"v":1,.*\}\n$`)
	if text := lines(7, 8)[0].Text; !want.Match(text) {
		t.Errorf("%q", text)
	}
	ev := alert.Event{Type: alert.TypeStart, Severity: alert.Low, Seq: 1<<31 + 1, Time: time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)}
	if text := string(format.Syslog(format.ECS)(nil, &ev)); !strings.HasPrefix(text, "<110>1 2026-03-04T12:00:00.123456Z - noecho ") || !strings.Contains(text, ` start [meta sequenceId="2"] {"@timestamp"`) {
		t.Errorf("%q", text)
	}
}

// TestSyslogBreaks: a server that closes the connection at any message, having read it or not,
// gets each message in the end.
func TestSyslogBreaks(t *testing.T) {
	t.Parallel()
	for breakAt := range 12 {
		synctest.Test(t, func(t *testing.T) {
			conns := make(chan net.Conn)
			u := &url.URL{Scheme: "tcp", Host: "h:1"}
			s, err := NewSyslog(func() (Access, error) { return Access{URL: u}, nil }, wire{conns}.dial)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			served := make(chan struct{})
			go func() {
				defer close(served)
				for n := 0; ; n++ {
					conn, ok := <-conns
					if !ok {
						return
					}
					count := 0
					frames(conn, func(m string) {
						if count++; n == 0 && count > breakAt {
							_ = conn.Close() // this message is not taken
							return
						}
						got[m] = true
					})
				}
			}()
			all := lines(1, 12)
			for sent := 0; sent < len(all); time.Sleep(time.Millisecond) {
				n, _ := s.Send(t.Context(), all[sent:min(len(all), sent+3)])
				sent += n
			}
			if _, err := s.Send(t.Context(), all[:1]); err != nil { // sees the break, if it came last
				_, _ = s.Send(t.Context(), all[:1])
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			close(conns)
			<-served
			for _, l := range all {
				if !got[strings.TrimSuffix(string(l.Text), "\n")] {
					t.Errorf("broken at %d: message %d did not arrive", breakAt, l.Seq)
				}
			}
		})
	}
}

// TestSyslogRefuses: a server that wants another certificate takes no message, and the client
// does not count one as taken.
func TestSyslogRefuses(t *testing.T) {
	t.Parallel()
	dir, foreign := t.TempDir(), t.TempDir()
	authority(t, dir, "server")
	authority(t, foreign, "client")
	for _, name := range []string{"client.pem", "client.key"} {
		if err := os.Rename(filepath.Join(foreign, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			frames(conn, func(string) { t.Error("the server took a message") })
			_ = conn.Close()
		}
	}()
	s, err := NewSyslog(syslogLoad(t, dir, "tls://"+listener.Addr().String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Send(t.Context(), lines(1, 2)); n != 0 || err == nil {
		t.Errorf("%d messages, %v", n, err)
	}
}

// TestSyslogUnix: a datagram is a message, and one that is too long for the socket is refused.
func TestSyslogUnix(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Skip("no sockets of datagrams: ", err)
	}
	defer conn.Close()
	s, err := NewSyslog(syslogLoad(t, "", "unix://"+path), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := lines(1, 4)
	if n, err := s.Send(t.Context(), all); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	buf := make([]byte, 64<<10)
	for _, l := range all {
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n])+"\n" != string(l.Text) {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
	var refused *outbox.Error
	if n, err := s.Send(t.Context(), []outbox.Line{{Text: bytes.Repeat([]byte("x"), 8<<20)}}); n != 0 || !errors.As(err, &refused) || !refused.Refused {
		t.Errorf("%d, %v", n, err)
	}
}

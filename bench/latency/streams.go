package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pace is the time between two events of a stream, as of a model that says 20 tokens a second.
const pace = 50 * time.Millisecond

// streams opens so many streams through every proxy, one proxy after the other, and prints the processor
// time that a proxy takes for an event and the memory that a stream adds. Every round starts the
// proxies anew, since a process keeps memory that it had once.
func streams(ctx context.Context, r *rig, o *options, out *report) error {
	model, err := newPacedModel()
	if err != nil {
		return err
	}
	defer model.Close()
	r.direct = "http://" + model.Addr().String()
	for range o.rounds {
		peers, err := r.peers(ctx, o)
		for _, p := range peers {
			if err == nil {
				err = p.warm(ctx)
			}
		}
		for _, p := range peers {
			if err == nil {
				err = measureStreams(ctx, p, model, o, out)
			}
		}
		stop(peers)
		if err != nil {
			return err
		}
	}
	return nil
}

// measureStreams opens the streams of one proxy and closes them after the time of -load.
func measureStreams(ctx context.Context, p *peer, model *pacedModel, o *options, out *report) error {
	idle, err := residentBytes(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	conns, err := openStreams(ctx, p.url, o.streams)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	before, err := processorTime(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	events := model.sent.Load()
	select {
	case <-time.After(o.load):
	case <-ctx.Done():
		return ctx.Err()
	}
	events = model.sent.Load() - events
	after, err := processorTime(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	busy, err := residentBytes(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	out.add(p.name, column{"streams, µs an event", o.streams}, float64((after-before).Nanoseconds())/1e3/float64(max(1, events)))
	out.add(p.name, column{"streams, KiB each", o.streams}, float64(busy-idle)/1024/float64(o.streams))
	return nil
}

// warm asks a proxy for a few short streams, so that its idle memory has the parts that every stream shares.
func (p *peer) warm(ctx context.Context) error {
	conns, err := openStreams(ctx, p.url, 4)
	for _, c := range conns {
		_ = c.Close()
	}
	return err
}

// openStreams asks for streams and returns their connections once each has had its first event.
// The rest of each stream is read and thrown away until its connection is closed.
func openStreams(ctx context.Context, url string, n int) ([]net.Conn, error) {
	request := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: noecho.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(askStream), askStream)
	conns := make([]net.Conn, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				errs[i] = err
				return
			}
			conns[i] = conn
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := conn.Write([]byte(request)); err != nil {
				errs[i] = err
				return
			}
			in := bufio.NewReaderSize(conn, 4<<10)
			errs[i] = awaitEvent(in)
			_ = conn.SetDeadline(time.Time{})
			go func() { _, _ = io.Copy(io.Discard, in) }() // until the connection is closed
		})
	}
	all.Wait()
	isNil := func(c net.Conn) bool { return c == nil }
	conns = slices.DeleteFunc(conns, isNil)
	for _, err := range errs {
		if err != nil {
			return conns, err
		}
	}
	return conns, nil
}

// awaitEvent reads an answer up to its first event.
func awaitEvent(in *bufio.Reader) error {
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(line, "HTTP/1.1 200"):
			return errors.New("the answer is " + strings.TrimSpace(line))
		case strings.HasPrefix(line, "data: "):
			return nil
		}
	}
}

// residentBytes returns the memory of a process that is in use now, shared pages and the index included.
func residentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("-streams needs VmRSS in /proc/PID/status, which Linux has")
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10, err
}

// pacedModel answers every request with a stream without end, an event every pace.
type pacedModel struct {
	net.Listener
	sent atomic.Int64 // events
}

func newPacedModel() (*pacedModel, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &pacedModel{Listener: l}
	words := strings.Fields(prose)
	chunks := make([][]byte, len(words))
	for i, w := range words {
		data := chunkEvent(fmt.Sprintf("\"content\":%q", w+" "), "null")
		chunks[i] = fmt.Appendf(nil, "%x\r\n%s\r\n", len(data), data)
	}
	go func() {
		for start := 0; ; start++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn, chunks, start)
		}
	}()
	return m, nil
}

// serve answers the one request of a connection, until the caller leaves. Streams begin with different words.
func (m *pacedModel) serve(conn net.Conn, chunks [][]byte, start int) {
	defer conn.Close()
	in := make([]byte, 16<<10)
	for n := 0; !bytes.HasSuffix(in[:n], []byte("}")); {
		got, err := conn.Read(in[n:])
		if err != nil || n+got == len(in) {
			return
		}
		n += got
	}
	time.Sleep(thought)
	if _, err := io.WriteString(conn, streamHead); err != nil {
		return
	}
	next := time.Now()
	for i := start; ; i++ {
		m.sent.Add(1)
		if _, err := conn.Write(chunks[i%len(chunks)]); err != nil {
			return
		}
		next = next.Add(pace)
		time.Sleep(time.Until(next))
	}
}

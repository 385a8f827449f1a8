package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"noecho/internal/fakellm"
)

// peer is a proxy in a process of its own, whose processor time is measured.
type peer struct {
	name, url string
	cmd       *exec.Cmd
}

// load asks every proxy for answers, in turn and round after round, and reports how much
// processor time each takes for one.
func load(ctx context.Context, r *rig, o *options, out *report) error {
	model, err := newStaticModel(o.bytes, o.words)
	if err != nil {
		return err
	}
	defer model.Close()
	r.direct = "http://" + model.Addr().String()
	peers, err := r.peers(ctx, o)
	defer stop(peers)
	if err != nil {
		return err
	}
	asks := [...]struct {
		body   string
		column column
	}{
		{askWhole, column{"bytes in one piece, µs", o.bytes}},
		{askStream, column{"events at once, µs", o.words}},
	}
	for round := range o.rounds + 1 { // the first one warms up
		for i := range peers {
			p := peers[(i+round+len(peers)-1)%len(peers)] // the rows of the table begin in order
			for _, a := range asks {
				used, err := p.burst(ctx, a.body, o.parallel, o.load)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				if round > 0 {
					out.add(p.name, a.column, used)
				}
			}
		}
	}
	return nil
}

// stop ends the processes of proxies.
func stop(peers []*peer) {
	for _, p := range peers {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// peers starts the proxies: noecho, which scans or passes on, the program of -old, Go's
// ReverseProxy, and nginx if there is one.
func (r *rig) peers(ctx context.Context, o *options) ([]*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var peers []*peer
	add := func(name string, command func(listen string) (program string, args []string, err error)) {
		if err != nil {
			return
		}
		var listen string
		if listen, err = fakellm.FreeAddress(); err != nil {
			return
		}
		var program string
		var args []string
		if program, args, err = command(listen); err != nil {
			return
		}
		p := &peer{name: name, url: "http://" + listen, cmd: exec.CommandContext(ctx, program, args...)}
		p.cmd.Stderr = r.log
		if err = p.cmd.Start(); err == nil {
			peers = append(peers, p)
			err = awaitListener(ctx, listen)
		}
	}
	programs := [][2]string{{"noecho", o.noecho}}
	if o.old != "" {
		programs = append(programs, [2]string{"old noecho", o.old})
	}
	routes := [][2]string{{o.mode, "{path: /v1/chat/completions}"}, {"pass", "{path: /v1/chat/completions, api: pass}"}}
	for _, program := range programs {
		for _, route := range routes {
			add(program[0]+", "+route[0], func(listen string) (string, []string, error) {
				name := filepath.Join(r.dir, "noecho-"+listen[strings.LastIndexByte(listen, ':')+1:]+".yaml")
				text := fmt.Sprintf("version: 1\nlisten: %s\nadmin: {listen: \"127.0.0.1:0\"}\nupstream: {url: %q}\nmode: %s\nindex: [{path: %s}]\nroutes: [%s]\nlimits: {streams: %d}\n", listen, r.direct, o.mode, r.index, route[1], max(1024, 2*o.streams))
				return program[1], []string{"serve", "--config", name, "--alerts", name + ".alerts"}, os.WriteFile(name, []byte(text), 0o600)
			})
		}
	}
	add("httputil.ReverseProxy", func(listen string) (string, []string, error) {
		return self, []string{"peer", listen, r.direct}, nil
	})
	if nginx, e := exec.LookPath("nginx"); e == nil {
		add("nginx, proxy_buffering off", func(listen string) (string, []string, error) {
			name := filepath.Join(r.dir, "nginx.conf")
			return nginx, []string{"-c", name, "-p", r.dir, "-e", "stderr"}, os.WriteFile(name, []byte(nginxConfig(r.dir, listen, r.direct)), 0o600)
		})
	}
	for _, other := range o.peers {
		name, command, _ := strings.Cut(other, "=")
		add(name, func(listen string) (string, []string, error) {
			host, port, _ := strings.Cut(listen, ":")
			const script = `HOST=$1 PORT=$2 TARGET=$3; export HOST PORT TARGET; eval "exec $0"`
			return "/bin/sh", []string{"-c", script, command, host, port, r.direct}, nil
		})
	}
	return peers, err
}

// peerList is the values of a flag that may be given again.
type peerList []string

// String implements [flag.Value].
func (l *peerList) String() string { return strings.Join(*l, " ") }

// Set implements [flag.Value].
func (l *peerList) Set(value string) error {
	if name, command, found := strings.Cut(value, "="); !found || name == "" || command == "" {
		return errors.New("want NAME=COMMAND")
	}
	*l = append(*l, value)
	return nil
}

// nginxConfig returns the configuration of an nginx of one process.
func nginxConfig(dir, listen, target string) string {
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	return fmt.Sprintf(`daemon off; master_process off; pid %s/nginx.pid; events { worker_connections 65536; } worker_rlimit_nofile 65536;
http { access_log off; keepalive_requests 100000000; %s
upstream model { server %s; keepalive 256; keepalive_requests 100000000; }
server { listen %s; location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }
`, dir, temp.String(), strings.TrimPrefix(target, "http://"), listen)
}

// reverseProxy is the process of the peer httputil.ReverseProxy. It never returns nil.
func reverseProxy(listen, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	p := httputil.NewSingleHostReverseProxy(u)
	p.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	return (&http.Server{Addr: listen, Handler: p, ReadHeaderTimeout: patience}).ListenAndServe()
}

// awaitListener waits until somebody listens on an address.
func awaitListener(ctx context.Context, address string) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
	}
	return errors.New("nobody listens on " + address)
}

// burst asks as many callers at a time for so long, and returns the microseconds of processor time that
// the proxy took for each answer. One answer in a hundred may fail at another proxy than noecho: ReverseProxy
// breaks an answer off now and then, see thought.
func (p *peer) burst(ctx context.Context, body string, callers int, d time.Duration) (float64, error) {
	before, err := processorTime(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answers, failed atomic.Int64
	var all sync.WaitGroup
	for end := time.Now().Add(d); callers > 0; callers-- {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			for time.Now().Before(end) && ctx.Err() == nil {
				_, _, err := ask(ctx, client, p.url, body)
				switch {
				case err == nil:
					answers.Add(1)
				case strings.Contains(p.name, "noecho") || failed.Add(1) > 1+answers.Load()/100:
					cancel(err)
					return
				}
			}
		})
	}
	all.Wait()
	after, err := processorTime(p.cmd.Process.Pid)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return float64((after - before).Nanoseconds()) / 1e3 / float64(max(1, answers.Load())), err
}

// processorTime returns the processor time of a process, which Linux counts for each thread.
func processorTime(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, errors.New("-load needs /proc/PID/task/*/schedstat, which Linux has")
	}
	total := time.Duration(0)
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
		total += time.Duration(n)
	}
	return total, nil
}

// prose is the text that the model says.
const prose = "The meeting began late because two of the speakers had missed their train, and the chair spent the first half hour " +
	"on questions that had been left over from spring. Nobody minded much, since the coffee was hot and the windows looked out over " +
	"the harbour, where small boats went round in circles. "

// streamHead is the head of an answer whose events are chunks.
const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// chunkEvent returns an event of a stream with members of its delta and a finish reason, both JSON.
func chunkEvent(delta, end string) string {
	return fmt.Sprintf("data: {\"id\":\"chatcmpl-9f1c2b7e\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{%s},\"logprobs\":null,\"finish_reason\":%s}]}\n\n", delta, end)
}

// newStaticModel listens as a model that answers with the same bytes each time: so many bytes of text in one
// piece, or a stream of so many events, each a chunk, all of them in one write.
func newStaticModel(length, words int) (net.Listener, error) {
	said := strings.Repeat(prose, 1+max(length, 10*words)/len(prose))
	whole := fmt.Appendf(nil, `{"id":"chatcmpl-9f1c2b7e","object":"chat.completion","created":1790000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"total_tokens":350}}`, said[:length])
	whole = append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(whole)), whole...)
	stream := []byte(streamHead)
	event := func(delta, end string) {
		data := chunkEvent(delta, end)
		stream = fmt.Appendf(stream, "%x\r\n%s\r\n", len(data), data)
	}
	for _, w := range strings.Fields(said)[:words] {
		event(fmt.Sprintf("\"content\":%q", w+" "), "null")
	}
	event("", `"stop"`)
	stream = append(stream, "0\r\n\r\n"...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveStatic(conn, whole, stream)
		}
	}()
	return l, nil
}

// thought is the time before an answer: ReverseProxy breaks off one that comes while it still sends the request.
const thought = time.Millisecond

// serveStatic answers the requests of a connection until it ends.
func serveStatic(conn net.Conn, whole, stream []byte) {
	defer conn.Close()
	in := make([]byte, 0, 64<<10)
	for {
		n, err := conn.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		if !bytes.HasSuffix(in, []byte("}")) { // the end of the body of a request
			continue
		}
		answer := whole
		if bytes.Contains(in, []byte(`"stream":true`)) {
			answer = stream
		}
		time.Sleep(thought)
		if _, err := conn.Write(answer); err != nil {
			return
		}
		in = in[:0]
	}
}

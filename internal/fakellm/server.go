package fakellm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxRequest bounds a request body, in bytes.
const maxRequest = 64 << 20

// Server serves the answers of a Config. Safe for concurrent use.
type Server struct {
	cfg  Config
	mux  *http.ServeMux
	http *http.Server
	quit context.CancelFunc
	done sync.WaitGroup
	addr net.Addr
}

// New returns a server that does not listen yet. It is an [http.Handler] too.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	for path, p := range protocols() {
		s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { s.generate(w, r, p) })
	}
	s.mux.HandleFunc("GET /v1/models", s.models)
	s.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "no such path: "+r.Method+" "+r.URL.Path)
	})
	return s, nil
}

// Start listens on addr, such as 127.0.0.1:0, and serves until Close.
func (s *Server) Start(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s.addr = ln.Addr()
	if s.cfg.Segment > 0 {
		ln = slicedListener{ln, s.cfg.Segment}
	}
	ctx, quit := context.WithCancel(context.Background())
	s.quit = quit
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.done.Go(func() { _ = s.http.Serve(ln) }) // ends with ErrServerClosed
	return nil
}

// Addr is the address the server listens on, as host:port.
func (s *Server) Addr() string { return s.addr.String() }

// URL is the server's base URL, without the /v1.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Close breaks all connections and ends every generation.
func (s *Server) Close() error {
	s.quit()
	err := s.http.Close()
	s.done.Wait()
	return err
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := []model{}
	for name := range s.cfg.Models {
		list = append(list, model{name, "model", created, "fakellm"})
	}
	slices.SortFunc(list, func(a, b model) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", list}))
}

// fail answers with an OpenAI error body.
func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorBody(status, message)) // the client may be gone
}

func errorBody(status int, message string) []byte {
	type body struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	kind := "invalid_request_error"
	if status >= 500 {
		kind = "server_error"
	}
	return encode(struct {
		Error body `json:"error"`
	}{body{Message: message, Type: kind}})
}

// protocol reads the requests and writes the answers of one API.
type protocol struct {
	read    func(r *http.Request, body []byte) (*request, error)
	framing func(r *http.Request) framing // of a stream
	stream  func(*generation) iter.Seq[event]
	body    func(*generation) []byte
}

// protocols are the APIs the server speaks, by path.
func protocols() map[string]protocol {
	return map[string]protocol{
		"/v1/chat/completions":       {readChat, events, chatStream, chatBody},
		"/v1/completions":            {readCompletion, events, completionStream, completionBody},
		"/v1/responses":              {readResponses, events, responsesStream, responsesBody},
		"/v1/messages":               {readChat, events, anthropicStream, anthropicBody},
		"/api/chat":                  {readOllama, lines, ollamaStream, ollamaBody},
		"/api/generate":              {readOllama, lines, ollamaStream, ollamaBody},
		"/v1beta/models/{model}":     {readGemini, geminiFraming, geminiStream, geminiBody},
		"/v1/models/{model}":         {readGemini, geminiFraming, geminiStream, geminiBody},
		"/v2/chat":                   {readChat, events, cohereStream, cohereBody},
		"/model/{model}/{operation}": {readConverse, eventStream, converseStream, converseBody},
	}
}

// generate answers one request. A fault that breaks the connection panics with
// [http.ErrAbortHandler], as net/http asks for.
func (s *Server) generate(w http.ResponseWriter, r *http.Request, p protocol) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		fail(w, http.StatusBadRequest, "read request: "+err.Error())
		return
	}
	req, err := p.read(r, body)
	if err != nil {
		fail(w, http.StatusBadRequest, "read request: "+err.Error())
		return
	}
	script, ok := s.cfg.script(req.Model, req.prompts[len(req.prompts)-1])
	if !ok {
		fail(w, http.StatusNotFound, "the model "+req.Model+" does not exist")
		return
	}
	end := Exchange{Path: r.URL.Path, Header: r.Header.Clone(), Body: body}
	if s.cfg.OnEnd != nil {
		defer func() { s.cfg.OnEnd(end) }()
	}
	if script.Fault.Kind == FaultStatus {
		status := script.Fault.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		fail(w, status, "the model is out of order")
		return
	}
	out := newSender(w, r, &script)
	g := &generation{req: req, script: script}
	if req.Stream {
		err = out.stream(p.framing(r), p.stream(g), &end)
	} else {
		g.script.Giant = 0
		err = out.whole(p.body(g), &end)
	}
	end.Complete = err == nil
	if errors.Is(err, errCut) {
		panic(http.ErrAbortHandler)
	}
}

// slicedListener accepts connections that write a few bytes at a time.
type slicedListener struct {
	net.Listener
	size int
}

func (l slicedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return slicedConn{c, l.size}, nil
}

type slicedConn struct {
	net.Conn
	size int
}

func (c slicedConn) Write(p []byte) (int, error) { return writeSlices(p, c.size, c.Conn.Write) }

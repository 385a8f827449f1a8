package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"noecho/detect"
)

// demoModel is the name of the model that leaks.
const demoModel = "northcove-support"

// modelFor returns the name of the model in requests that a mode applies to.
func modelFor(m detect.Action) string { return demoModel + "-" + m.String() }

// streaming says whether an answer is requested as a stream.
type streaming bool

const (
	streamed   streaming = true
	unstreamed streaming = false
)

func (s streaming) String() string {
	if s == streamed {
		return "streamed"
	}
	return "in one piece"
}

// chatRequest is a request of OpenAI's Chat Completions, with the members that the demo
// uses.
type chatRequest struct {
	Model    string        `json:"model"`
	Stream   streaming     `json:"stream"`
	Messages []chatMessage `json:"messages"`
}

type chatMessage struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

// chatResponse is an answer, one chunk of a streamed answer, or an error.
type chatResponse struct {
	Object  string       `json:"object"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Error   struct {
		Message string `json:"message"`
		Code    string `json:"code"`
	} `json:"error,omitzero"`
}

type chatChoice struct {
	Index        int          `json:"index"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatMessage `json:"delta,omitempty"` // in a stream
	FinishReason *string      `json:"finish_reason"`
}

// startLeakyModel starts a model server that answers the questions of the demo.
func startLeakyModel() (*http.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Addr: listener.Addr().String(), Handler: http.HandlerFunc(leak), ReadHeaderTimeout: demoPatience}
	go func() { _ = server.Serve(listener) }() // ends with ErrServerClosed
	return server, nil
}

// leak answers one question of the demo with its text.
func leak(w http.ResponseWriter, r *http.Request) {
	var req chatRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Messages) == 0 {
		http.Error(w, "not a chat request", http.StatusBadRequest)
		return
	}
	i := slices.IndexFunc(demoTurns, func(t demoTurn) bool { return t.question == req.Messages[0].Content })
	if i < 0 {
		http.Error(w, "not a question of the demo", http.StatusNotFound)
		return
	}
	text, stop := demoTurns[i].text(), "stop"
	out := json.NewEncoder(w)
	if req.Stream == unstreamed {
		w.Header().Set("Content-Type", "application/json")
		_ = out.Encode(chatResponse{ // the client may be gone
			Object: "chat.completion", Model: req.Model,
			Choices: []chatChoice{{Message: &chatMessage{"assistant", text}, FinishReason: &stop}},
		})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(delta chatMessage, finish *string) {
		_, _ = io.WriteString(w, "data: ")
		_ = out.Encode(chatResponse{
			Object: "chat.completion.chunk", Model: req.Model,
			Choices: []chatChoice{{Delta: &delta, FinishReason: finish}},
		})
		_, _ = io.WriteString(w, "\n")
		_ = http.NewResponseController(w).Flush()
	}
	for word := range strings.SplitAfterSeq(text, " ") {
		send(chatMessage{Role: "assistant", Content: word}, nil)
	}
	send(chatMessage{}, &stop)
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// demoReply is an answer as a client sees it.
type demoReply struct {
	status  int
	raw     string // the body
	text    string
	finish  string
	message string // of an error body
	code    string
}

// demoAsk sends a question to a model server and reads the answer, as any client of
// OpenAI's protocol does.
func demoAsk(ctx context.Context, addr string, turn demoTurn) (demoReply, error) {
	body, err := json.Marshal(chatRequest{modelFor(turn.mode), turn.stream, []chatMessage{{"user", turn.question}}})
	if err != nil {
		return demoReply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return demoReply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // ignores HTTP_PROXY
	resp, err := client.Do(req)
	if err != nil {
		return demoReply{}, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return demoReply{}, err
	}
	r := demoReply{status: resp.StatusCode, raw: string(all)}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return r, r.add(r.raw)
	}
	for line := range strings.Lines(r.raw) {
		data, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: ")
		switch {
		case !ok:
		case data == "[DONE]":
			return r, nil
		default:
			if err := r.add(data); err != nil {
				return r, err
			}
		}
	}
	return r, errors.New("the stream ended before [DONE]")
}

// add adds one JSON object of an answer: a chunk of a stream, a whole answer, or an
// error.
func (r *demoReply) add(data string) error {
	var m chatResponse
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		return err
	}
	r.message, r.code = m.Error.Message, m.Error.Code
	for _, c := range m.Choices {
		for _, said := range []*chatMessage{c.Message, c.Delta} {
			if said != nil {
				r.text += said.Content
			}
		}
		if c.FinishReason != nil {
			r.finish = *c.FinishReason
		}
	}
	return nil
}

// note describes the end of an answer that did not end as usual.
func (r *demoReply) note() string {
	switch {
	case r.status != http.StatusOK:
		return fmt.Sprintf("(HTTP %d, %s: %s)", r.status, r.code, r.message)
	case r.finish != "stop":
		return fmt.Sprintf("(finish_reason: %s)", r.finish)
	default:
		return ""
	}
}

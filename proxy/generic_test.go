package proxy

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"noecho/proxy/config"
)

// genericBed is a server that scans /any as generic and /file as batch.
func genericBed(t *testing.T, up *scripted, change func(c *config.Config)) *bed {
	t.Helper()
	cfg := bedConfig(t, up.url())
	cfg.Routes = []config.Route{{Path: "/any", API: genericAPI}, {Path: "/file", API: batchAPI}, {Path: "/"}}
	if change != nil {
		change(&cfg)
	}
	return newBed(t, Options{Config: cfg, Open: secretOpen(t)})
}

// openAnswer sends a request and returns the answer with its body unread.
func openAnswer(t *testing.T, b *bed, path, body string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.data+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return bufio.NewReader(resp.Body)
}

// TestGenericLive: in streams of unknown APIs a message waits for the next one at most, with
// any ids, times and states in it. The upstream sends a message only when the caller has the
// last but one before it.
func TestGenericLive(t *testing.T) {
	t.Parallel()
	type stream struct {
		head   string
		first  string
		format string // number of the message, word
	}
	streams := map[string]stream{
		"Triton":       {headSSE, "", `data: {"id":"","model_name":"m","model_version":"1","sequence_end":false,"text_output":" w%[1]dq"}` + "\n\n"},
		"LM Studio":    {headSSE, "event: chat.start\ndata: {\"type\":\"chat.start\",\"model_instance_id\":\"m\"}\n\n", "event: message.delta\ndata: {\"type\":\"message.delta\",\"content\":\" w%[1]dq\"}\n\n"},
		"Cohere v1":    {strings.Replace(headSSE, "text/event-stream", "application/stream+json", 1), `{"is_finished":false,"event_type":"stream-start","generation_id":"9f0d"}` + "\n", `{"is_finished":false,"event_type":"text-generation","text":" w%[1]dq"}` + "\n"},
		"Assistants":   {headSSE, "event: thread.created\ndata: {\"id\":\"thread_1\",\"object\":\"thread\",\"created_at\":1}\n\n", "event: thread.message.delta\ndata: {\"id\":\"msg_1\",\"object\":\"thread.message.delta\",\"delta\":{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":\" w%[1]dq\",\"annotations\":[]}}]}}\n\n"},
		"new ids":      {headSSE, "", `data: {"chunk":"%[1]dc0ffee","chunk_id":"%[1]dc0ffee","at":"2026-01-01T00:00:0%[1]dZ","say":" w%[1]dq"}` + "\n\n"},
		"heartbeats":   {headSSE, "", `data: {"phase":"thinking hard","job":"batch of the night","n":%d}` + "\n\n"},
		"plain text":   {strings.Replace(headSSE, "text/event-stream", "text/plain; charset=utf-8", 1), "", " w%[1]dq said\n"},
		"no spaces":    {strings.Replace(headSSE, "text/event-stream", "text/plain", 1), "", "世界%[1]d和平"},
		"logprobs too": {headSSE, "", `data: {"text":" w%[1]dq","logprobs":[{"token":" w%[1]dq","bytes":[32,119]}],"token_ids":[%[1]d]}` + "\n\n"},
	}
	for name, s := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const messages = 8
			seen := make(chan struct{}, messages)
			up := newScripted(t, func(c *scene) {
				c.say("%s", s.head)
				if s.first != "" {
					c.chunk(s.first)
				}
				for i := range messages {
					if i >= 3 { // the first ones may wait for each other
						wait(t, seen, "the caller to have an earlier message")
					}
					c.chunk(fmt.Sprintf(s.format, i))
				}
				c.say("%s", endChunked)
			})
			b := genericBed(t, up, nil)
			in := openAnswer(t, b, "/any", `{"stream":true,"prompt":"hi"}`)
			want := s.first
			var got strings.Builder
			for i := range messages {
				message := fmt.Sprintf(s.format, i)
				want += message
				for got.Len() < len(want) {
					c, err := in.ReadByte()
					if err != nil {
						t.Fatalf("%v after %q", err, got.String())
					}
					got.WriteByte(c)
				}
				seen <- struct{}{}
			}
			if got.String() != want {
				t.Errorf("got  %q\nwant %q", got.String(), want)
			}
		})
	}
}

// TestBatchRange: a caller cannot ask for a part of a file, because the meaning of its text
// depends on the text in front of it.
func TestBatchRange(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/octet-stream", `{"custom_id":"a","response":{"body":{"text":"`+secret+`"}}}`+"\n")
	})
	b := genericBed(t, up, nil)
	for _, path := range []string{"/v1/files/file-1/content", "/v1/messages/batches/msgbatch_1/results", "/file"} {
		status, head, text, err := b.do("GET", path, "", "Range", "bytes=20-60", "If-Range", "x")
		if err != nil || status != 200 || text != `{"custom_id":"a","response":{"body":{"text":"[redacted]"}}}`+"\n" || head.Get("Accept-Ranges") != "" {
			t.Errorf("%s: %d %q %v", path, status, text, err)
		}
		if asked := strings.ToLower(wait(t, up.requests, "a request")); strings.Contains(asked, "range") {
			t.Errorf("%s: the upstream was asked for %s", path, asked)
		}
	}
}

// TestGenericUpload: a request that is not JSON is passed on unchanged, and its answer scanned.
func TestGenericUpload(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", `{"text":"`+secret+`"}`) })
	b := genericBed(t, up, nil)
	const form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\x00\xff\r\n--x--\r\n"
	status, _, text, err := b.do("POST", "/v1/audio/transcriptions", form, "Content-Type", "multipart/form-data; boundary=x")
	if err != nil || status != 200 || text != `{"text":"[redacted]"}` {
		t.Errorf("%d %s %v", status, text, err)
	}
	if asked := wait(t, up.requests, "a request"); !strings.HasSuffix(asked, form) {
		t.Errorf("the upstream got %q", asked)
	}
}

// TestSchema: with schema: block, an answer that has to follow a schema is blocked where redact
// mode would mask it, and other answers are masked.
func TestSchema(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		if strings.Contains(c.body, `"stream":true`) {
			c.say("%s", headSSE)
			c.chunk(contents(string(mustJSON(`{"mood":"glad","text":"` + secret + `"}`))))
			c.say("%s", endChunked)
			return
		}
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":`+string(mustJSON(`{"text":"`+secret+`"}`))+`}}]}`)
	})
	const schema = `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}`
	with := func(ask, more string) string { return strings.TrimSuffix(ask, "}") + more + "}" }
	for _, policy := range []config.Schema{config.RedactSchema, config.BlockSchema} {
		b := genericBed(t, up, func(c *config.Config) {
			c.Routes = []config.Route{{Path: "/", Schema: policy}}
		})
		for _, more := range []string{"", schema} {
			blocks := policy == config.BlockSchema && more != ""
			status, _, text, err := b.do("POST", chatPath, with(askWhole, more))
			if err != nil || (status == 400) != blocks || strings.Contains(text, "charlie") || strings.Contains(text, "[redacted]") == blocks {
				t.Errorf("%v %q: %d %s %v", policy, more, status, text, err)
			}
			status, _, text, err = b.do("POST", chatPath, with(askStream, more))
			if err != nil || status != 200 || strings.Contains(text, "charlie") || strings.Contains(text, `"finish_reason":"content_filter"`) != blocks || strings.Contains(text, "[redacted]") == blocks {
				t.Errorf("%v %q: %d %s %v", policy, more, status, text, err)
			}
		}
	}
}

// TestGenericError: an error page in HTML from the upstream is scanned as text.
func TestGenericError(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(502, "text/html", "<p>bad: "+secret+"</p>") })
	b := genericBed(t, up, nil)
	status, _, text, err := b.do("POST", "/any", `{}`)
	if err != nil || status != 502 || strings.Contains(text, "charlie") || !strings.Contains(text, "<p>bad: ") {
		t.Errorf("%d %s %v", status, text, err)
	}
}

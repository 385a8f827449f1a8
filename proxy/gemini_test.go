package proxy

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	geminiStreamPath = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
	geminiAsk        = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
)

// TestGeminiArrayIsLive: the elements of an array leave one by one before its end, and the
// query that asks for events reaches the upstream.
func TestGeminiArrayIsLive(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		if strings.Contains(c.head, "?alt=sse") {
			c.say(headSSE)
			c.chunk("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" + secret + "\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n")
			c.say(endChunked)
			return
		}
		c.say(headChunked)
		c.chunk(`[{"candidates":[{"content":{"parts":[{"text":"one two"}]}}]}`)
		c.chunk(",\r\n" + `{"candidates":[{"content":{"parts":[{"text":" three four"}]}}]}`)
		<-next
		c.chunk(",\r\n" + `{"candidates":[{"content":{"parts":[{"text":" ` + secret + `"}]},"finishReason":"STOP"}]}` + "\n]\n")
		c.say(endChunked)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+b.data+geminiStreamPath, strings.NewReader(geminiAsk))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	dec := json.NewDecoder(resp.Body)
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		t.Fatalf("%v %v", open, err)
	}
	var first json.RawMessage
	if err := dec.Decode(&first); err != nil || !strings.Contains(string(first), "one two") {
		t.Fatalf("%s %v", first, err)
	}
	close(next)
	rest, err := io.ReadAll(io.MultiReader(dec.Buffered(), resp.Body))
	if err != nil || !json.Valid([]byte("["+string(first)+string(rest))) || !strings.Contains(string(rest), "[redacted]") || strings.Contains(string(rest), secret) {
		t.Errorf("%s %v", rest, err)
	}
	if status, _, text, err := b.do("POST", geminiStreamPath+"?alt=sse", geminiAsk); err != nil || status != 200 || !strings.Contains(text, `"text":"[redacted]"`) {
		t.Errorf("%d %s %v", status, text, err)
	}
	b.stop()
	for _, line := range b.alertLines("finding") {
		if line["api"] != "gemini" || line["model"] != "gemini-2.5-flash" || line["channel"] != "candidates.0.text" {
			t.Errorf("alert %v", line)
		}
	}
}

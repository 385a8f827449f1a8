package proxy

// Failures of other guards, gateways and clients, each with the test that repeats it. The
// references are public: a project and the number of an issue or, marked PR, of a pull
// request. Package relay tests the failures that need no server.
//
//	api7/aisix 204, agentgateway 2956        TestGuardRunsStreamedAndNot
//	BerriAI/litellm 35257                    TestStreamedMessagesAreScanned
//	BerriAI/litellm 38734                    TestStreamedResponsesAreScanned
//	katanemo/plano 980, api7/aisix 111       TestCharactersCutByWrites
//	freelens-ai-extension 272,
//	better-ccflare 243 PR                    TestDecodedBodyIsNotLabelled
//	agentjido/req_llm 719                    TestArrayStreamsLive
//	valyala/fasthttp 246, 1343               TestEventsAreNotBuffered

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

func TestGuardRunsStreamedAndNot(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		if strings.Contains(c.body, `"stream":true`) {
			c.say("%s", headSSE)
			c.chunk(contents(words(secret)...))
			c.say("%s", endChunked)
			return
		}
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"`+secret+`"},"finish_reason":"stop"}]}`)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for _, ask := range []string{askWhole, askStream} {
		if _, _, text, err := b.do("POST", chatPath, ask); err != nil || !strings.Contains(chatText(t, text), "[redacted]") || strings.Contains(text, "charlie") {
			t.Errorf("%s: %s %v", ask, text, err)
		}
	}
}

func TestStreamedMessagesAreScanned(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.say("%s", headSSE)
		c.chunk("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" + secret + "\"}}\n\n")
		c.say("%s", endChunked)
	})
	b := genericBed(t, up, nil) // also if no route names the API
	for _, path := range []string{"/v1/messages", "/any"} {
		if _, _, text, err := b.do("POST", path, `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`); err != nil || strings.Contains(text, "charlie") {
			t.Errorf("%s: %s %v", path, text, err)
		}
	}
	b.stop()
	if n := strings.Count(b.alerts.String(), `"action":"redacted"`); n != 2 {
		t.Errorf("%d findings are told of", n)
	}
}

func TestStreamedResponsesAreScanned(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		end := strings.TrimSpace(c.head[strings.Index(c.head, "X-Request-Id: ")+len("X-Request-Id: "):])
		end, _, _ = strings.Cut(end, "\r\n")
		c.say("%s", headSSE)
		c.chunk("event: response." + end + "\ndata: {\"type\":\"response." + end + "\",\"sequence_number\":1,\"response\":{\"status\":\"" + end + "\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"" + secret + "\"}]}]}}\n\n")
		c.say("%s", endChunked)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for _, end := range []string{"completed", "incomplete", "failed"} {
		status, _, text, err := b.do("POST", "/v1/responses", `{"model":"m","stream":true,"input":"hi"}`, "X-Request-Id", end)
		if err != nil || status != 200 || !strings.Contains(text, "response."+end) || strings.Contains(text, "charlie") {
			t.Errorf("%s: %d %s %v", end, status, text, err)
		}
	}
}

func TestCharactersCutByWrites(t *testing.T) {
	t.Parallel()
	in := contents(`"世界 \ud83d\ude00 é 😀`+"\u2028"+`"`, `" 和平"`)
	up := newScripted(t, func(c *scene) {
		c.say("%s", headSSE)
		for i := range len(in) {
			c.chunk(in[i : i+1])
		}
		c.say("%s", endChunked)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	if _, _, text, err := b.do("POST", chatPath, askStream); err != nil || text != in {
		t.Errorf("%q %v", text, err)
	}
}

func TestDecodedBodyIsNotLabelled(t *testing.T) {
	t.Parallel()
	const body = `{"error":{"message":"fine"}}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	for _, status := range []int{200, 400, 503} {
		up := newScripted(t, func(c *scene) {
			c.say("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", status, packed.Len(), packed.String())
		})
		b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
		got, head, text, err := b.do("POST", chatPath, askWhole)
		if err != nil || got != status || text != body || head.Get("Content-Encoding") != "" {
			t.Errorf("%d: %d %q %q %v", status, got, text, head.Get("Content-Encoding"), err)
		}
	}
}

// live sends an answer piece by piece. It sends a piece when the caller has read the last but
// one before it.
func live(t *testing.T, path, ask, head string, pieces []string) {
	t.Helper()
	seen := make(chan struct{}, len(pieces))
	up := newScripted(t, func(c *scene) {
		c.say("%s", head)
		for i, p := range pieces {
			if i >= 3 {
				wait(t, seen, "the caller to have an earlier piece")
			}
			c.chunk(p)
		}
		c.say("%s", endChunked)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	in := openAnswer(t, b, path, ask)
	for i, p := range pieces {
		got := make([]byte, len(p))
		for n := range got {
			c, err := in.ReadByte()
			if err != nil {
				t.Fatalf("%v in piece %d", err, i)
			}
			got[n] = c
		}
		if string(got) != p {
			t.Fatalf("piece %d is %q, not %q", i, got, p)
		}
		seen <- struct{}{}
	}
}

func TestArrayStreamsLive(t *testing.T) {
	t.Parallel()
	var pieces []string
	for i := range 8 {
		comma := ","
		if i == 0 {
			comma = "["
		}
		pieces = append(pieces, fmt.Sprintf("%s\n{\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\" w%dq\"}]}}]}", comma, i))
	}
	live(t, "/v1beta/models/m:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, headChunked, append(pieces, "\n]"))
}

func TestEventsAreNotBuffered(t *testing.T) {
	t.Parallel()
	var pieces []string
	for i := range 8 {
		pieces = append(pieces, stream(delta(0, fmt.Sprintf(`"content":" w%dq"`, i))))
	}
	live(t, chatPath, askStream, headSSE, append(pieces, stream(ends(0, "stop"))+stream("[DONE]")))
}

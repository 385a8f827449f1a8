package proxy

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/proxy/config"
)

const (
	signature = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=0123"
	bearer    = "Bearer bedrock-api-key-0123"

	converseAsk = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`
)

// awsFrame returns an event frame as Bedrock sends it.
func awsFrame(kind, name, payload string) string {
	return awsHeaders([][2]string{{":" + kind + "-type", name}, {":content-type", "application/json"}, {":message-type", kind}}, payload)
}

// awsHeaders returns a frame with these headers, all of them strings.
func awsHeaders(headers [][2]string, payload string) string {
	var h []byte
	for _, pair := range headers {
		h = append(append(h, byte(len(pair[0]))), pair[0]...)
		h = append(binary.BigEndian.AppendUint16(append(h, 7), uint16(len(pair[1]))), pair[1]...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(h)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, h...), payload...)
	return string(binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out)))
}

// TestSigned: a request whose signature covers another host is refused, and no byte of it
// reaches the upstream.
func TestSigned(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	cfg := bedConfig(t, up.url())
	observe := detect.Observe
	cfg.Routes = []config.Route{{Path: "/"}, {Path: "/open", API: passAPI, Mode: &observe}}
	b := newBed(t, Options{Config: cfg})
	for name, request := range map[string]string{
		"header":       "POST /model/m%3A0/converse HTTP/1.1\r\nAuthorization: " + signature + "\r\n",
		"stream":       "POST /model/m/converse-stream HTTP/1.1\r\nAuthorization: " + signature + "\r\n",
		"other case":   "POST /model/m/converse HTTP/1.1\r\nauthorization:\taws4-hmac-sha256 x\r\n",
		"SigV4a":       "POST /model/m/converse HTTP/1.1\r\nAuthorization: AWS4-ECDSA-P256-SHA256 x\r\n",
		"second":       "POST /model/m/converse HTTP/1.1\r\nAuthorization: " + bearer + "\r\nAuthorization: " + signature + "\r\n",
		"query":        "POST /model/m/converse?X-Amz-Algorithm=AWS4-HMAC-SHA256&x-amz-signature=01 HTTP/1.1\r\n",
		"forwarded":    "POST /open HTTP/1.1\r\nAuthorization: " + signature + "\r\n",
		"asked before": "POST /model/m/converse HTTP/1.1\r\nExpect: 100-continue\r\nAuthorization: " + signature + "\r\n",
	} {
		answer := b.raw(request + "Host: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
		if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || len(up.requests) > 0 {
			t.Errorf("%s: %q", name, answer)
			continue
		}
		if name == "asked before" {
			continue // such an answer has no body
		}
		if !strings.Contains(answer, "Bedrock API key") || !strings.Contains(answer, "X-Should-Retry: false\r\n") {
			t.Errorf("%s: %q", name, answer)
		}
		if name != "forwarded" && (!strings.Contains(answer, "X-Amzn-Errortype: ValidationException\r\n") || !strings.Contains(answer, `{"message":"`)) {
			t.Errorf("%s: %q", name, answer)
		}
	}
}

// TestBedrockHead: keys, the escaped id of the model and the headers of AWS
// pass in both directions.
func TestBedrockHead(t *testing.T) {
	t.Parallel()
	clean := awsFrame("event", "messageStart", `{"role":"assistant"}`) + awsFrame("event", "messageStop", `{"stopReason":"end_turn"}`)
	up := newScripted(t, func(c *scene) {
		c.say("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nx-amzn-RequestId: 0-1-2\r\nX-Amzn-Bedrock-Invocation-Latency: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
		c.chunk(clean)
		c.chunk("")
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	const path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A12%3Ainference-profile%2Fus.model-v1%3A0/converse-stream"
	status, h, text, err := b.do("POST", path, converseAsk, "Authorization", bearer, "X-Amz-Date", "20260101T000000Z", "X-Amzn-Bedrock-GuardrailIdentifier", "g1")
	if err != nil || status != 200 || text != clean {
		t.Fatalf("%d %q %v", status, text, err)
	}
	if h.Get("Content-Type") != "application/vnd.amazon.eventstream" || h.Get("X-Amzn-Requestid") != "0-1-2" || h.Get("X-Amzn-Bedrock-Invocation-Latency") != "5" {
		t.Errorf("%v", h)
	}
	got := wait(t, up.requests, "request")
	for _, want := range []string{"POST " + path + " HTTP/1.1\r\n", "\r\nAuthorization: " + bearer + "\r\n", "\r\nX-Amz-Date: 20260101T000000Z\r\n", "\r\nX-Amzn-Bedrock-Guardrailidentifier: g1\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("upstream did not get %q in %q", want, got)
		}
	}
}

// TestBedrockBlocked: a blocked answer names its exception in a header, as any other refusal.
func TestBedrockBlocked(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"output":{"message":{"role":"assistant","content":[{"text":"`+secret+`"}]}},"stopReason":"end_turn"}`)
	})
	cfg := bedConfig(t, up.url())
	cfg.Mode = detect.Block
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	for body, want := range map[string]string{
		converseAsk:                `{"message":"withheld: the answer would repeat training data"}`,
		`{"messages":[],"messages`: `{"message":"` + refuseRequest.message + `"}`,
	} {
		status, h, text, err := b.do("POST", "/model/m/converse", body)
		if err != nil || status != 400 || text != want {
			t.Errorf("%d %q %v", status, text, err)
		}
		if h.Get("X-Amzn-Errortype") != "ValidationException" || h.Get("X-Should-Retry") != "false" || h.Get("Content-Type") != "application/json" {
			t.Errorf("%v", h)
		}
	}
}

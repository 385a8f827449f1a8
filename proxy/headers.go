package proxy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"noecho/proxy/config"
)

// requestHeaders are the request headers that are passed on, in lower case. A * matches any
// beginning or end of a name. The operator adds names with headers.pass.
var requestHeaders = []string{
	"authorization", "*api-key", "content-type", "accept", "user-agent",
	"anthropic-*", "openai-*", "x-goog-*", "x-amz-*", "x-amzn-bedrock-*",
	"traceparent", "tracestate", "baggage", "b3", "x-b3-*", "x-request-id", "x-client-request-id", "x-ms-client-request-id", "idempotency-key",
	"origin", "access-control-request-*",
	// Headers that clients and servers put beside these.
	"x-stainless-*", "x-app", "originator", "session-id", "x-session-id", "chatgpt-account-id", "extra-parameters", "x-data-parallel-rank", "x-hf-bill-to",
	// Gateways before the models, and the attribution that they ask for.
	"ocp-apim-*", "azureml-*", "x-dashscope-*", "x-portkey-*", "x-litellm-*", "helicone-*", "cf-aig-*", "http-referer", "x-title",
}

// credentialHeaders are the request headers that may have the credential of a caller, in the
// order in which they are asked for one. A * matches as in requestHeaders.
var credentialHeaders = []string{
	"authorization", "api-key", "x-api-key", "x-goog-api-key", "*api-key",
	"ocp-apim-subscription-key", "x-portkey-virtual-key", "cf-aig-authorization", "helicone-auth",
}

// credential returns the credential of a request, or nothing. Only headers that are passed on
// count: the upstream knows its callers by them.
func credential(h *fasthttp.RequestHeader, extra []string) []byte {
	var found []byte
	best := len(credentialHeaders)
	var buf [64]byte // for most names
	for key, value := range h.All() {
		if len(value) == 0 {
			continue
		}
		name := append(buf[:0], key...)
		for i, c := range name {
			if c >= 'A' && c <= 'Z' {
				name[i] |= 0x20
			}
		}
		for i, pattern := range credentialHeaders[:best] {
			if matchesName(pattern, string(name)) && passesRequest(string(name), extra) {
				found, best = value, i
				break
			}
		}
	}
	return found
}

// hopHeaders concern one connection only and are never passed on, in either direction.
var hopHeaders = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// staleHeaders describe the bytes of the upstream. The caller may get other bytes.
var staleHeaders = []string{
	"content-encoding", "content-length", "etag", "content-md5", "digest", "content-digest", "repr-digest",
	"accept-ranges", "content-range", "last-modified",
}

// leadHeaders name other addresses, which could lead a caller past noecho. They are dropped
// if findings may change the answer.
var leadHeaders = []string{"location", "content-location", "refresh", "link", "alt-svc"}

// ownHeaders are the headers that noecho has set in an answer before those of the upstream.
var ownHeaders = []string{"x-request-id"}

// passesRequest reports whether a request header is passed on. One whose name is not plain
// is passed on only if the operator names it.
func passesRequest(name string, extra []string) bool {
	return slices.Contains(extra, name) || plainName([]byte(name)) &&
		slices.ContainsFunc(requestHeaders, func(p string) bool { return matchesName(p, name) })
}

// matchesName reports whether a header name in lower case matches a pattern.
func matchesName(pattern, name string) bool {
	if head, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, head)
	}
	if tail, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(name, tail)
	}
	return name == pattern
}

// buildRequest builds the request to the upstream without its body: the same method and query,
// and of the head only the headers that are passed on. The request of the caller is only read.
// Its body must not have been read yet, because fasthttp adds the trailer to the head.
func buildRequest(req *fasthttp.Request, ctx *fasthttp.RequestCtx, r *route, cfg *config.Config) {
	req.Header.SetNoDefaultContentType(true)
	req.Header.SetMethodBytes(ctx.Method())
	req.Header.SetRequestURI(r.upstream.prefix + string(ctx.Request.Header.RequestURI()[r.cut:]))
	req.Header.SetHost(r.upstream.host)
	named := requestTokens(&ctx.Request.Header)
	drops := cors{&cfg.CORS}.drops
	for key, value := range ctx.Request.Header.All() {
		name := strings.ToLower(string(key))
		if passesRequest(name, cfg.Headers.Pass) && !slices.Contains(named, name) && !drops(name) {
			req.Header.AddBytesKV(key, value)
		}
	}
	req.Header.Set(fasthttp.HeaderAcceptEncoding, "identity")
	if ctx.IsPost() {
		if coding := ctx.Request.Header.ContentEncoding(); len(coding) > 0 {
			req.Header.SetContentEncodingBytes(coding)
		}
	}
}

// requestTokens returns the elements of the Connection headers of a request: the names of
// headers that concern this connection only, and the word close. fasthttp forgets a close
// that another Connection header follows, so the raw block is read.
func requestTokens(h *fasthttp.RequestHeader) []string {
	var names []string
	for line := range bytes.Lines(h.RawHeaders()) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte(fasthttp.HeaderConnection)) {
			names = appendTokens(names, value)
		}
	}
	return names
}

// hasLine reports whether a raw header block has a header of this name.
func hasLine(raw []byte, name string) bool {
	for line := range bytes.Lines(raw) {
		if got, _, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(got, []byte(name)) {
			return true
		}
	}
	return false
}

// appendTokens appends the elements of a comma-separated header value in lower case.
func appendTokens(names []string, value []byte) []string {
	for token := range strings.SplitSeq(strings.ToLower(string(value)), ",") {
		names = append(names, strings.Trim(token, " \t\r\n"))
	}
	return names
}

// copyHeaders copies a head, but for the headers that concern its connection and those in
// drop.
func copyHeaders(dst, src *fasthttp.ResponseHeader, drop ...[]string) {
	var named []string
	for key, value := range src.All() {
		if bytes.EqualFold(key, []byte(fasthttp.HeaderConnection)) {
			named = appendTokens(named, value)
		}
	}
	drop = append(drop, hopHeaders, named)
	for key, value := range src.All() {
		name := strings.ToLower(string(key))
		if slices.ContainsFunc(drop, func(names []string) bool { return slices.Contains(names, name) }) {
			continue
		}
		dst.AddBytesKV(key, value)
	}
}

package proxy

import (
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// requestHeaders are the request headers that are passed on, in lower case. A
// name that ends in * stands for all that begin so, one that begins with * for
// all that end so. The operator adds to them with headers.pass.
var requestHeaders = []string{
	"authorization", "*api-key", "content-type", "accept", "user-agent",
	"anthropic-*", "openai-*", "x-goog-*", "x-amz-*",
	"traceparent", "tracestate", "x-request-id", "idempotency-key",
}

// hopHeaders concern one connection only and are never passed on, in either
// direction.
var hopHeaders = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// staleHeaders describe the upstream's bytes, which are not always the ones
// the caller gets. Content-Length is computed anew.
var staleHeaders = []string{
	"content-encoding", "content-length", "etag", "content-md5", "digest", "content-digest", "repr-digest",
	"accept-ranges", "content-range", "last-modified",
}

// passesRequest reports whether a request header is passed on.
func passesRequest(name string, extra []string) bool {
	return slices.Contains(extra, name) || slices.ContainsFunc(requestHeaders, func(p string) bool {
		if head, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(name, head)
		}
		if tail, ok := strings.CutPrefix(p, "*"); ok {
			return strings.HasSuffix(name, tail)
		}
		return name == p
	})
}

// buildRequest fills req with what the upstream gets: the same method, query
// and body, and nothing of the head but what is passed on. The caller's
// request is only read.
func buildRequest(req *fasthttp.Request, ctx *fasthttp.RequestCtx, r *route, extra []string) {
	req.Header.SetNoDefaultContentType(true)
	req.Header.SetMethodBytes(ctx.Method())
	req.Header.SetRequestURI(r.upstream.prefix + string(ctx.Request.Header.RequestURI()[r.cut:]))
	req.Header.SetHost(r.upstream.host)
	named := connectionTokens(ctx.Request.Header.Peek(fasthttp.HeaderConnection))
	for key, value := range ctx.Request.Header.All() {
		name := strings.ToLower(string(key))
		if passesRequest(name, extra) && !slices.Contains(named, name) {
			req.Header.AddBytesKV(key, value)
		}
	}
	req.Header.Set(fasthttp.HeaderAcceptEncoding, "identity")
	if ctx.IsPost() {
		if coding := ctx.Request.Header.ContentEncoding(); len(coding) > 0 {
			req.Header.SetContentEncodingBytes(coding)
		}
		req.SetBodyRaw(ctx.Request.Body())
	}
}

// connectionTokens are the header names that a Connection header claims for
// this connection.
func connectionTokens(value []byte) []string {
	var names []string
	for token := range strings.SplitSeq(strings.ToLower(string(value)), ",") {
		names = append(names, strings.Trim(token, " \t"))
	}
	return names
}

// copyHeaders passes the upstream's head on, except what concerns its
// connection, and what is stale once the body has been read by us.
func copyHeaders(dst, src *fasthttp.ResponseHeader, drop []string) {
	named := connectionTokens(src.Peek(fasthttp.HeaderConnection))
	for key, value := range src.All() {
		name := strings.ToLower(string(key))
		if slices.Contains(hopHeaders, name) || slices.Contains(drop, name) || slices.Contains(named, name) {
			continue
		}
		dst.AddBytesKV(key, value)
	}
}

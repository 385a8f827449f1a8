package proxy

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"noecho/proxy/alert"
	"noecho/proxy/relay"
	"noecho/proxy/wire"
)

// answer passes the upstream's answer on. It reports whether the answer is a
// stream that now owns ex. resp is released when it is no longer needed.
func (s *Server) answer(ctx *fasthttp.RequestCtx, ex *exchange, request wire.Request, resp *fasthttp.Response, up *upstreamBody) bool {
	up.release = func() { fasthttp.ReleaseResponse(resp) }
	if status := resp.StatusCode(); ex.decision.Hold && status/100 == 3 && status != fasthttp.StatusNotModified {
		return ex.withheld(ctx, up, refuseRedirect, "the upstream answered with a redirect", up.announced())
	}
	if up.whole { // HEAD, 204, 304
		ex.passHead(ctx, resp, nil)
		ctx.Response.SkipBody = ctx.IsHead()
		if n := resp.Header.ContentLength(); n >= 0 && ctx.IsHead() {
			ctx.Response.Header.SetContentLength(n)
		}
		up.close()
		return false
	}
	if ex.route.family == nil {
		return s.forward(ctx, ex, resp, up)
	}
	limits := ex.snap.cfg.Limits
	names, err := codings(resp.Header.ContentEncoding())
	if err != nil {
		if ex.lenient() {
			return s.forward(ctx, ex, resp, up)
		}
		return ex.withheld(ctx, up, refuseUnscannable, errCoding.Error(), up.announced())
	}
	ex.passHead(ctx, resp, staleHeaders)
	framing := ex.framing(resp, request)
	ex.stream = framing != wire.JSON
	in := newDecoder(up, names, limits.Stream, limits.Ratio)
	s.startRelay(ex, request, framing)
	switch {
	case !ex.decision.Hold:
		t := &tee{ex: ex}
		if !ex.stream {
			t.limit = int(limits.Answer)
			t.kept = make([]byte, 0, max(0, min(resp.Header.ContentLength(), t.limit)))
		}
		return s.send(ctx, ex, &forwarded{ex: ex, in: in, dec: in, body: up, tee: t, buf: s.buffer()})
	case ex.stream:
		return s.send(ctx, ex, &scanned{ex: ex, body: up, in: in, buf: s.buffer()})
	}
	in.limit = limits.Answer
	return s.whole(ctx, ex, in, up)
}

// withheld refuses an answer of which bytes were received, counts it and
// reports it. It returns false: there is no stream to own ex.
func (e *exchange) withheld(ctx *fasthttp.RequestCtx, up *upstreamBody, r refusal, reason string, bytes int64) bool {
	up.close()
	e.counts.Refused += bytes
	e.refuse(ctx, r)
	e.unscanned(alert.Refused, reason, bytes)
	return false
}

// framing tells how the answer is cut into messages. An error may come in
// another shape than the answer that was asked for.
func (e *exchange) framing(resp *fasthttp.Response, request wire.Request) wire.Framing {
	kind, _, _ := bytes.Cut(resp.Header.ContentType(), []byte(";"))
	name := strings.ToLower(string(bytes.TrimSpace(kind)))
	if resp.StatusCode() >= fasthttp.StatusBadRequest {
		return wire.ByContentType(name)
	}
	return e.route.family.Framing(name, request)
}

// whole reads an unstreamed answer to its end, judges it and answers.
func (s *Server) whole(ctx *fasthttp.RequestCtx, ex *exchange, in *decoder, up *upstreamBody) bool {
	text, err := readWhole(in, up.resp.Header.ContentLength(), ex.snap.cfg.Limits.Answer)
	if errors.Is(err, errSize) && ex.lenient() {
		in.limit = ex.snap.cfg.Limits.Stream
		return s.send(ctx, ex, &forwarded{ex: ex, first: text, in: in, dec: in, body: up, buf: s.buffer()})
	}
	in.close()
	switch {
	case err == nil:
	case errors.Is(err, errSize), errors.Is(err, errBomb), errors.Is(err, errExcess):
		return ex.withheld(ctx, up, refuseUnscannable, err.Error(), in.received())
	default:
		up.close()
		ex.broken(err)
		ex.counts.Refused += in.received()
		if ex.ending != endingGone {
			ex.refuse(ctx, refuseUpstream)
			ex.ending = endingBroken
		}
		return false
	}
	up.close()
	if len(text) == 0 {
		return false
	}
	ex.unread = int64(len(text))
	out, status, err := ex.judgeWhole(text)
	c := ex.relay.Counts()
	ex.unread = 0
	ex.settle(c)
	switch {
	case errors.Is(err, relay.ErrRefused):
		ex.ending = endingRefused
	case err != nil:
		ex.ending = endingBlocked
	}
	ex.reportUnscanned(c)
	if err != nil {
		s.withhold(ctx, ex, status)
	}
	ex.answered = time.Now()
	ctx.Response.SetBodyRaw(out)
	return false
}

// judgeWhole judges an unstreamed answer and reports its findings, also those made
// before a panic.
func (e *exchange) judgeWhole(text []byte) (out []byte, status int, err error) {
	defer e.reportFindings()
	return e.relay.Whole(nil, text)
}

// withhold prepares the head of an error body that stands for an answer. What
// the upstream itself reported as an error keeps its status: a client may want
// to try again.
func (s *Server) withhold(ctx *fasthttp.RequestCtx, ex *exchange, status int) {
	ctx.SetContentType("application/json")
	if ex.ending == endingRefused && ex.status >= 400 {
		return
	}
	ctx.SetStatusCode(status)
	ex.status = status
	nameFailure(ctx, ex.route.family, wire.Failure{Status: status})
	ctx.Response.Header.Set("X-Should-Retry", "false")
}

// forward passes on an answer that is not scanned, coded as it came.
func (s *Server) forward(ctx *fasthttp.RequestCtx, ex *exchange, resp *fasthttp.Response, up *upstreamBody) bool {
	ex.passHead(ctx, resp, nil)
	ex.ending = endingForwarded
	return s.send(ctx, ex, &forwarded{ex: ex, in: up, body: up, buf: s.buffer()})
}

// send hands a source to the caller's connection; it then owns ex. The length
// is not announced: it may change, and a chunked body shows where it was cut.
func (s *Server) send(ctx *fasthttp.RequestCtx, ex *exchange, src source) bool {
	b := &body{ex: ex, src: src}
	if ctx.Request.Header.IsHTTP11() {
		ctx.Response.ImmediateHeaderFlush = true
		ctx.Response.SetBodyStream(b, -1)
		return true
	}
	// HTTP/1.0 knows no chunks: the end of the connection ends the body.
	conn, ok := ctx.Conn().(*callerConn)
	if !ok {
		b.close()
		ctx.Response.Reset()
		ctx.SetConnectionClose()
		return true
	}
	ctx.Response.Header.SetContentLength(-2)
	ctx.SetConnectionClose()
	head := ctx.Response.Header.AppendBytes(nil)
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(net.Conn) {
		_, err := conn.Write(head)
		if err == nil {
			_, err = b.WriteTo(conn)
		}
		_ = b.CloseWithError(err)
		if err != nil {
			conn.abort()
		}
	})
	return true
}

// passHead gives the caller the upstream's head, but for the headers in drop.
func (e *exchange) passHead(ctx *fasthttp.RequestCtx, resp *fasthttp.Response, drop []string) {
	lead := leadHeaders
	if !e.decision.Hold {
		lead = nil
	}
	copyHeaders(&ctx.Response.Header, &resp.Header, drop, lead)
}

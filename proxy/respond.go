package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/relay"
	"noecho/proxy/wire"
)

// answer passes on the answer of the upstream. It reports whether the answer is a stream that
// now owns e. resp is released when it is no longer needed.
func (e *exchange) answer(ctx *fasthttp.RequestCtx, request wire.Request, resp *fasthttp.Response, up *upstreamBody) bool {
	up.release = func() { fasthttp.ReleaseResponse(resp) }
	e.adoptID(ctx, resp)
	if e.asks {
		return e.answerPreflight(ctx, resp, up)
	}
	if status := resp.StatusCode(); e.decision.Hold && status/100 == 3 && status != fasthttp.StatusNotModified {
		return e.withheld(ctx, up, refuseRedirect, "the upstream answered with a redirect", up.announced())
	}
	if up.whole { // HEAD, 204, 304
		e.passHead(ctx, resp, nil)
		ctx.Response.SkipBody = ctx.IsHead()
		if n := resp.Header.ContentLength(); n >= 0 && ctx.IsHead() {
			ctx.Response.Header.SetContentLength(n)
		}
		up.close()
		return false
	}
	if e.route.family == nil {
		return e.forward(ctx, resp, up)
	}
	limits := e.snap.cfg.Limits
	names, err := codings(resp.Header.ContentEncoding())
	if err != nil {
		if e.lenient() {
			return e.forward(ctx, resp, up)
		}
		return e.withheld(ctx, up, refuseUnscannable, errCoding.Error(), up.announced())
	}
	e.passHead(ctx, resp, staleHeaders)
	in := newDecoder(up, names, limits.Stream, limits.Ratio)
	framing := e.framing(resp, request)
	if framing == wire.JSON && request.Stream && e.status < fasthttp.StatusBadRequest {
		framing = contentFraming(framing, in, make([]byte, answerBuffer)) // the head of a document waits for its end
	}
	e.stream = framing != wire.JSON
	e.prepareRelay(request, framing)
	switch {
	case !e.decision.Hold:
		t := &tee{ex: e}
		if !e.stream {
			t.limit = int(limits.Answer)
			t.kept = make([]byte, 0, max(0, min(resp.Header.ContentLength(), t.limit)))
		}
		return e.send(ctx, &forwarded{ex: e, in: in, dec: in, body: up, tee: t, buf: e.srv.buffer()})
	case e.stream:
		return e.sendScanned(ctx, &scanned{ex: e, body: up, in: in})
	}
	in.limit = limits.Answer
	return e.whole(ctx, in, up)
}

// answerPreflight passes on the upstream's answer to a preflight, without its body: browsers do
// not read it, and a server that takes OPTIONS for GET could put an answer there.
func (e *exchange) answerPreflight(ctx *fasthttp.RequestCtx, resp *fasthttp.Response, up *upstreamBody) bool {
	copyHeaders(&ctx.Response.Header, &resp.Header, staleHeaders, leadHeaders, ownHeaders, []string{"content-type"})
	up.close()
	return false
}

// withheld refuses an answer of which so many bytes were received, counts and reports them. It
// returns false, because no stream owns e.
func (e *exchange) withheld(ctx *fasthttp.RequestCtx, up *upstreamBody, r refusal, reason string, bytes int64) bool {
	up.close()
	e.counts.Refused += bytes
	e.refuse(ctx, r)
	e.unscanned(alert.Refused, reason, bytes)
	return false
}

// framing returns the way in which the answer is cut into messages. An error of the upstream
// may have another one than the answer that was asked for.
func (e *exchange) framing(resp *fasthttp.Response, request wire.Request) wire.Framing {
	kind, _, _ := bytes.Cut(resp.Header.ContentType(), []byte(";"))
	name := strings.ToLower(string(bytes.TrimSpace(kind)))
	if resp.StatusCode() >= fasthttp.StatusBadRequest {
		return wire.ByContentType(name)
	}
	return e.route.family.Framing(name, request)
}

// prepareRelay prepares the relay that judges the answer, which has the given framing if its
// label is right.
func (e *exchange) prepareRelay(request wire.Request, framing wire.Framing) {
	d := e.snap.detection(&e.route.policy)
	if e.decision.Hold { // else the answer leaves first and is read whoever has gone
		d.Done = e.link.done
	}
	d.Prompt = e.srv.prompts.prompt(e.snap, request, d.Done)
	d.Prompt.Raw = e.route.family.Raw
	e.judging = relay.Config{
		Family:   e.route.family,
		Request:  request,
		Framing:  framing,
		Status:   e.status,
		Decision: e.decision,
		Set:      e.snap.indexes.Set,
		Spec:     e.snap.indexes.Spec,
		Detect:   d,
		Late:     e.late(),
		Mask:     e.snap.cfg.Mask,
	}
}

// whole reads an unstreamed answer to its end, judges it and answers.
func (e *exchange) whole(ctx *fasthttp.RequestCtx, in *decoder, up *upstreamBody) bool {
	buf := e.srv.buffer()
	text, err := readWhole(in, (*buf)[:0:answerBuffer], up.resp.Header.ContentLength(), e.snap.cfg.Limits.Answer)
	if errors.Is(err, errSize) && e.lenient() {
		in.limit = e.snap.cfg.Limits.Stream
		return e.send(ctx, &forwarded{ex: e, first: text, in: in, dec: in, body: up, buf: e.srv.buffer()})
	}
	in.close()
	switch {
	case err == nil:
	case errors.Is(err, errSize), errors.Is(err, errBomb), errors.Is(err, errExcess):
		return e.withheld(ctx, up, refuseUnscannable, err.Error(), in.received())
	default:
		up.close()
		e.broken(err)
		e.counts.Refused += in.received()
		if e.ending != endingGone {
			e.refuse(ctx, refuseUpstream)
			e.ending = endingBroken
		}
		return false
	}
	up.close()
	if len(text) == 0 {
		return false
	}
	e.unread = int64(len(text))
	out, status, err := e.judgeWhole(text)
	c := e.relay.Counts()
	e.unread = 0
	e.settle(c)
	switch {
	case errors.Is(err, relay.ErrRefused) && errors.Is(e.why(nil), errClientGone):
		e.broken(err)
		return false
	case errors.Is(err, relay.ErrRefused):
		e.ending = endingRefused
	case err != nil:
		e.ending = endingBlocked
	}
	e.reportUnscanned(c)
	if err != nil {
		e.withhold(ctx, status)
	}
	e.answered = time.Now()
	if len(out) > answerBuffer {
		ctx.Response.SetBodyRaw(out)
	} else { // it may be in buf
		ctx.Response.SetBody(out)
	}
	e.srv.reuse(buf)
	return false
}

// withhold prepares the head of an error body that takes the place of an answer. An error of
// the upstream keeps its status, because a client may want to try again.
func (e *exchange) withhold(ctx *fasthttp.RequestCtx, status int) {
	ctx.SetContentType("application/json")
	if e.ending == endingRefused && e.status >= 400 {
		return
	}
	ctx.SetStatusCode(status)
	e.status = status
	nameFailure(ctx, e.route.family, wire.Failure{Status: status})
	ctx.Response.Header.Set("X-Should-Retry", "false")
}

// forward passes on an answer that is not scanned, with its content coding.
func (e *exchange) forward(ctx *fasthttp.RequestCtx, resp *fasthttp.Response, up *upstreamBody) bool {
	e.passHead(ctx, resp, nil)
	e.ending = endingForwarded
	return e.send(ctx, &forwarded{ex: e, in: up, body: up, buf: e.srv.buffer()})
}

// late reports whether the head of a stream waits until some text of the answer is decided.
func (e *exchange) late() bool {
	return e.decision.Block && e.stream && e.route.policy.Blocked == config.BlockedStatus
}

// sendScanned sends a stream that leaves through the relay. If the head waits and the first
// text that is decided is blocked, an error with its own status leaves instead.
func (e *exchange) sendScanned(ctx *fasthttp.RequestCtx, src *scanned) bool {
	b := &body{ex: e, src: src}
	for e.late() && len(b.piece) == 0 && b.err == nil {
		b.advance()
	}
	if b.err != io.EOF || len(b.piece) > 0 || e.ending != endingBlocked {
		return e.sendBody(ctx, b)
	}
	src.close()
	e.withhold(ctx, fasthttp.StatusBadRequest)
	ctx.Response.SetBodyRaw(e.route.family.Failure(nil, wire.Withheld))
	return false
}

// send gives a source to the connection of the caller, which then owns e.
func (e *exchange) send(ctx *fasthttp.RequestCtx, src source) bool {
	return e.sendBody(ctx, &body{ex: e, src: src})
}

// sendBody gives a body to the connection of the caller, which then owns e. The length is not
// announced, because it may change; a chunked body shows that it was cut.
func (e *exchange) sendBody(ctx *fasthttp.RequestCtx, b *body) bool {
	conn, ok := ctx.Conn().(*callerConn)
	if ok {
		conn.cork()
		e.body.waits = func() {
			if conn.flush() != nil {
				e.cancel(errClientGone)
			}
		}
	}
	if ctx.Request.Header.IsHTTP11() {
		ctx.Response.ImmediateHeaderFlush = true
		ctx.Response.SetBodyStream(b, -1)
		return true
	}
	// HTTP/1.0 knows no chunks: the end of the connection ends the body.
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
		err = errors.Join(err, conn.uncork())
		_ = b.CloseWithError(err)
		if err != nil {
			conn.abort()
		}
	})
	return true
}

// passHead copies the head of the upstream's answer, but for the headers in drop.
func (e *exchange) passHead(ctx *fasthttp.RequestCtx, resp *fasthttp.Response, drop []string) {
	lead := leadHeaders
	if !e.decision.Hold {
		lead = nil
	}
	answered := corsHeaders // by noecho
	if !e.snap.cfg.CORS.On() {
		answered = nil
	}
	copyHeaders(&ctx.Response.Header, &resp.Header, drop, lead, answered, ownHeaders)
}

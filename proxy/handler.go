package proxy

import (
	"bytes"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"noecho/detect"
	"noecho/internal/accesslog"
	"noecho/internal/trace"
	"noecho/proxy/config"
	"noecho/proxy/relay"
	"noecho/proxy/wire"
)

// handle answers one request of the data port. The cheap checks and those that protect come
// first. No byte reaches the upstream before guard, route and admission have let the request
// pass, and only then is its body read.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	var ex *exchange
	snap := s.acquire()
	requestIDOf(ctx) // from now on every answer has it
	defer func(policy cors) {
		if r := recover(); r != nil {
			s.panicked(r, debug.Stack())
			refuse(ctx, nil, refuseInternal)
			ctx.SetConnectionClose()
			if ex != nil {
				ex.ending, ex.status = endingRefused, refuseInternal.status
				ex.settle(relay.Counts{Refused: ex.unread})
				ex.reportUnscanned(relay.Counts{Refused: ex.unread})
				ex.finishWith(&ctx.Response)
			}
		}
		policy.mark(ctx)
	}(snap.cors())
	h := &ctx.Request.Header
	r, why, ok := s.gate(h, snap)
	if !ok {
		snap.release()
		s.turnAway(ctx, r, why)
		return
	}
	if !ctx.IsPost() && mayBeUnread(h) { // the body is not wanted
		defer s.closeAfter(ctx)
	}
	asks := preflight(h)
	if asks && snap.cfg.CORS.On() {
		snap.cors().answer(ctx, snap.routes.methods(pathOf(h)))
		snap.release()
		return
	}
	ex = &exchange{srv: &s.services, number: s.exchanges.Add(1), snap: snap, route: r, mode: snap.cfg.Mode, method: methodOf(h), started: time.Now(), path: pathOf(h)}
	ex.link.done = make(chan struct{})
	if asks {
		ex.ask()
	}
	last := slices.Contains(requestTokens(h), "close") || uncertainEnd(h)
	ex.describe(ctx)
	ex.build(ctx)
	if why, ok = s.receive(ctx, ex); ok {
		why, ok = s.enter(&ex.link, snap.cfg.Limits.Streams)
	}
	if !ok {
		ex.sent()
		ex = nil
		snap.release()
		s.turnAway(ctx, r, why)
		return
	}
	ex.started = time.Now()
	handedOver := s.exchange(ctx, ex)
	if last || s.isDraining() {
		ctx.SetConnectionClose()
	}
	if !handedOver {
		ex.finishWith(&ctx.Response)
	}
}

// head decides about the body of a request whose head has come, before fasthttp reads any of
// it. A refused request is marked as one that waits for a status: fasthttp then calls expect
// in place of reading.
func (s *Server) head(h *fasthttp.RequestHeader) {
	if h.ContentLength() <= prefetched || len(h.Peek(fasthttp.HeaderExpect)) > 0 {
		return // handle decides
	}
	snap := s.acquire()
	defer snap.release()
	if _, _, ok := s.gate(h, snap); !ok {
		h.Set(fasthttp.HeaderExpect, "100-continue")
	}
}

// expect answers a request before its body is read: one that waits for a status, and one that
// head has marked.
func (s *Server) expect(ctx *fasthttp.RequestCtx) (status int) {
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r, debug.Stack())
			status = refuseInternal.status
		}
	}()
	snap := s.acquire()
	defer snap.release()
	h := &ctx.Request.Header
	r, why, ok := s.gate(h, snap)
	switch {
	case ok && hasLine(h.RawHeaders(), fasthttp.HeaderExpect):
		return fasthttp.StatusContinue
	case ok: // head has refused it; the cause has passed since
		why = refuseBusy
	}
	s.turnAway(ctx, r, why)
	snap.cors().mark(ctx)
	return why.status
}

// missed returns the refusal for a path that is not open, and names the path in the log and
// in the metrics. The refusal has the path as the caller sent it: if there is training text in
// the path, the caller wrote that text, and nobody else gets the answer.
func (s *Server) missed(method, path string) refusal {
	snap := s.acquire()
	name, due := s.paths.note(method, pathName(s.principalKey, snap.routes.known, path), time.Now())
	snap.release()
	s.metrics.missed.WithLabelValues(method, name).Inc()
	if due {
		s.log.Warn("a request was refused: no route is open at its path", "method", method, "path", name)
	}
	if method == otherPath {
		method = "a request for"
	}
	return refuseClosed(path, method+" "+shownPath(path))
}

// receive reads the body of a request. It returns a refusal and false if it cannot.
func (s *Server) receive(ctx *fasthttp.RequestCtx, ex *exchange) (refusal, bool) {
	if !ctx.IsPost() || ctx.RequestBodyStream() == nil {
		return refusal{}, true
	}
	limits := &ex.snap.cfg.Limits
	body, err := s.bodies.read(ctx.RequestBodyStream(), ctx.Request.Header.ContentLength(), limits.Request, limits.BodyBudget())
	if conn, ok := ctx.Conn().(*callerConn); ok && err == nil && conn.ended && ctx.Request.Header.ContentLength() < 0 {
		// fasthttp takes the end of the connection before the last line end for that of the body.
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return refuseUnreadable(err), false
	}
	ex.received = body
	ex.request.SetBodyRaw(body.text)
	return refusal{}, true
}

// turnAway refuses a request that has not become an exchange. If bytes of its body may be
// unread, the connection is closed: the beginning of the next request is not known.
func (s *Server) turnAway(ctx *fasthttp.RequestCtx, r *route, why refusal) {
	h := &ctx.Request.Header
	if why == refuseRoute {
		why = s.missed(methodOf(h), pathOf(h))
	}
	refuse(ctx, shapeOf(r, pathOf(h)), why)
	s.refused(ctx, r, why)
	if why.code == refuseGuard("").code || mayBeUnread(h) || uncertainEnd(h) {
		s.closeAfter(ctx)
	}
}

// refused counts and logs the answer to a request that has not become an exchange. r may be nil.
func (s *Server) refused(ctx *fasthttp.RequestCtx, r *route, why refusal) {
	s.metrics.refused(why)
	e := accesslog.Entry{
		Time: time.Now(), RequestID: requestIDOf(ctx), Method: methodOf(&ctx.Request.Header), Status: why.status,
		Bytes: int64(len(ctx.Response.Body())), Action: endingRefused.String(),
	}
	if r != nil {
		e.Route = r.pattern
	}
	e.Duration = e.Time.Sub(ctx.Time())
	s.access.Add(e)
	if s.traces != nil {
		s.traces.Add(trace.Answer{
			Context: traceOf(s.traces, &ctx.Request.Header), Begun: ctx.Time(), Ended: e.Time, Method: e.Method, Route: e.Route,
			Action: e.Action, RequestID: e.RequestID, Status: e.Status,
		})
	}
}

// mayBeUnread reports whether the body of a request goes on behind the bytes that fasthttp
// reads before it calls the handler.
func mayBeUnread(h *fasthttp.RequestHeader) bool {
	n := h.ContentLength()
	return n > prefetched || n == chunkedLength
}

// closeAfter closes the connection when the answer has left. The rest of the request is read
// first, or the caller would not see the answer.
func (s *Server) closeAfter(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*callerConn); ok {
		c.lingerOnClose()
	}
}

// exchange answers one admitted request. It reports whether the answer is a stream that now
// owns ex.
func (s *Server) exchange(ctx *fasthttp.RequestCtx, ex *exchange) (handedOver bool) {
	var request wire.Request
	if ex.route.family != nil {
		var why refusal
		var ok bool
		if request, why, ok = s.readRequest(ctx, ex); !ok {
			ex.refuse(ctx, why)
			return false
		}
		ex.decide()
	}
	conn, _ := ctx.Conn().(*callerConn)
	ex.caller = conn
	ex.begin(conn, ex.snap.cfg.Limits.Total)
	resp := fasthttp.AcquireResponse()
	ex.asked = time.Now()
	upstream, err := ex.route.upstream.roundTrip(&ex.link, ex.request, resp, ex.sent)
	ex.awaited = time.Since(ex.asked)
	if err != nil {
		fasthttp.ReleaseResponse(resp)
		s.unanswered(ctx, ex, err)
		return false
	}
	ctx.SetStatusCode(resp.StatusCode())
	ex.status, ex.said = resp.StatusCode(), resp.StatusCode()
	return ex.answer(ctx, request, resp, upstream)
}

// unanswered answers a request to which the upstream gave no answer.
func (s *Server) unanswered(ctx *fasthttp.RequestCtx, ex *exchange, err error) {
	switch cause := ex.why(err); {
	case errors.Is(cause, errClientGone):
		s.metrics.clientGone.Inc()
		ex.ending = endingGone
		ctx.SetConnectionClose()
		if c, ok := ctx.Conn().(*callerConn); ok {
			c.abort() // a caller that still reads must not take this for an answer
		}
	case errors.Is(cause, errDraining):
		ex.refuse(ctx, refuseDraining)
		ctx.SetConnectionClose()
	case errors.Is(cause, errBusy):
		ex.refuse(ctx, refuseBusy)
	default:
		s.metrics.upstreamErrors.WithLabelValues(phaseConnect).Inc()
		s.log.Warn("upstream did not answer", "reason", cause.Error(), "route", ex.route.pattern, "request_id", ex.requestID)
		ex.refuse(ctx, refuseUpstream)
		ex.ending = endingBroken
	}
}

// readRequest reads the properties of the request on which the answer depends. It returns a
// refusal and false if they cannot be read.
func (s *Server) readRequest(ctx *fasthttp.RequestCtx, ex *exchange) (wire.Request, refusal, bool) {
	limits := ex.snap.cfg.Limits
	ex.mode = ex.route.policy.ModeFor("", ex.snap.cfg.Mode)
	text := ex.request.Body()
	names, err := codings(ctx.Request.Header.ContentEncoding())
	if err == nil && len(names) > 0 {
		d := newDecoder(bytes.NewReader(text), names, limits.Request, limits.Ratio)
		var plain *requestBody
		if plain, err = s.bodies.read(d, -1, limits.Request, limits.BodyBudget()); err == nil {
			defer plain.give()
			text = plain.text
		}
		d.close()
	}
	switch {
	case errors.Is(err, errNoRoom):
		return wire.Request{}, refuseRoom, false
	case errors.Is(err, errSize):
		return wire.Request{}, refuseTooLarge, false
	case errors.Is(err, errCoding):
		return wire.Request{}, refuseGuard(badEncoding), false
	case err != nil:
		return wire.Request{}, refuseRequest, false
	}
	if len(text) == 0 && !ctx.IsPost() { // it asks for an answer that was made before
		return wire.Request{N: 1}, refusal{}, true
	}
	decides := ex.mode != detect.Observe || len(ex.route.policy.Models)+len(ex.snap.cfg.Rules) > 0
	request, err := ex.route.family.Request(ex.path, text)
	if decides && request.Ambiguous {
		return wire.Request{}, refuseAmbiguous, false
	}
	if err != nil && !ex.lenient() {
		return wire.Request{}, refuseRequest, false
	}
	ex.model = request.Model
	ex.mode = ex.route.policy.ModeFor(request.Model, ex.snap.cfg.Mode)
	if request.Ahead() && !ex.lenient() {
		return wire.Request{}, refuseAhead, false
	}
	if request.Coded && ex.mode != detect.Observe && ex.route.policy.Tokens == config.Refuse {
		return wire.Request{}, refuseTokens, false
	}
	s.metrics.unseen(request)
	if request.Schema && ex.mode == detect.Redact && ex.route.policy.Schema == config.BlockSchema {
		ex.mode = detect.Block
	}
	return request, refusal{}, true
}

// refuseUnread answers a request whose head fasthttp could not read. The connection is closed
// afterwards, because the beginning of the next request is not known.
func (s *Server) refuseUnread(ctx *fasthttp.RequestCtx, err error) {
	why := refuseUnreadable(err)
	refuse(ctx, nil, why)
	s.refused(ctx, nil, why)
	s.closeAfter(ctx)
}

// refuseUnreadable returns the refusal for a request that could not be read.
func refuseUnreadable(err error) refusal {
	var small *fasthttp.ErrSmallBuffer
	var slow interface{ Timeout() bool }
	switch {
	case errors.As(err, &small):
		return refuseHeader
	case errors.Is(err, fasthttp.ErrBodyTooLarge), errors.Is(err, errSize):
		return refuseTooLarge
	case errors.Is(err, errNoRoom):
		return refuseRoom
	case errors.As(err, &slow) && slow.Timeout(), strings.Contains(err.Error(), "i/o timeout"):
		return refuseSlow
	}
	return refuseGuard("the request is not valid HTTP")
}

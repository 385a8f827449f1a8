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
	"noecho/proxy/config"
	"noecho/proxy/relay"
	"noecho/proxy/wire"
)

// handle answers one request of the data port. The cheap checks and those that protect come
// first. No byte reaches the upstream before guard, route and admission have let the request
// pass.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	var ex *exchange
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r, debug.Stack())
			refuse(ctx, nil, refuseInternal)
			ctx.SetConnectionClose()
			if ex != nil {
				ex.ending, ex.status = endingRefused, refuseInternal.status
				ex.settle(relay.Counts{Refused: ex.unread})
				ex.reportUnscanned(relay.Counts{Refused: ex.unread})
				ex.finish()
			}
		}
	}()
	if why := guard(&ctx.Request.Header); why != "" {
		s.turnAway(ctx, nil, refuseGuard(why))
		ctx.SetConnectionClose()
		return
	}
	snap := s.acquire()
	path, _, _ := strings.Cut(string(ctx.Request.Header.RequestURI()), "?")
	r := snap.routes.find(string(ctx.Method()), path)
	if r == nil {
		snap.release()
		s.turnAway(ctx, nil, s.missed(string(ctx.Method()), path))
		return
	}
	if signed(&ctx.Request.Header) {
		snap.release()
		s.turnAway(ctx, r.family, refuseSigned)
		return
	}
	ex = &exchange{srv: &s.services, number: s.exchanges.Add(1), snap: snap, route: r, mode: snap.cfg.Mode, started: time.Now(), path: path}
	ex.link.done = make(chan struct{})
	if why, ok := s.enter(&ex.link, snap.cfg.Limits.Streams); !ok {
		ex = nil
		snap.release()
		s.turnAway(ctx, r.family, why)
		return
	}
	last := slices.Contains(requestTokens(&ctx.Request.Header), "close")
	ex.describe(ctx)
	handedOver := s.exchange(ctx, ex)
	if last || s.isDraining() {
		ctx.SetConnectionClose()
	}
	if !handedOver {
		ex.finish()
	}
}

// expect answers a caller that waits for a status before it sends its body. A request that
// its head makes invalid is refused at once. The answer has no body.
func (s *Server) expect(ctx *fasthttp.RequestCtx) (status int) {
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r, debug.Stack())
			status = refuseInternal.status
		}
	}()
	snap := s.acquire()
	defer snap.release()
	path, _, _ := strings.Cut(string(ctx.Request.Header.RequestURI()), "?")
	why := refusal{status: fasthttp.StatusContinue}
	switch {
	case guard(&ctx.Request.Header) != "":
		why = refuseGuard("")
	case snap.routes.find(string(ctx.Method()), path) == nil:
		why = s.missed(string(ctx.Method()), path)
	case signed(&ctx.Request.Header):
		why = refuseSigned
	case int64(ctx.Request.Header.ContentLength()) > snap.cfg.Limits.Request:
		why = refuseTooLarge
	default:
		return why.status
	}
	s.metrics.refused(why)
	return why.status
}

// missed returns the refusal for a path that is not open, and names the path in the log and
// in the metrics.
func (s *Server) missed(method, path string) refusal {
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = otherPath // callers choose it
	}
	name, due := s.paths.note(method, path, time.Now())
	s.metrics.missed.WithLabelValues(method, name).Inc()
	if due {
		s.log.Warn("a request was refused: no route is open at its path", "method", method, "path", name)
	}
	asked := ""
	if name != otherPath && method != otherPath {
		asked = method + " " + name
	}
	return refuseClosed(path, asked)
}

// turnAway refuses a request that has not become an exchange.
func (s *Server) turnAway(ctx *fasthttp.RequestCtx, family *wire.Family, r refusal) {
	s.metrics.refused(r)
	refuse(ctx, family, r)
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
	limits := ex.snap.cfg.Limits
	conn, _ := ctx.Conn().(*callerConn)
	ex.caller = conn
	ex.watch = watch(conn, func() { ex.cancel(errClientGone) })
	ex.timer = time.AfterFunc(limits.Total, func() { ex.cancel(errTotalTime) })

	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	buildRequest(req, ctx, ex.route, ex.snap.cfg.Headers.Pass)
	upstream, err := ex.route.upstream.roundTrip(&ex.link, req, resp)
	fasthttp.ReleaseRequest(req)
	if err != nil {
		fasthttp.ReleaseResponse(resp)
		s.unanswered(ctx, ex, err)
		return false
	}
	ctx.SetStatusCode(resp.StatusCode())
	ex.status = resp.StatusCode()
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
	text := ctx.Request.Body()
	names, err := codings(ctx.Request.Header.ContentEncoding())
	if err == nil && len(names) > 0 {
		d := newDecoder(bytes.NewReader(text), names, limits.Request, limits.Ratio)
		text, err = io.ReadAll(d)
		d.close()
	}
	switch {
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
	if (ex.mode != detect.Observe || len(ex.route.policy.Models)+len(ex.snap.cfg.Rules) > 0) && ambiguous(text) {
		return wire.Request{}, refuseAmbiguous, false
	}
	request, err := ex.route.family.Request(ex.path, text)
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

// refuseUnread answers a request that fasthttp could not read. The connection is closed
// afterwards, because the beginning of the next request is not known.
func (s *Server) refuseUnread(ctx *fasthttp.RequestCtx, err error) {
	r := refuseGuard("the request is not valid HTTP")
	var small *fasthttp.ErrSmallBuffer
	var slow interface{ Timeout() bool }
	switch {
	case errors.As(err, &small):
		r = refuseHeader
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		r = refuseTooLarge
	case errors.As(err, &slow) && slow.Timeout(), strings.Contains(err.Error(), "i/o timeout"):
		r = refuseSlow
	}
	s.metrics.refused(r)
	refuse(ctx, nil, r)
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*callerConn); ok {
		c.lingerOnClose()
	}
}

package proxy

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"noecho/detect"
	"noecho/internal/accesslog"
	"noecho/internal/trace"
	"noecho/ngram"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
	"noecho/proxy/relay"
	"noecho/proxy/wire"

	"github.com/valyala/fasthttp"
)

// exchange is one request and its answer. It keeps the snapshot under which the request came
// in use until the last byte has left.
//
// One goroutine at a time owns it; others may only call cancel.
type exchange struct {
	link
	srv      *services
	snap     *snapshot
	route    *route
	mode     detect.Action
	method   string
	started  time.Time
	answered time.Time     // when the first byte of the answer's body was ready
	asked    time.Time     // when the request went to the upstream
	awaited  time.Duration // from the request to the upstream to the head of its answer
	bytes    int64         // of the answer's body that were given to the connection

	// The members of alerts that describe the request.
	path, requestID, client, principal, model string
	user, forwarded, traceparent              string
	stream                                    bool

	request  *fasthttp.Request // to the upstream; nil once it was sent
	received *requestBody      // its body; nil: none
	asks     bool              // it is a preflight
	large    bool              // its body was large

	counted  string // the caller, as budgets and coverage name it
	number   uint64 // of the exchange; coverage tells requests apart by it
	judge    policy.Judge
	decision relay.Decision  // the zero value if the answer is not scanned
	judging  relay.Config    // of relay
	relay    *relay.Relay    // judges the answer; nil before its first bytes have come
	found    []relay.Finding // storage for findings from relay

	alerts alert.Answer
	counts relay.Counts
	unread int64 // bytes that were received and are not yet in counts
	ending ending
	status int
	said   int           // the status of the upstream; 0: it gave none
	trace  trace.Context // of the request; the zero value if no spans are sent
	caller *callerConn
	closed bool
}

// describe fills the fields from which alerts describe the request.
func (e *exchange) describe(ctx *fasthttp.RequestCtx) {
	h := &ctx.Request.Header
	e.alerts = e.srv.alerts.Answer()
	certificate := ""
	if c, ok := ctx.Conn().(*callerConn); ok {
		e.client = c.host
		if c.session != nil {
			certificate = certified(e.snap.cfg.Identify.Certificate, c.session.certificate)
		}
	}
	e.requestID = requestIDOf(ctx)
	e.forwarded, e.user = identify(&e.snap.cfg, e.client, h)
	e.traceparent = plainTrace(h.Peek(traceParent))
	switch secret := credential(h, e.snap.cfg.Headers.Pass); {
	case certificate != "": // a credential may be invented
		e.user, e.principal = certificate, keyedHex(e.srv.principalKey, []byte(certificate))
	case len(secret) > 0:
		e.principal = keyedHex(e.srv.principalKey, secret)
	}
}

// build makes the request to the upstream, without its body.
func (e *exchange) build(ctx *fasthttp.RequestCtx) {
	e.request = fasthttp.AcquireRequest()
	buildRequest(e.request, ctx, e.route, &e.snap.cfg)
	if e.srv.traces == nil {
		return
	}
	e.trace = traceOf(e.srv.traces, &ctx.Request.Header)
	h := &e.request.Header
	h.Del(traceState)
	h.Del(traceParent)
	h.Set(traceParent, e.trace.Parent())
	if e.trace.State != "" {
		h.Set(traceState, e.trace.State)
	}
}

// ask makes the exchange one about a preflight, whose answer has no text to scan.
func (e *exchange) ask() {
	r := *e.route
	r.family = nil
	e.route, e.asks = &r, true
}

// sent frees the request to the upstream and the memory of its body. It may be called again.
func (e *exchange) sent() {
	if e.request != nil {
		fasthttp.ReleaseRequest(e.request)
		e.request = nil
	}
	if e.received != nil {
		e.large = e.large || len(e.received.text) > heavyBytes
		e.received.give()
		e.received = nil
	}
}

// adoptID takes the id that the upstream gave the request, if it gave one.
func (e *exchange) adoptID(ctx *fasthttp.RequestCtx, resp *fasthttp.Response) {
	if id := plainID(resp.Header.Peek(requestID)); id != "" {
		e.requestID = id
		ctx.Response.Header.Set(requestID, id)
	}
}

// refuse answers an admitted request without the upstream's answer.
func (e *exchange) refuse(ctx *fasthttp.RequestCtx, r refusal) {
	e.ending, e.status = endingRefused, r.status
	e.srv.metrics.refused(r)
	refuse(ctx, e.route.family, r)
}

// decide makes the judge of the findings and the decision on the answer. Route, model and
// mode must be known.
func (e *exchange) decide() {
	e.counted = e.principal
	if e.counted == "" {
		e.counted = "client " + cmp.Or(e.forwarded, e.client)
	}
	e.judge = e.snap.standing.rules.For(policy.Request{
		Route: e.route.pattern, Model: e.model, Principal: e.principal, Caller: e.counted, Mode: e.mode,
	}, e.snap.standing.meter, e.snap.standing.probes)
	e.decision = relay.Decision{Judge: &e.judge, Hold: e.judge.Acts(), Block: e.judge.Blocks(), Pass: e.lenient()}
}

// contentFraming returns the framing of a body whose label may be wrong. It reads the first
// bytes of the body into buf.
func contentFraming(labelled wire.Framing, in *decoder, buf []byte) wire.Framing {
	first := in.peek(buf, func(p []byte) bool {
		_, sure := wire.Sniff(p, labelled)
		return sure
	})
	framing, _ := wire.Sniff(first, labelled)
	return framing
}

// startRelay makes the relay for a stream, once its first bytes have come. They are read into
// buf.
func (e *exchange) startRelay(in *decoder, buf []byte) {
	if e.relay == nil {
		e.judging.Framing = contentFraming(e.judging.Framing, in, buf)
		e.relay = e.srv.relays.New(e.judging)
	}
}

// judgeWhole gives an unstreamed answer to the relay and reports its findings, also those
// made before a panic.
func (e *exchange) judgeWhole(text []byte) (out []byte, status int, err error) {
	defer e.reportFindings()
	e.judging.Framing, _ = wire.Sniff(text, wire.JSON)
	e.relay = e.srv.relays.New(e.judging)
	return e.relay.Whole(nil, text)
}

// reportFindings reports the findings that the relay has closed. They change the ending of
// the exchange; an ending that overrides theirs has to be set afterwards.
func (e *exchange) reportFindings() {
	if e.relay == nil {
		return
	}
	e.found = e.relay.Take(e.found[:0])
	for _, f := range e.found {
		f.Channel = e.nameOf(f.Channel)
		for i, name := range f.Channels {
			f.Channels[i] = e.nameOf(name)
		}
		e.report(f)
	}
	clear(e.found)
}

// nameOf returns the name of a channel as alerts have it.
func (e *exchange) nameOf(channel string) string {
	return channelName(e.srv.principalKey, e.route.family, e.snap.cfg.ChannelNames, channel)
}

// report hands one finding to the alert log.
func (e *exchange) report(f relay.Finding) {
	action := actionOf(f)
	ignored := action == alert.Observed && e.judge.Ignores(f.Finding)
	if ignored {
		action = alert.Ignored
	}
	e.srv.metrics.finding(f, action)
	switch {
	case action == alert.Blocked:
		e.ending = endingBlocked
	case e.ending != endingClean:
	case action == alert.Redacted:
		e.ending = endingRedacted
	case action == alert.Observed:
		e.ending = endingObserved
	}
	ev := e.event(alert.TypeFinding)
	ev.Action = action
	ev.Channel, ev.Channels = f.Channel, f.Channels
	ev.Kind = alert.Kind(f.Finding.Kind.String())
	ev.Lane = f.Finding.Lane.String()
	ev.Identifier = policy.Identifier(f.Finding)
	ev.Records = e.judge.Named(f.Finding)
	ev.Start, ev.End = f.Finding.Span.Lo, f.Finding.Span.Hi
	ev.Words, ev.Windows = f.Finding.Words, f.Finding.Windows
	ev.Resumed = f.Finding.Resumed
	ev.Digests = e.snap.indexes.Digests(f.Finding.Digests)
	ev.Rule = e.judge.Rule(f.Finding, f.Action)
	ev.RecordCount = max(len(ev.Records), e.snap.indexes.Records.Count(f.Finding))
	ev.Signal = e.judge.Signals(f.Finding, e.snap.standing.habits, e.recordOf(f))
	e.alerts.Offer(ev)
	if !ignored {
		e.count(f)
	}
}

// recordOf returns the name of the first record of a finding; empty if none is known.
func (e *exchange) recordOf(f relay.Finding) string {
	all := e.judge.Records(f.Finding)
	if len(all) == 0 {
		return ""
	}
	return all[0].Dataset + "\x00" + all[0].ID
}

// actionOf returns the action of a finding as alerts name it.
func actionOf(f relay.Finding) alert.Action {
	if f.Finding.Echo {
		return alert.Echo
	}
	return [...]alert.Action{
		detect.Observe: alert.Observed, detect.Redact: alert.Redacted, detect.Block: alert.Blocked,
	}[f.Action]
}

// count adds a finding to budget and coverage, which count over several requests. An echo is
// not counted: its caller knew the text.
func (e *exchange) count(f relay.Finding) {
	if f.Finding.Echo {
		return
	}
	st := &e.snap.standing
	findings, raise := e.judge.Count()
	probes, early := st.probes.Finding(e.counted, e.recordOf(f), f.Finding)
	if raise || early {
		e.probing(f.Channel, findings, probes)
	}
	if st.coverage == nil || e.snap.indexes.Records.Record == nil {
		return
	}
	if places := f.Finding.Places; len(places) > 0 {
		e.cover(f, places[0])
	}
}

// probing reports a caller that caused too many findings, or too many probes.
func (e *exchange) probing(channel string, findings, probes int) {
	budget := &e.snap.cfg.Budget
	ev := e.event(alert.TypeProbing)
	ev.Action, ev.Channel = alert.Observed, channel
	if budget.Then == config.ThenBlock && e.mode != detect.Observe {
		ev.Action = alert.Blocked
	}
	ev.Findings, ev.Probes, ev.Period = findings, probes, int64(budget.Per.Seconds())
	e.srv.metrics.probing.Inc()
	e.srv.alerts.Offer(ev)
}

// cover adds a finding to the coverage of the record at place, its likeliest one.
func (e *exchange) cover(f relay.Finding, place ngram.Place) {
	records := &e.snap.indexes.Records
	r, ok := records.Record(place)
	if !ok {
		return
	}
	length, words := 0, f.Finding.Words
	if records.Length != nil {
		if length = records.Length(place); length > 0 {
			words = min(words, length)
		}
	}
	d, told := e.snap.standing.coverage.Add(policy.Piece{
		Record: r.Dataset + "\x00" + r.ID, Length: length,
		Caller: e.counted, Request: e.number,
		First: uint64(place), Words: words,
	})
	if !told {
		return
	}
	ev := e.event(alert.TypeDrip)
	ev.Action, ev.Channel = actionOf(f), f.Channel
	ev.Words, ev.RecordWords, ev.Requests, ev.Several = d.Words, d.Length, d.Requests, d.Several
	ev.Period = int64(e.snap.cfg.Coverage.Over.Seconds())
	ev.Records = []alert.Record{r}
	e.srv.metrics.drips.Inc()
	e.srv.alerts.Offer(ev)
}

// event returns an event with the members that describe this exchange.
func (e *exchange) event(t alert.Type) alert.Event {
	return alert.Event{
		Type:      t,
		Mode:      e.mode.String(),
		Route:     e.route.pattern,
		API:       e.route.api,
		Path:      openPath(e.srv.principalKey, e.route.pattern, e.path),
		Model:     modelName(e.srv.principalKey, e.model),
		Stream:    e.stream,
		RequestID: e.requestID,
		Client:    e.client,
		Principal: e.principal,
		User:      e.user, Forwarded: e.forwarded, Traceparent: e.traceparent,
		Index: e.snap.indexName(),
	}
}

// unscanned reports bytes that were not scanned.
func (e *exchange) unscanned(action alert.Action, reason string, bytes int64) {
	ev := e.event(alert.TypeUnscanned)
	ev.Action, ev.Reason, ev.Bytes = action, reason, bytes
	e.srv.alerts.Offer(ev)
}

// settle adds the counts of a relay to those of the exchange.
func (e *exchange) settle(c relay.Counts) {
	e.counts.Scanned += c.Scanned
	e.counts.Passed += c.Passed
	e.counts.Refused += c.Refused
	e.srv.metrics.woke(c.Wakes[:])
	if probes, raise := e.snap.standing.probes.Endings(e.counted, c.Endings); raise {
		e.probing("", 0, probes)
	}
}

// reportUnscanned reports the bytes that a relay could not scan.
func (e *exchange) reportUnscanned(c relay.Counts) {
	if c.Passed > 0 {
		if e.ending == endingClean {
			e.ending = endingForwarded
		}
		e.unscanned(alert.Passed, "could not be scanned, passed on as route or mode says", c.Passed)
	}
	if e.ending == endingRefused {
		e.unscanned(alert.Refused, "could not be scanned", c.Refused)
	}
	if c.Unread > 0 {
		e.srv.metrics.unread.Add(float64(c.Unread))
		e.unscanned(alert.Passed, "judged as it stands and not in every lane: too much, or too deep", c.Unread)
	}
}

// broken logs and counts that an answer broke off, and why.
func (e *exchange) broken(err error) {
	err = e.why(err)
	e.ending = endingBroken
	reason := "broke off"
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errClientGone):
		e.ending = endingGone
		e.srv.metrics.clientGone.Inc()
		return
	case errors.Is(err, errDraining):
		reason = "cut at the end of the drain time"
	case errors.Is(err, errTotalTime), errors.Is(err, errBomb), errors.Is(err, errSize), errors.Is(err, errExcess):
		reason = err.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		reason = "was silent for longer than the configured limit"
	}
	e.srv.metrics.upstreamErrors.WithLabelValues(phaseAnswer).Inc()
	e.srv.log.Warn("answer from upstream is not complete", "reason", reason, "route", e.route.pattern, "request_id", e.requestID)
}

// lenient reports whether an answer that cannot be scanned is passed on.
func (e *exchange) lenient() bool {
	return e.mode == detect.Observe || e.route.policy.Unscanned == config.Pass
}

// finish ends the exchange. It may be called again.
func (e *exchange) finish() {
	if e.closed {
		return
	}
	e.closed = true
	if e.body != nil {
		e.body.close() // after a panic it is still open
	}
	e.sent() // after a refusal it is still there
	if c := e.caller; c != nil && (e.large || e.counts.Scanned+e.counts.Passed+e.counts.Refused > heavyBytes) {
		c.heavy.Store(true)
	}
	e.end()
	e.cancel(errFinished)
	e.alerts.Close()
	if e.relay != nil {
		e.relay.Close()
		e.relay = nil
	}
	e.srv.leave(&e.link)
	e.measure()
	e.snap.release()
}

// finishWith ends an exchange whose answer is whole.
func (e *exchange) finishWith(answer *fasthttp.Response) {
	e.bytes = int64(len(answer.Body()))
	e.finish()
}

// addSpans hands over the spans of the exchange, which has ended.
func (e *exchange) addSpans(now time.Time) {
	a := trace.Answer{
		Context: e.trace, Begun: e.started, Asked: e.asked, Ended: now, Method: e.method, Route: e.route.pattern, API: e.route.api,
		Mode: e.mode.String(), Action: e.ending.String(), RequestID: e.requestID, Upstream: e.route.upstream.host,
		Status: e.status, Answered: e.said, Failed: e.ending == endingBroken, Bytes: e.bytes,
	}
	if e.said != 0 {
		a.Head = e.asked.Add(e.awaited)
	}
	e.srv.traces.Add(a)
}

// measure publishes the figures of the exchange, which has ended.
func (e *exchange) measure() {
	m := e.srv.metrics
	now := time.Now()
	e.srv.access.Add(accesslog.Entry{
		Time: now, RequestID: e.requestID, Route: e.route.pattern, Method: e.method, Status: e.status, Bytes: e.bytes,
		Duration: now.Sub(e.started), Upstream: e.awaited, Action: e.ending.String(), Principal: e.principal,
	})
	if e.trace.Sampled {
		e.addSpans(now)
	}
	model := m.model(e.model)
	m.begin(e.route, model)
	m.requests.WithLabelValues(e.route.pattern, model, strconv.Itoa(e.status), e.ending.String()).Inc()
	fates := [...]int64{e.counts.Scanned, e.counts.Passed, e.counts.Refused}
	if e.route.family == nil {
		fates = [3]int64{}
	}
	e.srv.counted.note(e.route.pattern, e.ending, fates)
	m.duration.WithLabelValues(e.route.pattern).Observe(now.Sub(e.started).Seconds())
	if !e.answered.IsZero() {
		m.firstByte.WithLabelValues(e.route.pattern).Observe(e.answered.Sub(e.started).Seconds())
	}
	for fate, n := range fates {
		if n > 0 {
			m.bytes.WithLabelValues([...]string{fateScanned, fatePassed, fateRefused}[fate]).Add(float64(n))
		}
	}
}

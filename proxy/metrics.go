package proxy

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"noecho/detect"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/relay"
	"noecho/proxy/wire"
)

// maxModels bounds the values of the label model, which callers choose.
const maxModels = 64

// otherModel is the label of models beyond maxModels, and of odd names.
const otherModel = "other"

// nestedLane is the label of all lanes within lanes.
const nestedLane = "nested"

// Sorts of prompts that noecho cannot read, as labels.
const (
	promptTokens = "token_ids" // token ids or embeddings
	promptStored = "stored"    // kept by the server
)

// Phases of an exchange in which an upstream can fail, as labels.
const (
	phaseConnect = "connect"
	phaseAnswer  = "answer"
)

// Results of a reload, and fates of the bytes of an answer, as labels.
const (
	reloadApplied = "applied"
	reloadFailed  = "failed"
	fateScanned   = "scanned"
	fatePassed    = "passed"
	fateRefused   = "refused"
)

// Uses of certificates as labels and in the log.
const (
	useListen   = "listen"
	useAdmin    = "admin"
	useUpstream = "upstream"
)

// metrics are the metrics that the admin plane publishes. No label contains text that a
// caller or a model wrote, but for a bounded number of names of models.
type metrics struct {
	registry *prometheus.Registry

	requests       *prometheus.CounterVec
	refusals       *prometheus.CounterVec
	missed         *prometheus.CounterVec
	duration       *prometheus.HistogramVec
	firstByte      *prometheus.HistogramVec
	findings       *prometheus.CounterVec
	bytes          *prometheus.CounterVec
	upstreamErrors *prometheus.CounterVec
	upstreamUp     *prometheus.GaugeVec
	probing, drips prometheus.Counter
	unread         prometheus.Counter
	wakes          *prometheus.CounterVec
	unseenPrompts  *prometheus.CounterVec
	clientGone     prometheus.Counter
	panics         prometheus.Counter
	generation     prometheus.Gauge
	indexEntries   *prometheus.GaugeVec
	indexBytes     *prometheus.GaugeVec
	indexFill      *prometheus.GaugeVec
	indexFPR       *prometheus.GaugeVec
	reloadOK       prometheus.Gauge
	reloadTime     prometheus.Gauge
	reloads        *prometheus.CounterVec

	unshaken           *prometheus.CounterVec
	certificateEnd     *prometheus.GaugeVec
	certificateReloads *prometheus.CounterVec

	mu     sync.Mutex
	models map[string]struct{}
	begun  map[[2]string]struct{} // routes and models whose series of requests exist
}

// newMetrics returns the metrics of one server. inFlight and alerts are called each time the
// metrics are read.
func newMetrics(build string, inFlight func() int, alerts *alert.Log) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), models: map[string]struct{}{}, begun: map[[2]string]struct{}{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "noecho", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "noecho", Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	m.requests = counter("requests_total", "Requests answered on the data port.", "route", "model", "code", "action")
	m.refusals = counter("refusals_total", "Requests that noecho refused itself.", "reason")
	m.missed = counter("missed_paths_total", "Requests for paths that are not open.", "method", "path")
	m.findings = counter("leaks_total", "Spans of answers that stand in the training data, by what was done.", "kind", "lane", "action")
	m.probing = counter("budgets_exceeded_total", "Alerts of callers that caused more findings than their budget.").WithLabelValues()
	m.unread = counter("lane_bytes_unread_total", "Bytes that were judged as they stand and not in every lane.").WithLabelValues()
	m.wakes = counter("lane_wakes_total", "Signs at which a lane woke and read answers in its way.", "lane")
	m.unseenPrompts = counter("unseen_prompts_total", "Requests with a part of the prompt that is not compared with the answer, by the sort of that part.", "kind")
	m.drips = counter("slow_drips_total", "Alerts of records of which much was found over several requests.").WithLabelValues()
	m.bytes = counter("body_bytes_total", "Bytes of scanned routes' answers, by what became of them.", "fate")
	m.upstreamErrors = counter("upstream_errors_total", "Upstreams that did not answer, or not to the end.", "phase")
	m.upstreamUp = gauge("upstream_up", "1 if the model server accepted the last connection that looked for it, else 0.", "upstream")
	m.clientGone = counter("clients_gone_total", "Callers that left before their answer had ended.").WithLabelValues()
	m.panics = counter("panics_total", "Panics caught; each is a bug to report.").WithLabelValues()
	m.reloads = counter("config_reloads_total", "Reloads of configuration and indexes.", "result")
	m.unshaken = counter("tls_handshakes_failed_total", "TLS handshakes with callers that failed.", "reason")
	m.certificateEnd = gauge("certificate_expiry_timestamp_seconds", "When a certificate of noecho ends.", "use")
	m.certificateReloads = counter("certificate_reloads_total", "Changed certificate files, by whether they were put in force.", "use", "result")
	m.beginAtZero()
	histogram := func(name, help string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "noecho", Name: name, Help: help, Buckets: []float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
		}, []string{"route"})
		m.registry.MustRegister(h)
		return h
	}
	m.duration = histogram("request_duration_seconds", "Time from a request's arrival to the last byte of its answer.")
	m.firstByte = histogram("time_to_first_byte_seconds", "Time from a request's arrival to the first byte of its answer's body.")
	m.generation = gauge("index_generation", "Counts the configurations put in force, the first one included.").WithLabelValues()
	m.indexEntries = gauge("index_entries", "Distinct windows of an index.", "index")
	m.indexBytes = gauge("index_bytes", "Size of an index file.", "index")
	m.indexFill = gauge("index_fill_ratio", "Set bits of an index's WINDOWS filter, 0 to 1.", "index")
	m.indexFPR = gauge("index_estimated_fpr", "Chance that a window counts as indexed although it is not.", "index")
	m.reloadOK = gauge("config_last_reload_successful", "1 if the last reload was put in force, else 0.").WithLabelValues()
	m.reloadTime = gauge("config_last_reload_success_timestamp_seconds", "When a configuration was last put in force.").WithLabelValues()
	gauge("build_info", "The version that runs; always 1.", "version").WithLabelValues(build).Set(1)
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "noecho", Name: "requests_in_flight", Help: "Requests being answered."},
			func() float64 { return float64(inFlight()) }),
		&alertCollector{alerts},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// beginAtZero makes the series whose labels are known. The first event of a series that
// appears with it is no increase for Prometheus, so that no rule would see it.
func (m *metrics) beginAtZero() {
	for _, r := range refusals {
		m.refusals.WithLabelValues(r.code)
	}
	for _, phase := range [...]string{phaseConnect, phaseAnswer} {
		m.upstreamErrors.WithLabelValues(phase)
	}
	for _, result := range [...]string{reloadApplied, reloadFailed} {
		m.reloads.WithLabelValues(result)
		for _, use := range [...]string{useListen, useAdmin, useUpstream} {
			m.certificateReloads.WithLabelValues(use, result)
		}
	}
	for _, reason := range [...]string{handshakeCertificate, handshakePlain, handshakeGone, handshakeOther} {
		m.unshaken.WithLabelValues(reason)
	}
	for _, kind := range [...]string{promptTokens, promptStored} {
		m.unseenPrompts.WithLabelValues(kind)
	}
	for _, fate := range [...]string{fateScanned, fatePassed, fateRefused} {
		m.bytes.WithLabelValues(fate)
	}
	for _, lane := range config.LaneNames() {
		m.wakes.WithLabelValues(lane)
	}
	for kind := detect.Verbatim; kind <= detect.Overflow; kind++ {
		for _, lane := range append(config.LaneNames(), alert.LanePlain, nestedLane) {
			for _, action := range [...]alert.Action{alert.Observed, alert.Redacted, alert.Blocked, alert.Echo, alert.Ignored} {
				m.findings.WithLabelValues(kind.String(), lane, string(action))
			}
		}
	}
}

// begin makes the series of the requests of one route and model, by ending and by the
// status that this ending usually has.
func (m *metrics) begin(r *route, model string) {
	key := [2]string{r.pattern, model}
	m.mu.Lock()
	_, begun := m.begun[key]
	m.begun[key] = struct{}{}
	m.mu.Unlock()
	if begun {
		return
	}
	if r.family == nil {
		m.requests.WithLabelValues(r.pattern, model, "200", endingForwarded.String())
		return
	}
	for e := endingClean; e <= endingGone; e++ {
		code := "200"
		switch e {
		case endingBlocked, endingRefused:
			code = "400"
		case endingBroken:
			code = "502"
		}
		m.requests.WithLabelValues(r.pattern, model, code, e.String())
	}
	m.requests.WithLabelValues(r.pattern, model, "200", endingBlocked.String()) // in a stream
}

// unseen counts a request that is passed on although its prompt shows not all of its text.
func (m *metrics) unseen(r wire.Request) {
	if r.Coded {
		m.unseenPrompts.WithLabelValues(promptTokens).Inc()
	}
	if r.Stored {
		m.unseenPrompts.WithLabelValues(promptStored).Inc()
	}
}

func (m *metrics) refused(r refusal) { m.refusals.WithLabelValues(r.code).Inc() }

// woke counts how often each lane woke, by its number.
func (m *metrics) woke(wakes []int64) {
	for lane, n := range wakes {
		if n > 0 {
			m.wakes.WithLabelValues(detect.Lane(lane).String()).Add(float64(n))
		}
	}
}

func (m *metrics) finding(f relay.Finding, action alert.Action) {
	lane := f.Finding.Lane.String()
	if strings.Contains(lane, "+") {
		lane = nestedLane
	}
	m.findings.WithLabelValues(f.Finding.Kind.String(), lane, string(action)).Inc()
}

// up publishes whether an upstream accepts connections: err is nil if it does.
func (m *metrics) up(upstream string, err error) {
	v := 1.0
	if err != nil {
		v = 0
	}
	m.upstreamUp.WithLabelValues(upstream).Set(v)
}

// forgotten publishes how many pairs of record and caller coverage has forgotten. of is called
// each time the metrics are read.
func (m *metrics) forgotten(of func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: "noecho", Name: "coverage_forgotten_total", Help: "Records and callers whose coverage made place for others'."},
		func() float64 { return float64(of()) }))
}

// counts publishes how many things of a kind were done, and how many were dropped. of is called
// each time the metrics are read.
func (m *metrics) counts(name, help, done string, of func() (done, dropped uint64)) {
	one := func(result string, n func() uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "noecho", Name: name, Help: help, ConstLabels: prometheus.Labels{"result": result},
		}, func() float64 { return float64(n()) }))
	}
	one(done, func() uint64 { n, _ := of(); return n })
	one("dropped", func() uint64 { _, n := of(); return n })
}

// snapshot publishes the indexes and the configuration that are in force now.
func (m *metrics) snapshot(s *snapshot) {
	m.generation.Set(float64(s.generation))
	m.reloadOK.Set(1)
	m.reloadTime.SetToCurrentTime()
	s.routes.each(func(r *route) { m.begin(r, "") })
	for _, g := range [...]*prometheus.GaugeVec{m.indexEntries, m.indexBytes, m.indexFill, m.indexFPR} {
		g.Reset()
	}
	for _, f := range s.indexes.Files {
		m.indexEntries.WithLabelValues(f.BuildID).Set(float64(f.Windows))
		m.indexBytes.WithLabelValues(f.BuildID).Set(float64(f.Bytes))
		m.indexFill.WithLabelValues(f.BuildID).Set(f.Fill)
		m.indexFPR.WithLabelValues(f.BuildID).Set(f.FPR)
	}
}

func (m *metrics) reloaded(err error) {
	if err != nil {
		m.reloadOK.Set(0)
		m.reloads.WithLabelValues(reloadFailed).Inc()
		return
	}
	m.reloads.WithLabelValues(reloadApplied).Inc()
}

// model returns the label for the name of a model. Names come from callers, so only plain
// ones become labels, and at most maxModels.
func (m *metrics) model(name string) string {
	switch {
	case name == "":
		return ""
	case !plainModel(name):
		return otherModel
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.models[name]; !ok {
		if len(m.models) >= maxModels {
			return otherModel
		}
		m.models[name] = struct{}{}
	}
	return name
}

// ending is the way an exchange ended for its caller, a label of a metric.
type ending uint8

const (
	endingClean ending = iota
	endingObserved
	endingRedacted
	endingBlocked
	endingRefused   // it could not be scanned
	endingForwarded // not scanned, or not to the end, as route or mode says
	endingBroken    // the upstream failed or broke off
	endingGone      // the caller went away
)

// String returns the ending's label.
func (o ending) String() string {
	return [...]string{"clean", "observed", "redacted", "blocked", "refused", "forwarded", "broken", "gone"}[o]
}

// alertCollector publishes the counters of the alert log.
type alertCollector struct{ log *alert.Log }

// The metrics of an alertCollector.
const (
	alertDelivered = "noecho_alerts_delivered_total"
	alertDropped   = "noecho_alerts_dropped_total"
	alertQueued    = "noecho_alerts_queued"
	alertSpooled   = "noecho_alerts_spooled"
	alertRetried   = "noecho_alerts_retried_total"
)

func alertDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"sink"}, nil)
}

// Describe implements [prometheus.Collector].
func (c *alertCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements [prometheus.Collector].
func (c *alertCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.log.Stats().Sinks {
		ch <- prometheus.MustNewConstMetric(alertDesc(alertDelivered, "Alerts written."), prometheus.CounterValue, float64(s.Delivered), s.Name)
		ch <- prometheus.MustNewConstMetric(alertDesc(alertDropped, "Alerts lost because the sink was behind or refused them; gap records stand in their place."), prometheus.CounterValue, float64(s.Lost), s.Name)
		ch <- prometheus.MustNewConstMetric(alertDesc(alertQueued, "Alerts waiting to be written."), prometheus.GaugeValue, float64(s.Queued), s.Name)
		ch <- prometheus.MustNewConstMetric(alertDesc(alertSpooled, "Alerts waiting on disk, of those queued."), prometheus.GaugeValue, float64(s.Spooled), s.Name)
		ch <- prometheus.MustNewConstMetric(alertDesc(alertRetried, "Attempts to send alerts that failed."), prometheus.CounterValue, float64(s.Retried), s.Name)
	}
}

var _ prometheus.Collector = (*alertCollector)(nil)

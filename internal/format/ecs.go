package format

import (
	"cmp"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// ECSVersion is the version of the Elastic Common Schema that [ECS] follows.
const ECSVersion = "9.4.0"

// The structs below have the fields of ECS that noecho fills.

type ecsEvent struct {
	Time     time.Time   `json:"@timestamp"`
	Message  string      `json:"message"`
	ECS      ecsMeta     `json:"ecs"`
	Tags     []string    `json:"tags"`
	Event    ecsAbout    `json:"event"`
	Observer ecsObserver `json:"observer"`
	Rule     *ecsRule    `json:"rule,omitempty"`
	GenAI    *ecsGenAI   `json:"gen_ai,omitempty"`
	User     *ecsUser    `json:"user,omitempty"`
	Source   *ecsSource  `json:"source,omitempty"`
	HTTP     *ecsHTTP    `json:"http,omitempty"`
	URL      *ecsURL     `json:"url,omitempty"`
	Trace    *ecsTrace   `json:"trace,omitempty"`
	Threat   *ecsThreat  `json:"threat,omitempty"`
	Noecho   ecsNoecho   `json:"noecho"`
}

type ecsMeta struct {
	Version string `json:"version"`
}

type ecsAbout struct {
	Kind     string   `json:"kind"`
	Category []string `json:"category,omitempty"`
	Type     []string `json:"type,omitempty"`
	Action   string   `json:"action"`
	ID       string   `json:"id"`
	Sequence uint64   `json:"sequence"`
	Severity int      `json:"severity"`
	Module   string   `json:"module"`
	Dataset  string   `json:"dataset"`
	Outcome  string   `json:"outcome,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

type ecsObserver struct {
	Type    string `json:"type"`
	Product string `json:"product"`
	Vendor  string `json:"vendor"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

type ecsRule struct {
	Name     string `json:"name,omitempty"`
	Category string `json:"category,omitempty"`
}

type ecsGenAI struct {
	Request ecsRequest `json:"request"`
}

type ecsRequest struct {
	Model string `json:"model"`
}

type ecsUser struct {
	Hash string `json:"hash,omitempty"`
	Name string `json:"name,omitempty"`
}

type ecsSource struct {
	IP string `json:"ip"`
}

type ecsHTTP struct {
	Request ecsID `json:"request"`
}

type ecsID struct {
	ID string `json:"id"`
}

type ecsURL struct {
	Path string `json:"path"`
}

type ecsTrace struct {
	ID string `json:"id"`
}

type ecsThreat struct {
	Technique ecsTechnique `json:"technique"`
}

type ecsTechnique struct {
	ID   []string `json:"id"`
	Name []string `json:"name"`
}

// ecsNoecho are fields of noecho's own.
type ecsNoecho struct {
	rest
	Record *ecsRecord `json:"record,omitempty"`
}

type ecsRecord struct {
	ID      []string `json:"id"`
	Dataset []string `json:"dataset"`
	Labels  []string `json:"labels,omitempty"`
}

// ECS appends an event in the Elastic Common Schema.
func ECS(dst []byte, ev *alert.Event) []byte {
	e := ecsEvent{
		Time: ev.Time.UTC(), Message: summary(ev), ECS: ecsMeta{ECSVersion}, Tags: []string{"noecho"},
		Event: ecsAbout{
			Action: string(ev.Type), ID: id(ev), Sequence: ev.Seq, Module: "noecho", Dataset: "noecho.alert", Reason: ev.Reason,
			Severity: [...]int{0, 21, 47, 73, 99}[ev.Severity.Rank()],
		},
		Observer: ecsObserver{Type: "proxy", Product: "noecho", Vendor: "noecho", Name: ev.Instance, Version: ev.Build},
		Noecho:   ecsNoecho{rest: restOf(ev)},
	}
	e.Event.sort(ev)
	e.request(ev)
	if ids, names := techniques(ev); len(ids) > 0 {
		e.Threat = &ecsThreat{ecsTechnique{ids, names}}
	}
	if len(ev.Records) > 0 {
		e.Noecho.Record = &ecsRecord{}
		for _, r := range ev.Records {
			e.Noecho.Record.ID = append(e.Noecho.Record.ID, r.ID)
			e.Noecho.Record.Dataset = append(e.Noecho.Record.Dataset, r.Dataset)
			e.Noecho.Record.Labels = append(e.Noecho.Record.Labels, r.Labels...)
		}
	}
	return alert.AppendJSON(dst, e)
}

// request fills the fields about the request and its caller.
func (e *ecsEvent) request(ev *alert.Event) {
	if rule := (ecsRule{Name: ev.Rule, Category: cmp.Or(ev.Identifier, string(ev.Kind))}); rule != (ecsRule{}) {
		e.Rule = &rule
	}
	if ev.Model != "" {
		e.GenAI = &ecsGenAI{ecsRequest{ev.Model}}
	}
	if user := (ecsUser{Hash: ev.Principal, Name: ev.User}); user != (ecsUser{}) {
		e.User = &user
	}
	if ip := address(ev.Client); ip != "" {
		e.Source = &ecsSource{ip}
	}
	if ev.RequestID != "" {
		e.HTTP = &ecsHTTP{ecsID{ev.RequestID}}
	}
	if ev.Path != "" {
		e.URL = &ecsURL{ev.Path}
	}
	if parts := strings.Split(ev.Traceparent, "-"); len(parts) == 4 {
		e.Trace = &ecsTrace{parts[1]}
	}
}

// sort fills the fields by which events are sorted.
func (a *ecsAbout) sort(ev *alert.Event) {
	a.Kind = "event"
	switch ev.Type {
	case alert.TypeFinding, alert.TypeUnscanned, alert.TypeProbing, alert.TypeDrip:
		a.Kind, a.Category, a.Type = "alert", []string{"intrusion_detection"}, []string{"allowed"}
		if ev.Action == alert.Redacted || ev.Action == alert.Blocked || ev.Action == alert.Refused {
			a.Type = []string{"denied"}
		}
	case alert.TypeStart:
		a.Category, a.Type, a.Outcome = []string{"process"}, []string{"start"}, "success"
	case alert.TypeStop:
		a.Category, a.Type, a.Outcome = []string{"process"}, []string{"end"}, "success"
	case alert.TypeReload:
		a.Category, a.Type, a.Outcome = []string{"configuration"}, []string{"change"}, "success"
		if ev.Action == alert.Failed {
			a.Outcome = "failure"
		}
	case alert.TypeMismatch:
		a.Kind, a.Category, a.Type = "alert", []string{"configuration"}, []string{"info"}
	case alert.TypeAccess:
		a.Category, a.Type = []string{"web"}, []string{"access"}
	case alert.TypeTally:
		a.Kind = "metric"
	case alert.TypeGap:
		a.Kind = "pipeline_error"
	}
}

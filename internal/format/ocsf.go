package format

import (
	"cmp"
	"slices"
	"strings"

	"noecho/proxy/alert"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that [OCSF] follows.
const OCSFVersion = "1.8.0"

// The classes of OCSF that events are of.
const (
	classBase         = 0    // Base Event: no other class fits
	classDetection    = 2004 // Detection Finding
	classDataSecurity = 2006 // Data Security Finding
	classLifecycle    = 6002 // Application Lifecycle
)

// The structs below have the attributes of OCSF that noecho fills.

type ocsfEvent struct {
	ActivityID   int            `json:"activity_id"`
	CategoryUID  int            `json:"category_uid"`
	ClassUID     int            `json:"class_uid"`
	TypeUID      int            `json:"type_uid"`
	SeverityID   int            `json:"severity_id"`
	Severity     string         `json:"severity"`
	Time         int64          `json:"time"` // milliseconds
	Message      string         `json:"message"`
	Metadata     ocsfMetadata   `json:"metadata"`
	ActionID     int            `json:"action_id,omitempty"`
	Disposition  int            `json:"disposition_id,omitempty"`
	IsAlert      *bool          `json:"is_alert,omitempty"`
	FindingInfo  *ocsfFinding   `json:"finding_info,omitempty"`
	DataSecurity *ocsfData      `json:"data_security,omitempty"`
	Resources    []ocsfResource `json:"resources,omitempty"`
	Actor        *ocsfActor     `json:"actor,omitempty"`
	Source       *ocsfEndpoint  `json:"src_endpoint,omitempty"`
	Evidences    []ocsfEvidence `json:"evidences,omitempty"`
	App          *ocsfProduct   `json:"app,omitempty"`
	Status       string         `json:"status,omitempty"`
	StatusID     int            `json:"status_id,omitempty"`
	Unmapped     rest           `json:"unmapped"`
}

type ocsfMetadata struct {
	Version     string      `json:"version"`
	Product     ocsfProduct `json:"product"`
	UID         string      `json:"uid"`
	Sequence    uint64      `json:"sequence"`
	Profiles    []string    `json:"profiles,omitempty"`
	Correlation string      `json:"correlation_uid,omitempty"`
	LogName     string      `json:"log_name"`
}

type ocsfProduct struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	UID     string `json:"uid,omitempty"`
	Version string `json:"version,omitempty"`
}

type ocsfFinding struct {
	UID      string        `json:"uid"`
	Title    string        `json:"title"`
	Types    []string      `json:"types"`
	Analytic *ocsfAnalytic `json:"analytic,omitempty"`
	Attacks  []ocsfAttack  `json:"attacks,omitempty"`
}

type ocsfAnalytic struct {
	Name   string `json:"name"`
	TypeID int    `json:"type_id"`
}

type ocsfAttack struct {
	Technique ocsfTechnique `json:"technique"`
}

type ocsfTechnique struct {
	UID  string `json:"uid"`
	Name string `json:"name"`
}

type ocsfData struct {
	CategoryID        int         `json:"category_id"`
	ConfidentialityID int         `json:"confidentiality_id,omitempty"`
	LifecycleID       int         `json:"data_lifecycle_state_id"`
	SystemID          int         `json:"detection_system_id"`
	Pattern           string      `json:"detection_pattern,omitempty"`
	Policy            *ocsfPolicy `json:"policy,omitempty"`
}

type ocsfPolicy struct {
	Name string `json:"name"`
}

type ocsfResource struct {
	Type   string     `json:"type"`
	UID    string     `json:"uid,omitempty"`
	Name   string     `json:"name,omitempty"`
	Group  *ocsfGroup `json:"group,omitempty"`
	Labels []string   `json:"labels,omitempty"`
}

type ocsfGroup struct {
	Name string `json:"name"`
}

type ocsfActor struct {
	User ocsfUser `json:"user"`
}

type ocsfUser struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
}

type ocsfEndpoint struct {
	IP string `json:"ip"`
}

// ocsfEvidence has the caller in a class that has no attributes for one.
type ocsfEvidence struct {
	Actor  *ocsfActor    `json:"actor,omitempty"`
	Source *ocsfEndpoint `json:"src_endpoint,omitempty"`
}

// OCSF appends an event in the schema OCSF.
func OCSF(dst []byte, ev *alert.Event) []byte {
	e := ocsfEvent{
		Time: ev.Time.UnixMilli(), Message: summary(ev), SeverityID: 1 + ev.Severity.Rank(), Severity: ocsfSeverity(ev.Severity),
		Metadata: ocsfMetadata{
			Version: OCSFVersion, UID: id(ev), Sequence: ev.Seq, Correlation: ev.RequestID, LogName: "alerts",
			Product: ocsfProduct{Name: "noecho", Vendor: "noecho", UID: ev.Instance, Version: ev.Build},
		},
		Unmapped: restOf(ev),
	}
	e.Unmapped.Instance, e.Unmapped.Identifier = "", ""
	switch ev.Type {
	case alert.TypeFinding, alert.TypeUnscanned:
		e.class(classDataSecurity, 1)
		e.finding(ev)
		e.DataSecurity = dataSecurity(ev)
	case alert.TypeProbing, alert.TypeDrip:
		e.class(classDetection, 1)
		e.finding(ev)
		if e.Actor != nil || e.Source != nil {
			e.Evidences = []ocsfEvidence{{e.Actor, e.Source}}
			e.Actor, e.Source = nil, nil
		}
	case alert.TypeStart:
		e.life(ev, 3)
	case alert.TypeStop:
		e.life(ev, 4)
	case alert.TypeReload:
		e.life(ev, 8)
	default:
		e.class(classBase, 99)
	}
	if ev.Type == alert.TypeAccess {
		e.Unmapped.User, e.Unmapped.Client = ev.User, ev.Client
	}
	return alert.AppendJSON(dst, e)
}

// ocsfSeverity returns the caption of a severity.
func ocsfSeverity(s alert.Severity) string {
	switch s {
	case alert.Low:
		return "Low"
	case alert.Medium:
		return "Medium"
	case alert.High:
		return "High"
	case alert.Critical:
		return "Critical"
	}
	return "Informational"
}

func (e *ocsfEvent) class(class, activity int) {
	e.ActivityID, e.ClassUID, e.CategoryUID, e.TypeUID = activity, class, class/1000, class*100+activity
}

// life fills the attributes of a start, a stop or a reload.
func (e *ocsfEvent) life(ev *alert.Event, activity int) {
	e.class(classLifecycle, activity)
	e.App = &e.Metadata.Product
	e.StatusID, e.Status = 1, "Success"
	if ev.Action == alert.Failed {
		e.StatusID, e.Status = 2, "Failure"
	}
}

// finding fills the attributes of both classes of findings.
func (e *ocsfEvent) finding(ev *alert.Event) {
	e.Metadata.Profiles = []string{"security_control"}
	e.ActionID, e.Disposition = control(ev.Action)
	isAlert := ev.Action != alert.Echo && ev.Action != alert.Ignored
	e.IsAlert = &isAlert
	e.FindingInfo = &ocsfFinding{UID: id(ev), Title: cmp.Or(strings.TrimSpace(summary(ev)), string(ev.Type)), Types: []string{string(ev.Type)}, Analytic: analytic(ev)}
	ids, names := techniques(ev)
	for i := range ids {
		e.FindingInfo.Attacks = append(e.FindingInfo.Attacks, ocsfAttack{ocsfTechnique{ids[i], names[i]}})
	}
	for _, r := range ev.Records {
		resource := ocsfResource{Type: "training record", UID: r.ID, Labels: r.Labels}
		if r.Dataset != "" {
			resource.Group = &ocsfGroup{r.Dataset}
		}
		e.Resources = append(e.Resources, resource)
	}
	if ev.Model != "" {
		e.Resources = append(e.Resources, ocsfResource{Type: "AI model", Name: ev.Model})
	}
	if ev.Principal != "" || ev.User != "" {
		e.Actor = &ocsfActor{ocsfUser{UID: ev.Principal, Name: ev.User}}
	}
	if ip := address(ev.Client); ip != "" {
		e.Source = &ocsfEndpoint{ip}
	}
}

// control returns the action and the disposition of the profile security_control.
func control(a alert.Action) (action, disposition int) {
	switch a {
	case alert.Observed:
		return 3, 17 // observed, logged
	case alert.Redacted:
		return 4, 11 // modified, corrected
	case alert.Blocked, alert.Refused:
		return 2, 2 // denied, blocked
	default: // an echo, an ignored finding, unscanned bytes that were passed
		return 1, 16 // allowed, no action
	}
}

// analytic names the way in which a finding was found.
func analytic(ev *alert.Event) *ocsfAnalytic {
	switch ev.Kind {
	case alert.Verbatim:
		return &ocsfAnalytic{string(ev.Kind), 11} // indexed data match
	case alert.Phrase:
		return &ocsfAnalytic{string(ev.Kind), 9} // exact data match
	case alert.Near:
		return &ocsfAnalytic{string(ev.Kind), 10} // partial data match
	case "":
		return &ocsfAnalytic{string(ev.Type), 1} // rule
	default:
		return &ocsfAnalytic{string(ev.Kind), 1}
	}
}

// dataSecurity describes the data, without a byte of it.
func dataSecurity(ev *alert.Event) *ocsfData {
	d := &ocsfData{SystemID: 2, LifecycleID: 2} // a gateway, data in transit
	if ev.Kind == alert.Phrase && ev.Identifier != "" && ev.Identifier != alert.PlainPhrase {
		d.CategoryID = 1 // personal
		switch ev.Identifier {
		case "iban", "card":
			d.CategoryID = 3 // financial
		case "key":
			d.CategoryID = 6 // security
		}
	}
	d.Pattern = cmp.Or(ev.Identifier, string(ev.Kind))
	if ev.Rule != "" {
		d.Policy = &ocsfPolicy{ev.Rule}
	}
	if slices.ContainsFunc(ev.Records, func(r alert.Record) bool { return slices.Contains(r.Labels, "restricted") }) {
		d.ConfidentialityID = 6 // restricted
	}
	return d
}

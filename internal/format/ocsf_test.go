package format

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/alert"
)

// ocsfSchema is the part of OCSF that testdata/ocsf.py takes out of the published schema.
type ocsfSchema struct {
	Version string
	Types   map[string]struct {
		Type  string
		Regex string
		Max   int `json:"max_len"`
	}
	Classes map[string]ocsfThing
	Objects map[string]ocsfThing
}

type ocsfThing struct {
	ClassUID    int `json:"class_uid"`
	CategoryUID int `json:"category_uid"`
	Attributes  map[string]struct {
		Type     string
		Required bool
		Array    bool
		Profile  string
		Enum     []string
	}
	Profiles    []string
	Constraints map[string][]string
}

// check returns all mistakes of a value of an object or class.
func (s *ocsfSchema) check(at string, t ocsfThing, profiles []string, v map[string]any) (wrong []string) {
	for name, attr := range t.Attributes {
		if _, ok := v[name]; !ok && attr.Required && (attr.Profile == "" || slices.Contains(profiles, attr.Profile)) {
			wrong = append(wrong, at+"."+name+" is missing")
		}
	}
	if any := t.Constraints["at_least_one"]; any != nil && !slices.ContainsFunc(any, func(name string) bool { return v[name] != nil }) {
		wrong = append(wrong, fmt.Sprintf("%s has none of %v", at, any))
	}
	for name, value := range v {
		attr, ok := t.Attributes[name]
		if !ok || attr.Profile != "" && !slices.Contains(profiles, attr.Profile) {
			wrong = append(wrong, at+"."+name+" is no attribute")
			continue
		}
		values := []any{value}
		if attr.Array {
			if values, ok = value.([]any); !ok {
				wrong = append(wrong, at+"."+name+" is no array")
			}
		}
		for _, one := range values {
			if attr.Enum != nil && !slices.Contains(attr.Enum, fmt.Sprint(one)) {
				wrong = append(wrong, fmt.Sprintf("%s.%s is %v", at, name, one))
			}
			wrong = append(wrong, s.value(at+"."+name, attr.Type, profiles, one)...)
		}
	}
	return wrong
}

// value returns the mistakes of one value of a type.
func (s *ocsfSchema) value(at, kind string, profiles []string, v any) []string {
	if kind == "object" {
		return nil // unmapped
	}
	if object, ok := s.Objects[kind]; ok {
		inner, ok := v.(map[string]any)
		if !ok {
			return []string{at + " is no object"}
		}
		return s.check(at, object, profiles, inner)
	}
	t, known := s.Types[kind]
	base := t.Type
	if base == "" {
		base = kind
	}
	number, isNumber := v.(float64)
	text, isText := v.(string)
	_, isBool := v.(bool)
	fits := map[string]bool{
		"string_t": isText, "integer_t": isNumber && number == float64(int64(number)), "long_t": isNumber && number == float64(int64(number)),
		"boolean_t": isBool,
	}[base]
	switch {
	case !known:
		return []string{fmt.Sprintf("%s has type %s, which the extract of the schema lacks", at, kind)}
	case !fits:
		return []string{fmt.Sprintf("%s is %v, no %s", at, v, kind)}
	case t.Max > 0 && len(text) > t.Max:
		return []string{fmt.Sprintf("%s is longer than %d", at, t.Max)}
	case t.Regex != "" && !regexp.MustCompile(t.Regex).MatchString(text):
		return []string{fmt.Sprintf("%s is %q, no %s", at, text, kind)}
	}
	return nil
}

func readOCSF(t *testing.T) (s ocsfSchema) {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf-" + OCSFVersion + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Version != OCSFVersion {
		t.Fatal(err, s.Version)
	}
	return s
}

// class returns the class of an event, and the mistakes of that event.
func (s *ocsfSchema) class(line []byte) (name string, wrong []string, err error) {
	var v map[string]any
	if err := json.Unmarshal(line, &v); err != nil {
		return "", nil, err
	}
	for name, c := range s.Classes {
		if v["class_uid"] != float64(c.ClassUID) {
			continue
		}
		var profiles []string
		named, _ := v["metadata"].(map[string]any)["profiles"].([]any)
		for _, p := range named {
			profiles = append(profiles, p.(string))
			if !slices.Contains(c.Profiles, p.(string)) {
				wrong = append(wrong, fmt.Sprint("no profile ", p))
			}
		}
		wrong = append(wrong, s.check(name, c, profiles, v)...)
		if v["category_uid"] != float64(c.CategoryUID) || v["type_uid"] != float64(c.ClassUID*100)+v["activity_id"].(float64) {
			wrong = append(wrong, fmt.Sprint("category or type do not fit: ", v["category_uid"], v["type_uid"]))
		}
		return name, wrong, nil
	}
	return "", nil, fmt.Errorf("no class %v", v["class_uid"])
}

// TestOCSF: events of every type and action fit the published schema.
func TestOCSF(t *testing.T) {
	t.Parallel()
	s := readOCSF(t)
	want := map[alert.Type]string{
		alert.TypeFinding: "data_security_finding", alert.TypeUnscanned: "data_security_finding", alert.TypeProbing: "detection_finding",
		alert.TypeDrip: "detection_finding", alert.TypeStart: "application_lifecycle", alert.TypeStop: "application_lifecycle",
		alert.TypeReload: "application_lifecycle", alert.TypeGap: "base_event", alert.TypeTally: "base_event", alert.TypeDigest: "base_event",
		alert.TypeAccess: "base_event", alert.TypeMismatch: "base_event",
	}
	for _, ev := range samples() {
		line := OCSF(nil, &ev)
		class, wrong, err := s.class(line)
		if err != nil || len(wrong) > 0 || class != want[ev.Type] {
			t.Errorf("%s, %s is %s: %v %s in %s", ev.Type, ev.Action, class, err, strings.Join(wrong, "; "), line)
		}
	}
}

// TestOCSFSees: the check finds each fault that is put in.
func TestOCSFSees(t *testing.T) {
	t.Parallel()
	s := readOCSF(t)
	ev := sample(alert.TypeFinding)
	ev.Action, ev.Severity = alert.Redacted, alert.High
	line := string(OCSF(nil, &ev))
	for _, change := range [][2]string{
		{`"severity_id":4`, `"severity_id":44`},
		{`"severity_id":4,`, ``},
		{`"time":1772625600120`, `"time":"now"`},
		{`"ip":"192.0.2.7"`, `"ip":"host"`},
		{`"resources":[`, `"text":"leak","resources":[`},
		{`"profiles":["security_control"]`, `"profiles":["cloud"]`},
		{`{"technique":`, `{"technik":`},
		{`"type_uid":200601`, `"type_uid":200602`},
		{`"user":{"uid":"0123456789abcdef","name":"ann"}`, `"user":{}`},
	} {
		old, bad := change[0], change[1]
		if !strings.Contains(line, old) {
			t.Errorf("%s is not in %s", old, line)
		}
		if _, wrong, err := s.class([]byte(strings.Replace(line, old, bad, 1))); err == nil && len(wrong) == 0 {
			t.Errorf("%s instead of %s fits", bad, old)
		}
	}
}

// values returns all texts and numbers in a value of JSON.
func values(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			values(inner, into)
		}
	case []any:
		for _, inner := range v {
			values(inner, into)
		}
	default:
		into[fmt.Sprint(v)] = true
	}
}

// TestNothingIsLost: each value of a native line is in the other formats of whole events.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	for name, encode := range map[string]Encode{"ocsf": OCSF, "ecs": ECS} {
		for _, ev := range samples() {
			if ev.Instance == "" {
				continue // a bare event has members without a value
			}
			var native, other any
			if err := json.Unmarshal(alert.AppendLine(nil, &ev), &native); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(encode(nil, &ev), &other); err != nil {
				t.Fatal(err)
			}
			all, there := map[string]bool{}, map[string]bool{}
			values(native, all)
			values(other, there)
			object := native.(map[string]any)
			for _, gone := range []any{object["id"], object["time"], object["since"], object["severity"], 1.0, "", false, true} {
				delete(all, fmt.Sprint(gone)) // written in another way
			}
			for value := range all {
				if !there[value] {
					t.Errorf("%s of %s, %s has no %q: %s", name, ev.Type, ev.Action, value, encode(nil, &ev))
				}
			}
		}
	}
}

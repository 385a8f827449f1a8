package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	published = "../../docs/alert.schema.json"
	strict    = "testdata/alert.strict.json" // the published one, with nothing left to join
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// schema is a JSON Schema, as far as those of alerts use it. An unknown keyword
// fails the test, so that none is overlooked.
type schema struct {
	tree map[string]any
	defs map[string]any
}

func readSchema(t *testing.T, name string) schema {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(readFile(t, name), &tree); err != nil {
		t.Fatal(err)
	}
	return schema{tree, tree["$defs"].(map[string]any)}
}

// check returns the first thing wrong with a value.
func (s schema) check(at string, v any) error {
	if ref, ok := s.tree["$ref"].(string); ok {
		return schema{s.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), s.defs}.check(at, v)
	}
	for key, want := range s.tree {
		if err := s.keyword(at, key, want, v); err != nil {
			return err
		}
	}
	return nil
}

func (s schema) keyword(at, key string, want, v any) error {
	ok := true
	switch key {
	case "$schema", "$defs", "title", "description", "examples", "required", "additionalProperties":
		// The last two are checked with properties.
	case "not":
		ok = schema{want.(map[string]any), s.defs}.check(at, v) != nil
	case "const":
		ok = want == v
	case "enum":
		ok = slices.Contains(want.([]any), v)
	case "pattern":
		text, isText := v.(string)
		ok = isText && regexp.MustCompile(want.(string)).MatchString(text)
	case "minimum":
		n, isNumber := v.(float64)
		ok = isNumber && n >= want.(float64)
	case "maximum":
		n, isNumber := v.(float64)
		ok = isNumber && n <= want.(float64)
	case "maxItems":
		list, isList := v.([]any)
		ok = isList && len(list) <= int(want.(float64))
	case "type":
		n, isNumber := v.(float64)
		ok = map[string]bool{
			"integer": isNumber && n == math.Trunc(n),
			"string":  reflect.TypeOf(v) == reflect.TypeFor[string](),
			"boolean": reflect.TypeOf(v) == reflect.TypeFor[bool](),
			"array":   reflect.TypeOf(v) == reflect.TypeFor[[]any](),
			"object":  reflect.TypeOf(v) == reflect.TypeFor[map[string]any](),
		}[want.(string)]
	case "items":
		list, _ := v.([]any)
		for i, item := range list {
			if err := (schema{want.(map[string]any), s.defs}).check(fmt.Sprint(at, ".", i), item); err != nil {
				return err
			}
		}
	case "properties":
		return s.members(at, want.(map[string]any), v)
	case "oneOf":
		return s.oneOf(at, want.([]any), v)
	default:
		return fmt.Errorf("keyword %q is not known to this test", key)
	}
	if !ok {
		return fmt.Errorf("%s: %v does not fit %s %v", at, v, key, want)
	}
	return nil
}

func (s schema) members(at string, want map[string]any, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is no object", at)
	}
	for name, member := range object {
		rule, known := want[name].(map[string]any)
		if !known && s.tree["additionalProperties"] != false {
			continue
		}
		if !known {
			return fmt.Errorf("%s.%s is not in the schema", at, name)
		}
		if err := (schema{rule, s.defs}).check(at+"."+name, member); err != nil {
			return err
		}
	}
	for _, name := range s.tree["required"].([]any) {
		if _, ok := object[name.(string)]; !ok {
			return fmt.Errorf("%s.%s is missing", at, name)
		}
	}
	return nil
}

func (s schema) oneOf(at string, rules []any, v any) error {
	var fits int
	var wrong []string
	for _, rule := range rules {
		if err := (schema{rule.(map[string]any), s.defs}).check(at, v); err != nil {
			wrong = append(wrong, err.Error())
		} else {
			fits++
		}
	}
	if fits != 1 {
		return fmt.Errorf("%s fits %d of %d: %s", at, fits, len(rules), strings.Join(wrong, "; "))
	}
	return nil
}

// sampleEvents are events of every type, as a log writes them.
func sampleEvents(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	l := start(t, Options{Sinks: []Sink{NewWriter("stdout", &out)}})
	for _, kind := range []Type{TypeStart, TypeFinding, TypeUnscanned, TypeProbing, TypeDrip, TypeReload, TypeStop, TypeDigest, TypeMismatch, TypeTally, TypeAccess} {
		for _, a := range []Action{"", Observed, Redacted, Blocked, Echo, Ignored, Refused, Passed, Applied, Failed, LookedUp, Exported} {
			ev := finding()
			ev.Type, ev.Action, ev.Severity, ev.Reason, ev.Bytes = kind, a, "", "why", 7
			ev.Findings, ev.Period, ev.Requests, ev.RecordWords = 11, 3600, 2, 80
			ev.Records = []Record{{ID: "r", Dataset: "d", Labels: []string{"pii"}}}
			ev.Answers, ev.Fates = []Answers{{Route: "/", Actions: map[string]uint64{"clean": 1}}}, map[string]int64{"scanned": 1, "passed": 2, "refused": 0}
			l.Offer(ev)
		}
	}
	stop(t, l)
	gap := Event{V: 1, Type: TypeGap, ID: l.Boot(), Boot: l.Boot(), Seq: 9, Lost: 4, Severity: High, Reason: "sink failed", Sink: "stdout"}
	return AppendLine(out.Bytes(), &gap)
}

func TestLinesFitTheSchema(t *testing.T) {
	t.Parallel()
	s := readSchema(t, strict)
	fits := map[string]int{}
	for line := range bytes.Lines(sampleEvents(t)) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		err := s.check("line", v)
		if err == nil {
			fits[v["type"].(string)]++
		}
		// Each type allows its own actions and no others.
		allowed := map[string][]string{
			"finding": {"observed", "redacted", "blocked", "echo", "ignored"}, "unscanned": {"refused", "passed"},
			"membership_probing": {"observed", "blocked"}, "slow_drip": {"observed", "redacted", "blocked"},
			"start": {"", "applied", "failed"}, "stop": {"", "applied", "failed"}, "reload": {"", "applied", "failed"},
			"digest": {""}, "tally": {""}, "access": {"looked_up", "exported"}, "model_mismatch": {"", "applied", "failed"},
		}[v["type"].(string)]
		action, _ := v["action"].(string)
		if want := v["type"] == "gap" || slices.Contains(allowed, action); want != (err == nil) {
			t.Errorf("%s: %v", line, err)
		}
	}
	want := map[string]int{"finding": 5, "unscanned": 2, "membership_probing": 2, "slow_drip": 3, "start": 3, "stop": 3, "reload": 3, "gap": 1, "digest": 12, "tally": 12, "access": 2, "model_mismatch": 3}
	if diff := cmp.Diff(want, fits); diff != "" {
		t.Error(diff)
	}
}

func TestSchemaSees(t *testing.T) {
	t.Parallel()
	s := readSchema(t, strict)
	ev := finding()
	line := string(AppendLine(nil, &ev))
	for old, wrong := range map[string]string{
		`"v":1`:                         `"v":2`,
		`"seq":7`:                       `"seq":0`,
		`"words":14`:                    `"words":"14"`,
		`"records":[]`:                  `"records":null`,
		`"digests":["0000000000000001"`: `"digests":["1"`,
		`"lane":"plain"`:                `"lane":"plain","text":"leak"`,
		`"identifier":"",`:              ``,
		`"windows":5,`:                  ``,
		`.120000000Z`:                   `.12Z`,
	} {
		var v any
		if err := json.Unmarshal([]byte(strings.Replace(line, old, wrong, 1)), &v); err != nil {
			t.Fatal(err)
		}
		if s.check("line", v) == nil {
			t.Errorf("%s instead of %s fits the schema", wrong, old)
		}
	}
}

// TestPublishedSchema: every line of today fits, and so does one of commit 95f9602 and one of
// a later version, with members, types and values that are not known yet.
func TestPublishedSchema(t *testing.T) {
	t.Parallel()
	s := readSchema(t, published)
	if bytes.Contains(readFile(t, published), []byte("additionalProperties")) {
		t.Error("the published schema forbids members")
	}
	now, old := sampleEvents(t), readFile(t, "../../testdata/compat/alerts.jsonl")
	for _, change := range []struct{ old, new string }{
		{"", ""},
		{`"v":1,`, `"v":1,"more":{"x":[null]},`},
		{`"type":"`, `"type":"new_`},
		{`"action":"`, `"action":"new_`},
		{`"severity":"`, `"severity":"new_`},
		{`"signal":["`, `"signal":["new","`},
	} {
		for line := range bytes.Lines(slices.Concat(now, old)) {
			var v any
			if err := json.Unmarshal(bytes.Replace(line, []byte(change.old), []byte(change.new), 1), &v); err != nil {
				t.Fatal(err)
			}
			if err := s.check("line", v); err != nil {
				t.Errorf("%q: %v in %s", change.new, err, line)
			}
		}
	}
	var v any
	if err := json.Unmarshal([]byte(`{"v":1,"type":"finding","words":"many"}`), &v); err != nil || s.check("line", v) == nil {
		t.Error("a line without the members of a finding fits")
	}
}

// TestStrictSchema: the strict copy says the same of the same members as the published schema.
func TestStrictSchema(t *testing.T) {
	t.Parallel()
	from, to := readSchema(t, strict).defs, readSchema(t, published).defs
	for name, def := range from {
		properties, _ := def.(map[string]any)["properties"].(map[string]any)
		others, _ := to[name].(map[string]any)["properties"].(map[string]any)
		for member, rule := range properties {
			told, ok := others[member].(map[string]any)
			if !ok || told["description"] != rule.(map[string]any)["description"] {
				t.Errorf("%s.%s differs: %v, %v", name, member, rule, told)
			}
		}
		if len(properties) != len(others) {
			t.Errorf("%s: %d members, published %d", name, len(properties), len(others))
		}
	}
}

// TestPageListsTheMembers compares the table of docs/alerts.md with the members of a line.
func TestPageListsTheMembers(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(string(readFile(t, "../../docs/alerts.md")), "## A finding")
	table, _, _ = strings.Cut(table, "### Severity")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| (`\\w+`(?:, `\\w+`)*) \\|").FindAllStringSubmatch(table, -1) {
		listed = append(listed, strings.Split(strings.Trim(m[1], "`"), "`, `")...)
	}
	var tags []string
	for f := range reflect.TypeFor[Event]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		tags = append(tags, name)
		if name == "instance" {
			break
		}
	}
	var written []string
	ev := finding()
	ev.Channels = []string{"choices.0.content", "choices.0.reasoning"}
	d := json.NewDecoder(bytes.NewReader(AppendLine(nil, &ev)))
	for depth, isName := 0, true; ; {
		tok, err := d.Token()
		if err != nil {
			break
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
			continue
		case json.Delim('}'), json.Delim(']'):
			if depth--; depth == 1 {
				isName = true
			}
			continue
		}
		if depth == 1 {
			if isName {
				written = append(written, tok.(string))
			}
			isName = !isName
		}
	}
	if diff := cmp.Diff(listed, tags); diff != "" {
		t.Errorf("page and struct: %s", diff)
	}
	if diff := cmp.Diff(tags, written); diff != "" {
		t.Errorf("struct and line: %s", diff)
	}
}

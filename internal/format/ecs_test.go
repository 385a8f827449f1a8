package format

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// ecsField is a field of the published schema.
type ecsField struct {
	kind    string
	array   bool
	allowed []string
}

func readECS(t *testing.T) map[string]ecsField {
	t.Helper()
	text, err := os.ReadFile("testdata/ecs-" + ECSVersion + ".tsv")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]ecsField{}
	for line := range strings.Lines(string(text)) {
		if parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(parts) == 4 {
			f := ecsField{kind: parts[1], array: parts[2] != ""}
			if parts[3] != "" {
				f.allowed = strings.Split(parts[3], ",")
			}
			all[parts[0]] = f
		}
	}
	if len(all) < 100 {
		t.Fatalf("%d fields", len(all))
	}
	return all
}

// checkECS returns the mistakes of a value, whose own fields below noecho are free.
func checkECS(fields map[string]ecsField, name string, v any) (wrong []string) {
	if object, ok := v.(map[string]any); ok {
		for key, inner := range object {
			if name == "" && key == "noecho" {
				continue
			}
			wrong = append(wrong, checkECS(fields, strings.TrimPrefix(name+"."+key, "."), inner)...)
		}
		return wrong
	}
	f, ok := fields[name]
	if !ok {
		return []string{name + " is no field"}
	}
	list, isList := v.([]any)
	if isList != f.array {
		return []string{fmt.Sprintf("%s is %v", name, v)}
	}
	if !isList {
		list = []any{v}
	}
	for _, one := range list {
		text, isText := one.(string)
		number, isNumber := one.(float64)
		fits := false
		switch f.kind {
		case "keyword", "match_only_text", "wildcard":
			fits = isText && text != ""
		case "long":
			fits = isNumber && number == float64(int64(number))
		case "ip":
			_, err := netip.ParseAddr(text)
			fits = err == nil
		case "date":
			_, err := time.Parse(time.RFC3339Nano, text)
			fits = err == nil
		}
		if !fits || f.allowed != nil && !slices.Contains(f.allowed, text) {
			wrong = append(wrong, fmt.Sprintf("%s is %v, which is no %s", name, one, f.kind))
		}
	}
	return wrong
}

// TestECS: events of every type and action have fields of the published schema alone, with
// values of their types.
func TestECS(t *testing.T) {
	t.Parallel()
	fields := readECS(t)
	for _, ev := range samples() {
		line := ECS(nil, &ev)
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if wrong := checkECS(fields, "", v); len(wrong) > 0 {
			t.Errorf("%s, %s: %s in %s", ev.Type, ev.Action, strings.Join(wrong, "; "), line)
		}
		if v["ecs"].(map[string]any)["version"] != ECSVersion {
			t.Errorf("version %v", v["ecs"])
		}
	}
}

func TestECSSees(t *testing.T) {
	t.Parallel()
	fields := readECS(t)
	ev := sample(alert.TypeFinding)
	ev.Action, ev.Severity = alert.Redacted, alert.High
	line := string(ECS(nil, &ev))
	for _, change := range [][2]string{
		{`"kind":"alert"`, `"kind":"alarm"`},
		{`"type":["denied"]`, `"type":"denied"`},
		{`"severity":73`, `"severity":"high"`},
		{`"ip":"192.0.2.7"`, `"ip":"host"`},
		{`"observer":{`, `"observer":{"text":"leak",`},
		{`"@timestamp":"2026`, `"@timestamp":"x2026`},
	} {
		old, bad := change[0], change[1]
		if !strings.Contains(line, old) {
			t.Errorf("%s is not in %s", old, line)
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(strings.Replace(line, old, bad, 1)), &v); err != nil {
			t.Fatal(err)
		}
		if len(checkECS(fields, "", v)) == 0 {
			t.Errorf("%s instead of %s fits", bad, old)
		}
	}
}

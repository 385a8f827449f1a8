package deploy

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// validate returns the errors of a configuration by docs/config.schema.json.
func validate(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

// TestConfigSchema: every shipped configuration fits the schema for editors, and mistakes
// that an editor should mark do not. "off" has quotes, because this reader of YAML takes a
// bare one for false.
func TestConfigSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"full.yaml", "minimal.yaml", "kubernetes/base/config.yaml", "kubernetes/example/config.yaml"} {
		text, err := os.ReadFile(configs + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, valid := range map[string]bool{
		"{}":                         false, // without a version
		"{version: 2}":               false,
		"{version: 1}":               true,
		"{version: 1, lane: all}":    false,
		"{version: 1, mode: Redact}": false,
		"{version: 1, mode: block}":  true,
		"{version: 1, lanes: none, near: \"off\", budget: \"off\", coverage: {words: 3}}":            true,
		"{version: 1, lanes: [base64, base46]}":                                                      false,
		"{version: 1, budget: {probes: \"off\", per: 2h30m, findings: 7}}":                           true,
		"{version: 1, budget: {probes: 1.5}}":                                                        false,
		"{version: 1, limits: {drain: 25}}":                                                          false,
		"{version: 1, limits: {header: 64kb}}":                                                       false,
		"{version: 1, limits: {header: 65536, answer: 64MiB}}":                                       true,
		"{version: 1, routes: [{path: /, models: {\"a*\": block}}]}":                                 true,
		"{version: 1, routes: [{path: /, models: {\"a*\": stop}}]}":                                  false,
		"{version: 1, rules: [{when: {lane: [rot13], principal: 1234567890123456}, action: block}]}": true,
		"{version: 1, alerts: [{type: stdout}, {type: file, path: a, mode: 0640, group: 4}]}":        true,
		"{version: 1, alerts: [stdout]}":                                                             false,
		"{version: 1, upstream: \"http://a\", index: [a, {path: b}], audit: dir}":                    true,
		"{version: 1, index: {path: b}}":                                                             false,
		"{version: 1, cors: {origins: [\"*\"], credentials: 1}}":                                     false,
	} {
		if err := validate(t, schema, text); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/config.schema.json")

// TestSchema keeps docs/config.schema.json equal to the schema of the keys that are read.
// tools/deploy validates files with it.
func TestSchema(t *testing.T) {
	t.Parallel()
	const name = "../../docs/config.schema.json"
	var out bytes.Buffer
	enc := json.NewEncoder(&out) // as noecho check --schema prints it
	enc.SetIndent("", "  ")
	if err := enc.Encode(JSONSchema()); err != nil {
		t.Fatal(err)
	}
	want := out.Bytes()
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from the keys; run `make docs`", name)
	}
}

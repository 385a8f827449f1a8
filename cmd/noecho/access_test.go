package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/internal/accesslog"
	"noecho/proxy/config"
)

// TestOpenAccess: the file of the access log is opened again under its name, so that logrotate
// can move it.
func TestOpenAccess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.jsonl")
	log, err := openAccess(&config.AccessLog{Path: path, Mode: 0o640}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	log.Add(accesslog.Entry{RequestID: "first"})
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	log.Reopen()
	for { // Reopen does not wait
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	log.Add(accesslog.Entry{RequestID: "second"})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path + ".old": `"first"`, path: `"second"`} {
		text, err := os.ReadFile(name)
		if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if _, err := openAccess(&config.AccessLog{Path: filepath.Join(path, "x")}, io.Discard); err == nil {
		t.Error("a file in a file was opened")
	}
	var none config.AccessLog
	if log, err := openAccess(&none, io.Discard); log != nil || err != nil {
		t.Error(log, err)
	}
}

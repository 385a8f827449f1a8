package proxy

import (
	"slices"
	"testing"

	"noecho/proxy/config"
)

// TestFixedChanges: only keys whose values differ are named, also if these are addresses.
func TestFixedChanges(t *testing.T) {
	t.Parallel()
	load := func(path string) *config.Config {
		c, err := config.Load("x", []byte("version: 1\nalerts: [{type: webhook, url: 'https://h/"+path+"', spool: off}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return &c
	}
	if got := fixedChanges(load("a"), load("a")); len(got) > 0 {
		t.Errorf("nothing has changed, and it says %q", got)
	}
	if got := fixedChanges(load("a"), load("b")); !slices.Equal(got, []string{"alerts"}) {
		t.Errorf("a new address: %q", got)
	}
}

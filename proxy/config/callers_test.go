package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestCallerKeys reads the keys about callers, and one that errors per kind of mistake.
func TestCallerKeys(t *testing.T) {
	t.Parallel()
	c, err := Load("x", []byte(`
version: 1
instance: eu-1
trusted_proxies: [10.0.0.0/8, 192.0.2.7, "fd00::/8"]
identify: {user: X-Forwarded-User}
ignore: [a.jsonl, {"digest": "00000000000000ff", "reason": "greeting", "until": "2027-01-31", "by": "ann"}]
`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Instance, c.TrustedProxies, c.Identify, c.Ignore.Files, c.Ignore.Entries)
	if want := "eu-1[10.0.0.0/8 192.0.2.7/32 fd00::/8] {x-forwarded-user } [a.jsonl] [{255 greeting ann 2027-02-01 00:00:00 +0000 UTC}]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c, err = Load("x", []byte("version: 1\nignore: a.jsonl\n")); err != nil || fmt.Sprint(c.Ignore.Files) != "[a.jsonl]" {
		t.Errorf("%v, %v", c.Ignore, err)
	}
	for text, want := range map[string]string{
		"instance: a b":                                     "without spaces",
		"trusted_proxies: [10.0.0.1/8]":                     "neither an address nor a network",
		"trusted_proxies: [proxy.example.com]":              "neither an address nor a network",
		"identify: {user: authorization}":                   "does not name a user",
		"identify: {user: a b}":                             "not a header name",
		"ignore: [{digest: abc}]":                           "is not a digest",
		"ignore: [{reason: r}]":                             "needs the digest",
		"ignore: [{digest: 00000000000000ff, until: soon}]": "is no date",
	} {
		if _, err := Load("x", []byte("version: 1\n"+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

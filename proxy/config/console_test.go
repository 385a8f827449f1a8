package config

import (
	"strings"
	"testing"
)

// TestConsoleKeys: the console is off by default, a word turns it on, and headers about people
// need groups and the names by which the proxy asks.
func TestConsoleKeys(t *testing.T) {
	t.Parallel()
	for text, on := range map[string]bool{"admin: {}": false, "admin: {console: true}": true, "admin: {console: false}": false, "admin: {console: {record_url: 'https://x.example/{id}'}}": true} {
		c, err := Load("x", []byte("version: 1\n"+text+"\n"))
		if err != nil || c.Console.On != on {
			t.Errorf("%s: %+v %v", text, c.Console, err)
		}
	}
	for text, want := range map[string]string{
		"{console: maybe}":                                  "console",
		"{console: {user_header: x-user}}":                  "both user_header and groups_header",
		"{console: {groups_header: x-g}}":                   "both user_header and groups_header",
		"{console: {record_url: javascript:x}}":             "no address of a page",
		"{console: {user_header: authorization}}":           "does not name a user",
		"{console: {user_header: x-u, groups_header: x-g}}": "needs hosts",
	} {
		if _, err := Load("x", []byte("version: 1\nadmin: "+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

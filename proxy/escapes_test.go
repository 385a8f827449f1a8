package proxy

import (
	"net/url"
	"strings"
	"testing"

	"noecho/proxy/config"
)

// escapedPaths are paths with escapes; those with true are allowed.
var escapedPaths = map[string]bool{
	"/openai/deployments/a%3A0/chat/completions":                          true,
	"/openai/deployments/a%3a0/chat/completions":                          true,
	"/openai/deployments/a%40b%2Bc%2Cd%3De/chat/completions":              true,
	"/openai/deployments/arn%3Aaws%3Ax%3A%3Amodel%2Fa.b/chat/completions": true,
	"/openai/deployments/arn:aws:x:1:profile%2Fa%2Fb/chat/completions":    true,
	"/openai/deployments/a%2Fb/chat/completions":                          false, // a slash in a name that is no ARN
	"/openai/deployments/x%2Fchat%2Fcompletions/chat/completions":         false,
	"/openai/deployments/%61rn%3Ax%2Fb/chat/completions":                  false, // a letter
	"/openai/deployments/a%2Ab/chat/completions":                          false, // no model has this name
	"/openai/deployments/%3Aa/chat/completions":                           false, // begins with no letter or digit
	"/openai/deployments/arn%3Aa%2F%2Fb/chat/completions":                 false, // empty part
	"/openai/deployments/arn%3Aa%2F/chat/completions":                     false,
	"/openai/deployments/arn%3Aa/%2Fb/chat/completions":                   false,
	"/openai/deployments/arn%3A%2F..%2Fslots/chat/completions":            false,
	"/openai/deployments/arn%3A%2F.%2Fslots/chat/completions":             false,
	"/openai/deployments/..%2F..%2Fslots/chat/completions":                false,
	"/openai/deployments/%2e%2e/chat/completions":                         false,
	"/openai/deployments/%2E/chat/completions":                            false,
	"/openai/deployments/a%00/chat/completions":                           false,
	"/openai/deployments/a%0D%0AX:y/chat/completions":                     false,
	"/openai/deployments/a%20b/chat/completions":                          false,
	"/openai/deployments/a%7F/chat/completions":                           false,
	"/openai/deployments/a%5C..%5Cb/chat/completions":                     false,
	"/openai/deployments/a%3Bb/chat/completions":                          false,
	"/openai/deployments/a%3Fb/chat/completions":                          false, // a query to a server that decodes first
	"/openai/deployments/a%23b/chat/completions":                          false,
	"/openai/deployments/a%25b/chat/completions":                          false,
	"/openai/deployments/a%253Ab/chat/completions":                        false, // decoded twice
	"/openai/deployments/a%252Fb/chat/completions":                        false,
	"/openai/deployments/a%C3%A4/chat/completions":                        false,
	"/openai/deployments/a%C0%AF/chat/completions":                        false, // a slash in overlong UTF-8
	"/openai/deployments/a%u002Fb/chat/completions":                       false,
	"/openai/deployments/a%/chat/completions":                             false,
	"/openai/deployments/a%3/chat/completions":                            false,
	"/openai/deployments/a%3G/chat/completions":                           false,
	"/openai/deployments/a%%33A/chat/completions":                         false,
	"/openai/deployments/a%+3/chat/completions":                           false,
	"/openai/deployments/a/chat%2Fcompletions":                            false, // not in a {name}
	"/openai%2Fdeployments/a/chat/completions":                            false,
	"/openai/deployments/a%2Fchat%2Fcompletions":                          false,
	"/v1%2Fchat/completions":                                              false,
	"/%2Fv1/chat/completions":                                             false,
	"/models/a%3Achat":                                                    false, // the end of a segment is never escaped
	"/models/a%3Ab:chat":                                                  false, // nor is the name before it
	"/raw/a%3Ab":                                                          false, // not scanned
}

// escapeConfig opens exact paths and mounts, scanned and not.
func escapeConfig(t testing.TB, upstream string) config.Config {
	cfg := bedConfig(t, upstream)
	cfg.Routes = []config.Route{{Path: "/"}, {Path: "/models/{name}:chat", API: "openai.chat"}, {Path: "/raw/{name}", API: passAPI}}
	return cfg
}

// TestEscapes: only escapes that every server reads in the same way pass, and they reach the
// upstream as they were sent.
func TestEscapes(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	b := newBed(t, Options{Config: escapeConfig(t, up.url())})
	for path, passes := range escapedPaths {
		answer := b.raw("POST " + path + "?a=%2F HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
		if !passes {
			if !strings.HasPrefix(answer, "HTTP/1.1 400 ") && !strings.HasPrefix(answer, "HTTP/1.1 404 ") || len(up.requests) > 0 {
				t.Errorf("%s: %q", path, answer)
			}
			continue
		}
		if !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Errorf("%s: %q", path, answer)
			continue
		}
		if got := wait(t, up.requests, "request"); !strings.HasPrefix(got, "POST "+path+"?a=%2F HTTP/1.1\r\n") {
			t.Errorf("%s: upstream got %q", path, got)
		}
	}
}

// FuzzEscapes: a path that is allowed means the same to a server that splits it first and to
// one that decodes it first.
func FuzzEscapes(f *testing.F) {
	for path := range escapedPaths {
		f.Add(path)
	}
	f.Add("/")
	cfg := escapeConfig(f, "http://model:8000")
	table, err := newRouteTable(&cfg, func(u *url.URL) *upstream { return &upstream{host: u.Host} })
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !plainTarget([]byte(path)) || strings.Contains(path, "?") || path == "/" { // the one path without a segment is TGI's
			return
		}
		r := table.find("POST", path)
		if r == nil {
			return
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		if twice, err := url.PathUnescape(decoded); err != nil || twice != decoded {
			t.Errorf("%q decodes to %q and that to %q", path, decoded, twice)
		}
		for seg := range strings.SplitSeq(decoded[1:], "/") {
			if seg == "" || seg[0] == '.' || strings.ContainsFunc(seg, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`\;?#%`, c) }) {
				t.Errorf("%q decodes to %q", path, decoded)
			}
		}
		if decoded == path {
			return
		}
		if r.family == nil {
			t.Errorf("%q is not scanned", path)
		}
		// The text around the name is that of the pattern, byte for byte.
		head, tail, _ := strings.Cut(r.pattern, "{")
		_, tail, _ = strings.Cut(tail, "}")
		if !strings.HasPrefix(path, head) || !strings.HasSuffix(path, tail) || strings.HasPrefix(tail, ":") {
			t.Errorf("%q matches %s", path, r.pattern)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(decoded, head), tail)
		if strings.Contains(name, "/") && !strings.HasPrefix(name, "arn:") {
			t.Errorf("%q names %q", path, name)
		}
	})
}

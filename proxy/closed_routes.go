package proxy

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"noecho/proxy/config"
)

// shownPath returns the path of a request for the answer to its caller: its beginning, with
// escapes for bytes that are not printable ASCII.
func shownPath(path string) string {
	const longest = 256
	more := ""
	if len(path) > longest {
		path, more = path[:longest], "…"
	}
	quoted := strconv.QuoteToASCII(path)
	return quoted[1:len(quoted)-1] + more
}

// refuseClosed returns the refusal for a path that is not open. asked names method and path.
// For the paths of closedTable the refusal says why they are closed.
func refuseClosed(path, asked string) refusal {
	why := closed(path)
	if why == "" {
		r := refuseRoute
		r.message = asked + " is not open here: the operator can open the path under routes"
		if s := strings.SplitN(path, "/", 4); len(s) == 4 && s[1] == s[2] {
			r.message = asked + " is not open here: /" + s[1] + " is in it twice, and the client adds it to its base URL, which should end before it"
		}
		return r
	}
	r := refuseShut
	r.message = asked + " is closed: " + why + ". The operator can open it, unscanned, under routes with api: pass"
	return r
}

// maxPaths bounds the paths that are not open and are named, which callers choose.
const maxPaths = 64

// pathPause is the least time between two log lines about one of these paths.
const pathPause = time.Minute

// missedPaths remembers requests for paths that are not open, so that operators see what
// their routes lack. Safe for concurrent use.
type missedPaths struct {
	mu     sync.Mutex
	logged map[string]time.Time // by method and path: when the last log line was written
}

// note counts a request for a path of a name, see pathName. It returns the name for the log
// and the metrics, otherPath for all behind the first maxPaths, and whether it is time for a
// log line.
func (m *missedPaths) note(method, name string, now time.Time) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, known := m.logged[method+" "+name]
	if !known && name != otherPath && len(m.logged) >= maxPaths {
		name = otherPath
		last, known = m.logged[method+" "+name]
	}
	if known && now.Sub(last) < pathPause {
		return name, false
	}
	m.logged[method+" "+name] = now
	return name, true
}

// Warnings describes the doubtful parts of a configuration. These are routes that should not be
// forwarded unscanned, because noecho keeps them closed for a reason or could scan them;
// upstreams whose path doubles the beginning of a route; names of users that every caller can
// write; and ignored windows whose time is over.
func Warnings(cfg *config.Config) []string {
	var all []string
	if len(cfg.Routes) == 0 {
		all = append(all, doubled(cfg.Upstream.URL, "/")...)
	}
	for _, r := range cfg.Routes {
		target := r.Upstream
		if target == nil {
			target = cfg.Upstream.URL
		}
		for _, w := range doubled(target, r.Path) {
			if !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
		if r.API != passAPI {
			continue
		}
		if why := closed(r.Path); why != "" {
			all = append(all, "route "+r.Path+" is forwarded unscanned, but "+why)
		} else if api, _ := catalogued(r.Path); api != "" && api != passAPI {
			all = append(all, "route "+r.Path+" is forwarded unscanned, but it answers with generated text: leave api out to have it scanned as "+api)
		}
	}
	switch {
	case cfg.Identify.User == "":
	case cfg.Identify.Certificate != config.NameNone:
		all = append(all, "identify.user is not read: identify.certificate names the user")
	case len(cfg.TrustedProxies) == 0:
		all = append(all, "identify.user is read from every caller, who may write any name: list the proxies that set the header under trusted_proxies")
	}
	all = append(all, expiries(&cfg.Ignore, time.Now())...)
	return slices.Clip(all)
}

// doubled returns a warning if the path of an upstream ends with the first part of a path that
// the route of the given path sends to it, as in http://host/v1 and /v1/models, or with the
// whole of such a path.
func doubled(target *url.URL, routePath string) []string {
	if target == nil || target.Path == "" || target.Scheme == "unix" {
		return nil
	}
	paths := []string{routePath}           // that the route sends
	if strings.HasSuffix(routePath, "/") { // a mount, whose own path is cut off
		paths = nil
		for _, row := range catalogue {
			paths = append(paths, row.paths...)
		}
	}
	first, sent := "/"+path.Base(target.Path), ""
	for _, p := range paths {
		switch {
		case len(p) >= len(first) && (p == target.Path || strings.Count(p, "/") > 1 && strings.HasSuffix(target.Path, p)):
			first, sent = p, p
		case sent == "" && strings.HasPrefix(p, first+"/"):
			sent = p
		}
	}
	if sent == "" {
		return nil
	}
	return []string{fmt.Sprintf("upstream %s ends in %s, and the paths that callers ask for begin with it: %s is sent as %s%s; leave %s out of the URL, unless the server has such paths",
		target, first, sent, target.Path, sent, first)}
}

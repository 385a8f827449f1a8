package proxy

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"noecho/proxy/config"
)

// refuseClosed returns the refusal for a path that is not open. asked names method and path,
// if they may be repeated. For the paths of closedTable the refusal says why they are closed.
func refuseClosed(path, asked string) refusal {
	why := closed(path)
	if why == "" {
		r := refuseRoute
		if asked != "" {
			r.message = asked + " is not open here: the operator can open the path under routes"
		}
		return r
	}
	r := refuseShut
	r.message = cmp.Or(asked, "this path") + " is closed: " + why + ". The operator can open it, unscanned, under routes with api: pass"
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

// note returns the name of a path for the log and the metrics, and whether it is time for a
// log line. The name of a path that is too long or not plain, and of all behind the first
// maxPaths, is otherPath.
func (m *missedPaths) note(method, path string, now time.Time) (name string, due bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = namedPath(path)
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

// otherPath is the name of the paths that have none of their own.
const otherPath = "other"

// namedPath returns a plain path with {id} in the place of segments that look like the id of
// one object, and otherPath for any other path.
func namedPath(path string) string {
	const longest, longestName = 128, 16
	if len(path) > longest || !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("/._~:@+=,-", c)
	}) {
		return otherPath
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if len(s) >= longestName && strings.ContainsAny(s, "0123456789") {
			segments[i] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

// Warnings describes the doubtful parts of a configuration. These are routes that should not be
// forwarded unscanned, because noecho keeps them closed for a reason or could scan them; and
// upstreams whose path doubles the beginning of a route.
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
	return slices.Clip(all)
}

// doubled returns a warning if the path of an upstream ends with the first part of a path that
// the route of the given path sends to it, as in http://host/v1 and /v1/models.
func doubled(target *url.URL, routePath string) []string {
	if target == nil || target.Path == "" {
		return nil
	}
	first := "/" + path.Base(target.Path)
	sent := routePath
	if strings.HasSuffix(routePath, "/") { // a mount, whose own path is cut off
		sent = ""
		for _, row := range catalogue {
			for _, p := range row.paths {
				if sent == "" && strings.HasPrefix(p, first+"/") {
					sent = p
				}
			}
		}
	}
	if !strings.HasPrefix(sent, first+"/") {
		return nil
	}
	return []string{fmt.Sprintf("upstream %s ends in %s, and the paths that callers ask for begin with it: %s is sent as %s%s; leave %s out of the URL, unless the server has such paths",
		target, first, sent, target.Path, sent, first)}
}

package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"noecho/proxy/config"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// route is an open path, with the policy and the upstream of its requests. Immutable.
type route struct {
	pattern  string // as alerts and metrics name it
	methods  string // separated by spaces
	family   *wire.Family
	api      string // passAPI, or the family's name
	policy   config.Route
	upstream *upstream
	cut      int // bytes of the mount, the prefix in a path that the upstream does not get
}

// routeTable finds routes. Immutable.
type routeTable struct {
	exact  map[string][]*route // patterns without {name}
	shaped []shapedRoute       // the others, in the order of the catalogue
	known  map[string]bool     // segments of paths, see pathSegments
}

type shapedRoute struct {
	segments []shapedSegment
	route    *route
}

// shapedSegment is one segment of a pattern: text alone, or {name} and text.
type shapedSegment struct {
	open bool   // any name is allowed before text
	text string // the segment; with open its end, as in {model}:generateContent
}

// find returns the route of a request, or nil if none is open. path has passed the guard and
// is matched byte for byte. Escapes are allowed only in a segment that matches a {name} alone
// in the pattern of a scanned route.
func (t *routeTable) find(method, path string) *route {
	for _, r := range t.exact[path] {
		if r.allows(method) {
			return r
		}
	}
	if len(t.shaped) == 0 || path == "" {
		return nil
	}
	segments := strings.Split(path[1:], "/")
	for _, s := range t.shaped {
		if s.matches(segments) && s.route.allows(method) && (s.route.pattern == s.route.policy.Path || closed(path) == "") {
			return s.route
		}
	}
	return nil
}

// each calls do for every open route.
func (t *routeTable) each(do func(*route)) {
	for _, routes := range t.exact {
		for _, r := range routes {
			do(r)
		}
	}
	for _, s := range t.shaped {
		do(s.route)
	}
}

// methods returns the methods for which a path is open, as the header Allow lists them; empty
// if the path is not open.
func (t *routeTable) methods(path string) string {
	var open []string
	for _, m := range [...]string{"GET", "HEAD", "POST", "DELETE"} {
		if t.find(m, path) != nil {
			open = append(open, m)
		}
	}
	return strings.Join(open, ", ")
}

// any reports whether fits is true for an open route.
func (t *routeTable) any(fits func(*route) bool) bool {
	for _, routes := range t.exact {
		if slices.ContainsFunc(routes, fits) {
			return true
		}
	}
	return slices.ContainsFunc(t.shaped, func(s shapedRoute) bool { return fits(s.route) })
}

func (r *route) allows(method string) bool {
	for m := range strings.FieldsSeq(r.methods) {
		if m == method {
			return true
		}
	}
	return false
}

func (s *shapedRoute) matches(segments []string) bool {
	return slices.EqualFunc(s.segments, segments, func(want shapedSegment, got string) bool {
		if !want.open {
			return want.text == got
		}
		if want.text == "" && s.route.family != nil && strings.Contains(got, "%") {
			return escapedSegment(got)
		}
		name, ok := strings.CutSuffix(got, want.text)
		return ok && plainSegment(name)
	})
}

// newRouteTable builds the table. upstreamFor returns the upstream for a URL.
func newRouteTable(cfg *config.Config, upstreamFor func(*url.URL) *upstream) (*routeTable, error) {
	t := &routeTable{exact: map[string][]*route{}, known: pathSegments(cfg.Routes)}
	routes := cfg.Routes
	if len(routes) == 0 {
		routes = []config.Route{{Path: "/"}}
	}
	// Whole paths come before mounts, and longer mounts before shorter ones: the first
	// route that is added for a path is the one that is found.
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b config.Route) int {
		am, bm := strings.HasSuffix(a.Path, "/"), strings.HasSuffix(b.Path, "/")
		switch {
		case am != bm && bm:
			return -1
		case am != bm:
			return 1
		default:
			return len(b.Path) - len(a.Path)
		}
	})
	var errs []error
	for _, policy := range routes {
		target := policy.Upstream
		if target == nil {
			target = cfg.Upstream.URL
		}
		if err := t.addPolicy(policy, upstreamFor(target)); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return t, nil
}

// addPolicy adds the paths that one route of the configuration opens.
func (t *routeTable) addPolicy(policy config.Route, up *upstream) error {
	prefix, mount := strings.CutSuffix(policy.Path, "/")
	if !mount {
		return t.addExact(policy, up)
	}
	for _, row := range catalogue {
		family := api.ByName(row.api)
		if family == nil {
			return fmt.Errorf("proxy: internal error: no codec for %s", row.api)
		}
		for _, p := range row.paths {
			t.add(&route{pattern: prefix + p, methods: row.methods, family: family, api: row.api, policy: policy, upstream: up, cut: len(prefix)})
		}
	}
	for _, row := range passTable {
		for _, p := range row.paths {
			t.add(&route{pattern: prefix + p, methods: row.methods, api: passAPI, policy: policy, upstream: up, cut: len(prefix)})
		}
	}
	return nil
}

// addExact adds the route of one whole path.
func (t *routeTable) addExact(policy config.Route, up *upstream) error {
	r := &route{pattern: policy.Path, methods: "POST", api: policy.API, policy: policy, upstream: up}
	if r.api == "" {
		r.api, r.methods = catalogued(policy.Path)
		if r.api == "" {
			return fmt.Errorf("route %s: the path is not in the catalogue: say with api what it speaks (%s), or pass to forward it unscanned", policy.Path, apiNames())
		}
	}
	if r.api == passAPI {
		if policy.API == passAPI {
			r.methods = "GET HEAD POST"
		}
	} else if family := api.ByName(r.api); family != nil {
		r.family = family
		if policy.API == r.api && (r.api == genericAPI || r.api == batchAPI) {
			r.methods = "GET POST"
		}
	} else {
		return fmt.Errorf("route %s: api %q is not known: write one of %s, or pass", policy.Path, r.api, apiNames())
	}
	t.add(r)
	return nil
}

// add adds a route. A route of the same path that was added before is found first.
func (t *routeTable) add(r *route) {
	if !strings.Contains(r.pattern, "{") {
		t.exact[r.pattern] = append(t.exact[r.pattern], r)
		return
	}
	var segments []shapedSegment
	for s := range strings.SplitSeq(r.pattern[1:], "/") {
		_, end, ok := strings.Cut(s, "}")
		if !ok {
			end = s
		}
		segments = append(segments, shapedSegment{open: ok, text: end})
	}
	t.shaped = append(t.shaped, shapedRoute{segments, r})
}

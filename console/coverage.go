package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// routeView says how the answers of a route ended.
type routeView struct {
	Route          string `json:"route"`
	API            string `json:"api"`
	Mode           string `json:"mode"`
	Answers        uint64 `json:"answers"`
	WithFindings   uint64 `json:"with_findings"`
	Passed         uint64 `json:"passed"`
	Unscanned      uint64 `json:"unscanned"`
	Refused        uint64 `json:"refused"`
	UnscannedBytes int64  `json:"unscanned_bytes"`
	State          string `json:"state"`
}

// instanceView is the newest life of an instance.
type instanceView struct {
	Instance   string     `json:"instance"`
	Boot       string     `json:"boot"`
	Running    bool       `json:"running"`
	Since      *time.Time `json:"since"`
	Last       *time.Time `json:"last"`
	Stopped    *time.Time `json:"stopped"`
	Version    string     `json:"version"`
	Index      string     `json:"index"`
	Generation uint64     `json:"generation"`
	Mode       string     `json:"mode"`
	Lost       uint64     `json:"lost"`
	Missing    uint64     `json:"missing"`
	Waiting    *uint64    `json:"waiting"`
}

// gapView is a time or a number of lines that is missing.
type gapView struct {
	Instance string     `json:"instance"`
	From     *time.Time `json:"from"`
	To       *time.Time `json:"to"`
	Why      string     `json:"why"`
}

// fileView is an alert file.
type fileView struct {
	Name    string    `json:"name"`
	Bytes   int64     `json:"bytes"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Present bool      `json:"present"`
}

// answerCoverage answers with the parts of the traffic that noecho sees, and those that it does not.
func answerCoverage(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "24h", allTypes)
	if err != nil {
		return nil, err
	}
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	fates := map[string]int64{}
	for i, name := range fateNames {
		fates[name] = 0
		for hour := p.from.Unix() / 3600; hour*3600 < p.to.Unix(); hour++ {
			if h := s.hours[hour]; h != nil {
				fates[name] += h.fates[i]
			}
		}
	}
	differ, _ := indexesDiffer(s, r.now)
	return struct {
		common
		Routes    []*routeView     `json:"routes"`
		Bytes     map[string]int64 `json:"bytes"`
		Instances []instanceView   `json:"instances"`
		Differ    bool             `json:"indexes_differ"`
		Gaps      []gapView        `json:"gaps"`
		Files     []fileView       `json:"files"`
	}{common{c.known(), p.from, p.to}, routeViews(s, p, f), fates, instances(s, r.now), differ, gapViews(s, p, r.now), c.reader.views()}, nil
}

// routeViews counts the answers of a period by route and ending.
func routeViews(s *store, p period, f *filter) []*routeView {
	routes := map[string]*routeView{}
	view := func(route string) *routeView {
		if routes[route] == nil {
			routes[route] = &routeView{Route: route}
		}
		return routes[route]
	}
	forwarded := map[string]uint64{}
	for hour := p.from.Unix() / 3600; hour*3600 < p.to.Unix(); hour++ {
		if s.hours[hour] == nil {
			continue
		}
		for route, e := range s.hours[hour].routes {
			v := view(route)
			v.Answers += e.judged() + e[endForwarded]
			v.WithFindings += e[endObserved] + e[endRedacted] + e[endBlocked]
			v.Passed += e[endObserved]
			v.Refused += e[endRefused]
			v.Unscanned += e[endForwarded]
			forwarded[route] += e[endForwarded]
		}
	}
	for route, answers := range untallied(s, p) {
		v, counts := view(route), answers.counts()
		v.Answers += counts.found()
		v.WithFindings += counts.found()
		v.Passed += counts.observed
	}
	for x := range s.each(p, f) {
		of := &s.shapes[x.shape]
		if of.route == "" {
			continue
		}
		v := view(of.route)
		v.Mode = cmp.Or(of.mode, v.Mode)
		if rowTypes[x.typ] == alert.TypeUnscanned && x.outcome() == outcomePassed {
			v.UnscannedBytes += x.amount()
		}
	}
	out := []*routeView{}
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		v := routes[route]
		switch {
		case v.Answers == 0 && v.Refused > 0:
			v.State = "refused"
		case v.Answers > 0 && forwarded[route] == v.Answers:
			v.State = "not_scanned"
		case v.Passed > 0 || v.Mode == "observe":
			v.State = "observes"
		default:
			v.State = "scanned"
		}
		out = append(out, v)
	}
	return out
}

// instances returns the newest life of each instance. The caller has locked the store.
func instances(s *store, now time.Time) []instanceView {
	newest := map[string]*boot{}
	for _, b := range s.boots {
		if old := newest[b.instance]; old == nil || old.last < b.last {
			newest[b.instance] = b
		}
	}
	out := []instanceView{}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		b := newest[name]
		v := instanceView{
			Instance: name, Boot: b.id, Running: b.alive(now), Since: moment(cmp.Or(b.start, b.first)), Last: moment(b.last), Version: b.version,
			Index: b.index.BuildID, Generation: b.index.Generation, Mode: b.mode, Lost: b.lost, Missing: b.missing(),
		}
		if b.stopped != 0 {
			v.Stopped = moment(b.stopped)
		}
		out = append(out, v)
	}
	return out
}

// indexesDiffer reports whether instances that run have different indexes.
func indexesDiffer(s *store, now time.Time) (differ bool, text string) {
	by := map[string][]string{}
	for _, v := range instances(s, now) {
		if v.Running && v.Index != "" {
			by[v.Index] = append(by[v.Index], v.Instance)
		}
	}
	var parts []string
	for _, index := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s of %s", counted(int64(len(by[index])), "instance"), index[:min(len(index), 8)]))
	}
	return len(by) > 1, "instances have different indexes: " + strings.Join(parts, ", ")
}

// gapViews lists the times without an instance, and the lines that are missing.
func gapViews(s *store, p period, now time.Time) []gapView {
	out := []gapView{}
	for _, g := range without(p, s.running(now)) {
		out = append(out, gapView{From: moment(g.from.UnixNano()), To: moment(g.to.UnixNano()), Why: "no instance was running"})
	}
	for _, b := range s.boots {
		if b.last < p.from.UnixNano() || b.first >= p.to.UnixNano() {
			continue
		}
		for _, lines := range []struct {
			n    uint64
			text string
		}{{b.missing(), "missing in the files"}, {b.lost, "lost by a slow or broken file"}} {
			if lines.n > 0 {
				out = append(out, gapView{b.instance, moment(b.first), moment(b.last), counted(int64(lines.n), "alert line") + " " + lines.text})
			}
		}
	}
	return out
}

// views lists the alert files. The caller has locked the store.
func (r *reader) views() []fileView {
	out := []fileView{}
	for _, s := range r.sources {
		if s.path == "" && (r.store.n == 0 || s.last.UnixNano() < r.store.at(0).time) {
			continue // it is gone, and so are its rows
		}
		v := fileView{First: s.first.UTC(), Last: s.last.UTC(), Present: s.path != ""}
		if s.info != nil {
			v.Bytes, v.Name = s.info.Size(), filepath.Base(s.info.Name())
		}
		out = append(out, v)
	}
	return out
}

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"noecho/audit"
	"noecho/govern"
)

// The audit log tells which models and indexes are in use: deploy and retire name the digest of a
// model, and the starts, reloads and stops of proxies name the builds of their indexes.

// stepLog is an audit log seen from one request.
type stepLog struct {
	entries []audit.Entry
	opened  int             // number of the entry about the receipt of the request
	models  map[string]bool // digests or names of models that were trained on the rows
	builds  map[string]bool // build ids of the indexes of these models
}

// readStepLog reads and verifies a log.
func readStepLog(dir, vkey string, r *govern.Request) (*stepLog, error) {
	l := &stepLog{opened: -1, models: map[string]bool{}, builds: map[string]bool{}}
	report, err := audit.Verify(dir, audit.VerifyOptions{Key: vkey, Entry: func(_ int64, record []byte) error {
		e, err := audit.Decode(record)
		if e.Type == "request.opened" && e.ID == r.ID && l.opened < 0 {
			l.opened = len(l.entries)
		}
		l.entries = append(l.entries, e)
		return err
	}})
	if err != nil {
		return nil, auditError(err)
	}
	if len(report.Problems) > 0 {
		return nil, &exitError{Code: exitIntegrity, Err: fmt.Errorf("the audit log is not as it was written: %s", strings.Join(report.Problems, "; "))}
	}
	if l.opened < 0 { // the request was opened without a log
		for l.opened = 0; l.opened < len(l.entries) && !l.entries[l.opened].Time.After(r.Events[0].Time); {
			l.opened++
		}
	}
	l.old(r)
	return l, nil
}

// old finds the models that were trained on the rows: those that the ledger names, those that the
// log had when the request came, and those of an index that has the rows.
func (l *stepLog) old(r *govern.Request) {
	for _, m := range r.Models {
		l.models[m] = true
	}
	for _, b := range r.Builds {
		l.builds[b] = true
	}
	for i, e := range l.entries {
		model, build := e.Digests["model"], e.Digests["build"]
		if model == "" || strings.HasPrefix(e.Type, "request.") {
			continue
		}
		if i < l.opened || l.builds[build] {
			l.models[model] = true
		}
		if l.models[model] && build != "" {
			l.builds[build] = true
		}
	}
}

// deployed returns the digests of the models that are in use by the log, but for the new one and
// those that have nothing to do with the request.
func (l *stepLog) deployed(but []string) []string {
	use := map[string]bool{}
	for _, e := range l.entries {
		switch model := e.Digests["model"]; {
		case model == "" || slices.Contains(but, model):
		case e.Type == "deploy":
			use[model] = true
		case e.Type == "retire":
			delete(use, model)
		}
	}
	return slices.Sorted(maps.Keys(use))
}

// silent is the time after which a proxy that reports nothing counts as gone. A proxy reports
// its alerts each hour.
const silent = 24 * time.Hour

// instance is a run of noecho serve.
type instance struct {
	boot   string
	builds []string // of its indexes
	last   time.Time
}

// serving returns the runs of noecho serve that have not ended and were heard of lately.
func (l *stepLog) serving(now time.Time) (all []*instance) {
	runs := map[string]*instance{}
	for _, e := range l.entries {
		boot := e.IDs["boot"]
		if boot == "" {
			continue
		}
		if runs[boot] == nil {
			runs[boot] = &instance{boot: boot}
		}
		run := runs[boot]
		if e.Time.After(run.last) {
			run.last = e.Time
		}
		switch e.Type {
		case audit.ServeStop:
			delete(runs, boot)
		case audit.ServeStart, audit.ServeReload:
			if e.States["action"] == "failed" {
				continue // the indexes are those from before
			}
			run.builds = nil
			for name, build := range e.Digests {
				if strings.HasPrefix(name, "build_") {
					run.builds = append(run.builds, build)
				}
			}
		}
	}
	for _, boot := range slices.Sorted(maps.Keys(runs)) {
		if now.Sub(runs[boot].last) < silent {
			all = append(all, runs[boot])
		}
	}
	return all
}

// has reports whether the run serves one of the builds.
func (i *instance) has(builds map[string]bool) bool {
	return slices.ContainsFunc(i.builds, func(b string) bool { return builds[b] })
}

// suppressed adds the builds of suppression indexes that have the person: the one that was written
// for the request, and those that were written later for others.
func (l *stepLog) suppressed(id string, into map[string]bool) {
	since := false
	for _, e := range l.entries {
		since = since || e.IDs["request"] == id
		if since && e.IDs["request"] != "" && e.Digests["build"] != "" {
			into[e.Digests["build"]] = true
		}
	}
}

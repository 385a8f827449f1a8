package proxy

import (
	"slices"

	"noecho/proxy/config"
)

// refuseClosed returns the refusal for a path that is not open. For the paths of closedTable
// it says why.
func refuseClosed(path string) refusal {
	why := closed(path)
	if why == "" {
		return refuseRoute
	}
	r := refuseShut
	r.message = "this path is closed: " + why + ". The operator can open it, unscanned, under routes with api: pass"
	return r
}

// Warnings describes the routes of a configuration that should not be forwarded unscanned:
// those that noecho keeps closed for a reason, and those that it could scan.
func Warnings(cfg *config.Config) []string {
	var all []string
	for _, r := range cfg.Routes {
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

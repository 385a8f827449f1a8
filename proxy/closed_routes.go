package proxy

import (
	"slices"

	"noecho/proxy/config"
)

// refuseClosed answers for a path that is not open. For those that noecho knows
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

// Warnings says what a configuration opens that is better shut: what noecho
// refuses for a reason, and what it would scan.
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

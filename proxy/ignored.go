package proxy

import (
	"fmt"
	"time"

	"noecho/internal/ignore"
	"noecho/proxy/config"
)

// readIgnored reads the ignored windows that a configuration names.
func readIgnored(cfg *config.Ignore) (list ignore.List, err error) {
	list.Add(cfg.Entries...)
	for _, path := range cfg.Files {
		if err := list.ReadFile(path); err != nil {
			return list, err
		}
	}
	return list, nil
}

// expirySoon is how long before its end an ignored window is warned of.
const expirySoon = 7 * 24 * time.Hour

// expiries warns of ignored windows whose time is over or nearly so. Files that cannot be read
// are an error elsewhere.
func expiries(cfg *config.Ignore, now time.Time) (all []string) {
	list, err := readIgnored(cfg)
	if err != nil {
		return nil
	}
	if n := list.Refused(); n > 0 {
		all = append(all, fmt.Sprintf("%d lines of the ignored windows are about identifiers, which are never ignored: write a rule about their kind or dataset", n))
	}
	expired, ending := list.Expired(now, expirySoon)
	if expired > 0 {
		all = append(all, fmt.Sprintf("%d of %d ignored windows have expired, and answers are kept from repeating them again: renew them or take them out of the list", expired, list.Len()))
	}
	if ending > 0 {
		all = append(all, fmt.Sprintf("%d of %d ignored windows expire within %d days", ending, list.Len(), expirySoon/(24*time.Hour)))
	}
	return all
}

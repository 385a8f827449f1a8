package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Trusts reports whether an address, without a port, is one of the trusted proxies.
func Trusts(proxies []netip.Prefix, host string) bool {
	a, err := netip.ParseAddr(host)
	a = a.Unmap().WithZone("")
	return err == nil && slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Forwarded returns the last address in values of X-Forwarded-For that is none of a trusted
// proxy: the one that the outermost of them had the request from. Addresses before it may be
// invented. The address is empty if there is none.
func Forwarded[T string | []byte](proxies []netip.Prefix, values []T) string {
	last := ""
	for _, v := range slices.Backward(values) {
		hops := strings.Split(string(v), ",")
		for _, hop := range slices.Backward(hops) {
			a, err := parseHop(strings.TrimSpace(hop))
			if err != nil {
				return last
			}
			if last = a.String(); !Trusts(proxies, last) {
				return last
			}
		}
	}
	return last
}

// parseHop reads an address, which some proxies write with a port.
func parseHop(s string) (netip.Addr, error) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err
}

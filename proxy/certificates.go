package proxy

import (
	"crypto/sha256"
	"time"

	"noecho/internal/transport"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// certificates are those that noecho shows and asks for on its own listeners; nil: without TLS.
type certificates struct{ data, admin *transport.Keeper }

// openCertificates reads the files of the listeners.
func openCertificates(cfg *config.Config) (c certificates, err error) {
	if cfg.TLS.On() {
		if c.data, err = transport.Open(tlsFiles("tls", &cfg.TLS)); err != nil {
			return c, err
		}
	}
	if cfg.Admin.TLS.On() {
		files := tlsFiles("admin.tls", &cfg.Admin.TLS)
		files.Clients = transport.ClientsMay // probes have none
		c.admin, err = transport.Open(files)
	}
	return c, err
}

// renew reads the files again. Connections that begin after the call of use have them.
func (c certificates) renew() (use func(), err error) {
	var all []func()
	for _, k := range [...]*transport.Keeper{c.data, c.admin} {
		if k == nil {
			continue
		}
		one, err := k.Renew()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return func() {
		for _, one := range all {
			one()
		}
	}, nil
}

// each calls f for the certificates that are in use.
func (c certificates) each(snap *snapshot, f func(use string, k *transport.Keeper)) {
	for _, x := range [...]struct {
		use    string
		keeper *transport.Keeper
	}{{useListen, c.data}, {useAdmin, c.admin}, {useUpstream, snap.trust}} {
		if x.keeper != nil {
			f(x.use, x.keeper)
		}
	}
}

// look uses files that have changed, and reports those that cannot be used.
func (c certificates) look(s *services, snap *snapshot) {
	c.each(snap, func(use string, k *transport.Keeper) {
		changed, err := k.Look()
		switch {
		case err != nil:
			s.metrics.certificateReloads.WithLabelValues(use, reloadFailed).Inc()
			s.log.Error("new certificate files are not used, the last good ones stay in force", "use", use, "reason", err.Error())
			s.offerState(snap, alert.TypeReload, alert.Failed, "certificate files of "+use+" refused")
		case changed:
			s.renewed(use, k)
		}
	})
	c.measure(s.metrics, snap)
}

// renewed counts and logs files that have come in force.
func (s *services) renewed(use string, k *transport.Keeper) {
	s.metrics.certificateReloads.WithLabelValues(use, reloadApplied).Inc()
	s.log.Info("new certificate files are in force", "use", use, "expires", k.Expires().UTC().Format(time.RFC3339))
}

// digests returns those of the files in force, by use.
func (c certificates) digests(snap *snapshot) map[string][sha256.Size]byte {
	all := map[string][sha256.Size]byte{}
	c.each(snap, func(use string, k *transport.Keeper) { all[use] = k.Digest() })
	return all
}

// report counts and logs the files that a reload brought in force. before are the digests of those
// that were in force until then.
func (c certificates) report(s *services, snap *snapshot, before map[string][sha256.Size]byte) {
	c.each(snap, func(use string, k *transport.Keeper) {
		if k.Digest() != before[use] {
			s.renewed(use, k)
		}
	})
	c.measure(s.metrics, snap)
}

// measure publishes the times at which the certificates end.
func (c certificates) measure(m *metrics, snap *snapshot) {
	c.each(snap, func(use string, k *transport.Keeper) {
		if at := k.Expires(); !at.IsZero() {
			m.certificateEnd.WithLabelValues(use).Set(float64(at.Unix()))
		}
	})
}

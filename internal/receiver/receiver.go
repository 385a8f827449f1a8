// Package receiver sends encoded alerts to receivers across a network: webhooks, collectors of
// OpenTelemetry, and syslog.
//
// It knows how each of them takes lines and how it says that it took them. It knows nothing of
// events: package format encodes them, and package outbox keeps them until they are taken.
package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"

	"noecho/internal/outbox"
	"noecho/internal/post"
)

// Access is an address with the credentials for it. All of it may be secret.
type Access struct {
	URL   *url.URL
	Token string // sent as a bearer token; empty: none
	Key   []byte // of the signature of a webhook; empty: none
	TLS   *tls.Config
}

// Load returns an address and credentials. A receiver calls it when it is made and at each
// Reopen.
type Load func() (Access, error)

// Endpoint returns the network and the address of a connection to a receiver, without secrets.
func Endpoint(u *url.URL) (network, address string) {
	switch {
	case u.Scheme == "unix":
		return "unixgram", u.Path
	case u.Port() != "":
		return "tcp", u.Host
	case u.Scheme == "http":
		return "tcp", net.JoinHostPort(u.Hostname(), "80")
	default:
		return "tcp", net.JoinHostPort(u.Hostname(), "443")
	}
}

// Dial opens a connection; nil is that of the network.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// poster is the part of a receiver that speaks HTTP.
type poster struct {
	load   Load
	header map[string]string
	dial   Dial
	access Access
	client *post.Client
}

// open reads the address and makes a client of it. After an error the old one stays.
func (p *poster) open() error {
	a, err := p.load()
	if err != nil {
		return err
	}
	header := map[string]string{"user-agent": "noecho"}
	for name, value := range p.header {
		header[name] = value
	}
	if a.Token != "" {
		header["authorization"] = "Bearer " + a.Token
	}
	if p.client != nil {
		p.client.Close()
	}
	p.access, p.client = a, post.New(post.Options{URL: a.URL, Header: header, TLS: a.TLS, Dial: p.dial})
	return nil
}

// send posts a body once.
func (p *poster) send(ctx context.Context, body []byte, header map[string]string) ([]byte, error) {
	answer, err := p.client.Post(ctx, body, header)
	var failed *post.Error
	if errors.As(err, &failed) {
		err = &outbox.Error{After: failed.After, Refused: failed.Refused, Err: failed}
	}
	return answer, err
}

// Close implements [outbox.Peer].
func (p *poster) Close() error {
	p.client.Close()
	return nil
}

// Reopen implements [outbox.Peer].
func (p *poster) Reopen() error { return p.open() }

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"noecho/proxy/config"
)

// probePath is asked of a model server to see whether it answers. Most list their models there.
const probePath = "/v1/models"

// Probe asks every model server of a configuration for its models, without a credential, as
// noecho would connect to it. Each line of the result is about one of them. The error names
// those that cannot be reached or answer no HTTP; any status is an answer.
func Probe(ctx context.Context, cfg *config.Config) (lines []string, failed []error) {
	seen := map[string]bool{}
	targets := []*url.URL{cfg.Upstream.URL}
	for _, r := range cfg.Routes {
		targets = append(targets, r.Upstream)
	}
	for _, target := range targets {
		if target == nil || seen[target.String()] {
			continue
		}
		seen[target.String()] = true
		line, err := probe(ctx, target, cfg)
		if err != nil {
			failed = append(failed, fmt.Errorf("upstream %s: %w", target, err))
			continue
		}
		lines = append(lines, line)
	}
	return lines, failed
}

// probe asks one model server.
func probe(ctx context.Context, target *url.URL, cfg *config.Config) (string, error) {
	trust, err := openTrust(&cfg.Upstream)
	if err != nil {
		return "", err
	}
	asking := *cfg
	limits := &asking.Limits
	limits.Silence = min(limits.Silence, 10*time.Second) // a list of models is there at once
	u := newUpstream(target, &asking, trust)
	defer u.close()
	dial := func(context.Context, string, string) (net.Conn, error) { return u.pool.Dial(u.pool.Addr) }
	client := http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       limits.Connect + limits.Silence,
	}
	asked := url.URL{Scheme: "http", Host: u.host, Path: u.prefix + probePath} // the connection speaks TLS already
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.String(), nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		if outer := new(url.Error); errors.As(err, &outer) { // its text has another address
			err = outer.Err
		}
		return "", err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the server sees no reset
	line := fmt.Sprintf("Upstream %s answers: status %d for GET %s", target, resp.StatusCode, asked.Path)
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		line += ", as it wants a credential"
	case status == http.StatusNotFound:
		line += ": it has no such path, so look whether the path of the URL is right"
	case status/100 == 3:
		line += ": it is a redirect, which noecho does not follow; name the address that it leads to"
	case status >= http.StatusInternalServerError:
		line += ": it is not ready"
	}
	return line + ".", nil
}

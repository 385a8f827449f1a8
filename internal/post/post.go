// Package post sends bodies by HTTP to a receiver of events, such as a webhook or a collector
// of OpenTelemetry.
//
// It knows one address and whether an answer means that the body was taken, may be sent again,
// or is of no use to the receiver. It knows nothing of the bodies, keeps none and repeats
// none: its caller does. The address and the headers may have secrets, so no error has them.
package post

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// DefaultTimeout bounds one attempt.
const DefaultTimeout = 10 * time.Second

// MaxWait bounds the wait that a receiver may ask for.
const MaxWait = time.Hour

// maxAnswer bounds the part of an answer that is read.
const maxAnswer = 64 << 10

// Options are the options of [New].
type Options struct {
	URL     *url.URL          // of the receiver; http or https
	Header  map[string]string // of every request
	TLS     *tls.Config       // nil: the certificates of the system
	Timeout time.Duration     // of one attempt; 0: DefaultTimeout

	// Dial opens connections instead of the network, for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client sends bodies to one receiver. Safe for concurrent use.
type Client struct {
	http *http.Client
	opts Options
}

// New returns a client, which connects when it sends. It takes the proxies of the environment
// and follows no redirects.
func New(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{opts: o, http: &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: o.Dial, TLSClientConfig: o.TLS,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer,
		},
	}}
}

// Error says why a body was not taken.
type Error struct {
	Status  int           // of the answer; 0: there is none
	After   time.Duration // the wait that the receiver asks for; 0: none
	Refused bool          // the receiver cannot read the body and would refuse it again
	cause   error
}

// Error returns the status or the cause, without the address.
func (e *Error) Error() string {
	switch {
	case e.Status/100 == 3:
		return fmt.Sprintf("status %d: a redirect, which is not followed", e.Status)
	case e.Status != 0:
		return fmt.Sprintf("status %d", e.Status)
	default:
		return e.cause.Error()
	}
}

// Unwrap returns the cause if there is no answer.
func (e *Error) Unwrap() error { return e.cause }

// Post sends a body with headers besides those of the client. It returns the answer's body,
// at most 64 KiB of it. Every error is an [*Error].
func (c *Client) Post(ctx context.Context, body []byte, header map[string]string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(body))
	if err != nil {
		return nil, &Error{cause: err}
	}
	req.URL, req.Host = c.opts.URL, c.opts.URL.Host
	for _, h := range [...]map[string]string{c.opts.Header, header} {
		for name, value := range h {
			req.Header.Set(name, value)
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var outer *url.Error // its text has the address
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, &Error{cause: err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch status := resp.StatusCode; {
	case status/100 == 2 && err == nil:
		return answer, nil
	case status/100 == 2:
		return nil, &Error{cause: fmt.Errorf("read the answer: %w", err)}
	default:
		return nil, &Error{Status: status, After: retryAfter(resp.Header.Get("Retry-After"), time.Now()), Refused: refuses(status)}
	}
}

// refuses reports whether a status is about the body. The others may end by themselves, or
// when somebody mends the address or the credential.
func refuses(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// retryAfter reads the wait in a header: seconds, or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, MaxWait)
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(0, at.Sub(now)), MaxWait)
	}
	return 0
}

// Close ends the connections that wait for the next body.
func (c *Client) Close() { c.http.CloseIdleConnections() }

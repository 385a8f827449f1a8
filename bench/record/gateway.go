package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/corazawaf/coraza/v3"
	txhttp "github.com/corazawaf/coraza/v3/http"
)

// rules refuse an answer with a card number. Coraza keeps an answer until it is complete.
const rules = `
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType application/json text/event-stream
SecResponseBodyLimit 16777216
SecRule RESPONSE_BODY "@rx \b(?:\d[ -]?){15}\d\b" "id:1,phase:4,deny,status:500"
`

// gateway serves until it fails. It never returns nil.
func gateway(listen, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(rules))
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	server := &http.Server{Addr: listen, Handler: txhttp.WrapHandler(waf, proxy), ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"noecho/detect"
	"noecho/internal/ignore"
)

// maxMaskBytes bounds the mask, which is a mark and not a message.
const maxMaskBytes = 128

// parsed returns a field whose text parse turns into *dst. Errors name the value "what".
func parsed[T any](r *reader, key, what string, dst *T, parse func(string) (T, error)) field {
	return field{key, func(n *yaml.Node) {
		r.scalar(n, what, func(s string) error {
			v, err := parse(s)
			if err == nil {
				*dst = v
			}
			return err
		})
	}}
}

// console reads the keys of the console: true or false, or a mapping, which turns it on.
func (r *reader) console(n *yaml.Node, c *Console) {
	if n.Kind == yaml.ScalarNode {
		parsed(r, "console", "admin.console", &c.On, parseBool).read(n)
		return
	}
	c.On = true
	ok := r.mapping(n, "admin.console",
		parsed(r, "user_header", "admin.console.user_header", &c.UserHeader, parseUserHeader),
		parsed(r, "groups_header", "admin.console.groups_header", &c.GroupsHeader, parseUserHeader),
		field{"viewers", func(n *yaml.Node) { r.texts(n, "admin.console.viewers", &c.Viewers) }},
		field{"analysts", func(n *yaml.Node) { r.texts(n, "admin.console.analysts", &c.Analysts) }},
		field{"privacy", func(n *yaml.Node) { r.texts(n, "admin.console.privacy", &c.Privacy) }},
		field{"hosts", func(n *yaml.Node) { r.texts(n, "admin.console.hosts", &c.Hosts) }},
		parsed(r, "record_url", "admin.console.record_url", &c.RecordURL, parseRecordURL))
	if ok && (c.UserHeader == "") != (c.GroupsHeader == "") {
		r.say(n, "admin.console needs both user_header and groups_header, or none: the groups of a user say what the user may do")
	}
	if ok && c.UserHeader != "" && len(c.Hosts) == 0 {
		r.say(n, "admin.console with user_header needs hosts: the names by which the proxy asks for the console, such as console.example.com")
	}
}

// parseRecordURL checks the address of a page about a record.
func parseRecordURL(s string) (string, error) {
	u, err := url.Parse(strings.NewReplacer("{dataset}", "d", "{id}", "i").Replace(s))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%q is no address of a page: write one such as https://tickets.example.com/{dataset}/{id}", s)
	}
	return s, nil
}

func plain(s string) (string, error) { return s, nil }

// config reads the top level.
func (r *reader) config(n *yaml.Node, c *Config) {
	versioned := false
	ok := r.mapping(n, "the configuration", slices.Concat(r.sockets(c), r.callers(c), r.watching(c), []field{
		{"version", func(n *yaml.Node) {
			version := 0
			parsed(r, "version", "version", &version, parseVersion).read(n)
			versioned = true
		}},
		parsed(r, "mode", "mode", &c.Mode, ParseMode),
		{"index", func(n *yaml.Node) { r.indexes(n, c) }},
		{"trusted_keys", func(n *yaml.Node) { r.texts(n, "trusted_keys", &c.Trust.Keys) }},
		parsed(r, "min_counter", "min_counter", &c.Trust.MinCounter, parseCounter),
		parsed(r, "model_digest", "model_digest", &c.Trust.Model, parseDigest),
		{"routes", func(n *yaml.Node) { r.list(n, "routes", func(n *yaml.Node) { r.route(n, c) }) }},
		parsed(r, "mask", "mask", &c.Mask, parseMask),
		{"rules", func(n *yaml.Node) { r.rules(n, c) }},
		parsed(r, "extent", "extent", &c.Extent, parseExtent),
		{"near", func(n *yaml.Node) { r.near(n, c) }},
		{"lanes", func(n *yaml.Node) { r.lanes(n, c) }},
		{"identifiers", func(n *yaml.Node) { r.identifiers(n, c) }},
		{"budget", func(n *yaml.Node) { r.budget(n, c) }},
		{"coverage", func(n *yaml.Node) { r.coverage(n, c) }},
		{"channel_names", func(n *yaml.Node) { r.texts(n, "channel_names", &c.ChannelNames) }},
		{"alerts", func(n *yaml.Node) { r.list(n, "alerts", func(n *yaml.Node) { readAlert(r, n, c) }) }},
		{"audit", func(n *yaml.Node) { r.audit(n, &c.Audit) }},
		{"limits", func(n *yaml.Node) { r.limits(n, &c.Limits) }},
		{"headers", func(n *yaml.Node) {
			r.mapping(n, "headers", field{"pass", func(n *yaml.Node) {
				r.list(n, "headers.pass", func(n *yaml.Node) { r.header(n, c) })
			}})
		}},
		{"cors", func(n *yaml.Node) { r.cors(n, &c.CORS) }},
	})...)
	if ok && !versioned {
		r.say(n, "the key version is missing: write version: %d", Version)
	}
	if ok {
		r.checkIdentify(n, c)
	}
	if r.named != nil && c.PrincipalKeyFile == "" {
		r.say(r.named, "without principal_key_file every start gives principals new names, so this rule would never fit: name a file with a key")
	}
}

// sockets returns the keys about the listeners and the model server.
func (r *reader) sockets(c *Config) []field {
	return []field{
		parsed(r, "listen", "listen", &c.Listen, ParseListen),
		parsed(r, "listen_mode", "listen_mode", &c.Socket, ParseFileMode),
		{"tls", func(n *yaml.Node) { r.tls(n, "tls", &c.TLS) }},
		{"admin", func(n *yaml.Node) {
			r.mapping(n, "admin",
				parsed(r, "listen", "admin.listen", &c.Admin.Listen, ParseListen),
				parsed(r, "listen_mode", "admin.listen_mode", &c.Admin.Socket, ParseFileMode),
				parsed(r, "token_file", "admin.token_file", &c.Admin.TokenFile, plain),
				field{"tls", func(n *yaml.Node) { r.tls(n, "admin.tls", &c.Admin.TLS) }},
				field{"console", func(n *yaml.Node) { r.console(n, &c.Console) }})
		}},
		{"upstream", func(n *yaml.Node) { r.upstream(n, &c.Upstream) }},
	}
}

// tls reads the files of a listener.
func (r *reader) tls(n *yaml.Node, what string, t *TLS) {
	before := len(r.problems)
	ok := r.mapping(n, what,
		parsed(r, "cert_file", what+".cert_file", &t.CertFile, plain),
		parsed(r, "key_file", what+".key_file", &t.KeyFile, plain),
		parsed(r, "client_ca_file", what+".client_ca_file", &t.CAFile, plain),
		parsed(r, "client_crl_file", what+".client_crl_file", &t.CRLFile, plain),
		parsed(r, "min_version", what+".min_version", &t.Min, named(TLS12, TLS13)))
	switch {
	case !ok || len(r.problems) > before:
	case t.CertFile == "" || t.KeyFile == "":
		r.say(n, "%s needs cert_file and key_file", what)
	case t.CRLFile != "" && t.CAFile == "":
		r.say(n, "%s.client_crl_file revokes certificates of clients: write client_ca_file too", what)
	}
}

// upstream reads the model server: its URL, alone or with its certificates.
func (r *reader) upstream(n *yaml.Node, u *Upstream) {
	if n.Kind == yaml.ScalarNode {
		parsed(r, "upstream", "upstream", &u.URL, ParseUpstream).read(n)
		return
	}
	t := &u.TLS
	ok := r.mapping(n, "upstream",
		parsed(r, "url", "upstream.url", &u.URL, ParseUpstream),
		parsed(r, "ca_file", "upstream.ca_file", &u.CAFile, plain),
		field{"tls", func(n *yaml.Node) {
			r.mapping(n, "upstream.tls",
				parsed(r, "ca_file", "upstream.tls.ca_file", &t.CAFile, plain),
				parsed(r, "cert_file", "upstream.tls.cert_file", &t.CertFile, plain),
				parsed(r, "key_file", "upstream.tls.key_file", &t.KeyFile, plain),
				parsed(r, "server_name", "upstream.tls.server_name", &t.ServerName, parseServerName),
				parsed(r, "min_version", "upstream.tls.min_version", &t.Min, named(TLS12, TLS13)))
		}})
	switch {
	case !ok:
	case (t.CertFile == "") != (t.KeyFile == ""):
		r.say(n, "upstream.tls needs cert_file and key_file together")
	case u.CAFile != "" && *t != TLS{}:
		r.say(n, "upstream.ca_file and upstream.tls are both given: move ca_file below tls")
	}
}

// parseServerName checks the name in the certificate of a model server.
func parseServerName(s string) (string, error) {
	if strings.ContainsFunc(s, func(c rune) bool { return !pathRune(c) }) {
		return "", fmt.Errorf("%q is no name of a host", s)
	}
	return s, nil
}

// checkIdentify looks whether users can be named as the file says.
func (r *reader) checkIdentify(n *yaml.Node, c *Config) {
	if c.Identify.Certificate != NameNone && c.TLS.CAFile == "" {
		r.say(n, "identify.certificate needs certificates of clients: write tls.client_ca_file")
	}
}

// callers returns the keys about callers and about alerts of them.
func (r *reader) callers(c *Config) []field {
	return []field{
		parsed(r, "instance", "instance", &c.Instance, parseInstance),
		{"trusted_proxies", func(n *yaml.Node) {
			r.list(n, "trusted_proxies", func(n *yaml.Node) {
				var p netip.Prefix
				before := len(r.problems)
				if parsed(r, "trusted_proxies", "trusted_proxies", &p, parsePrefix).read(n); len(r.problems) == before {
					c.TrustedProxies = append(c.TrustedProxies, p)
				}
			})
		}},
		{"identify", func(n *yaml.Node) {
			r.mapping(n, "identify",
				parsed(r, "user", "identify.user", &c.Identify.User, parseUserHeader),
				parsed(r, "certificate", "identify.certificate", &c.Identify.Certificate, named(NameCommon, NameSubject, NameDNS, NameEmail, NameURI)))
		}},
		{"ignore", func(n *yaml.Node) { r.ignore(n, &c.Ignore) }},
		parsed(r, "principal_key_file", "principal_key_file", &c.PrincipalKeyFile, plain),
	}
}

func parseVersion(s string) (int, error) {
	if s != strconv.Itoa(Version) {
		return 0, fmt.Errorf("%q is not a version this build reads: write %d", s, Version)
	}
	return Version, nil
}

func parseMask(s string) (string, error) {
	if len(s) > maxMaskBytes || !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", fmt.Errorf("must be at most %d bytes of plain text on one line", maxMaskBytes)
	}
	return s, nil
}

// parseInstance checks the name of an instance.
func parseInstance(s string) (string, error) {
	const longest = 128
	if len(s) > longest || !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", fmt.Errorf("must be at most %d bytes of text without spaces", longest)
	}
	return s, nil
}

// parsePrefix reads the address of a proxy, or a network of them.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p != p.Masked() {
		return p, fmt.Errorf("%q is neither an address nor a network: write 10.0.0.7, 10.0.0.0/8 or fd00::/8", s)
	}
	return p, nil
}

// parseUserHeader checks the name of the header that has the name of a user.
func parseUserHeader(s string) (string, error) {
	name := strings.ToLower(s)
	switch {
	case name != HyphenName(name) || strings.Trim(name, "-") == "":
		return "", fmt.Errorf("%q is not a header name: use letters, digits and -", s)
	case slices.Contains(framingHeaders, name) || name == "authorization" || strings.HasSuffix(name, "api-key") || strings.HasPrefix(name, "proxy-"):
		return "", fmt.Errorf("header %q does not name a user: take the one that the proxy in front of noecho sets, such as x-forwarded-user", s)
	}
	return name, nil
}

// ignore reads a file of ignored windows, or a list of files and single windows.
func (r *reader) ignore(n *yaml.Node, i *Ignore) {
	one := func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			if path, ok := r.text(n, "ignore"); ok {
				i.Files = append(i.Files, path)
			}
			return
		}
		var e ignore.Entry
		before := len(r.problems)
		ok := r.mapping(n, "an ignored window",
			parsed(r, "digest", "digest", &e.Digest, ignore.ParseDigest),
			parsed(r, "reason", "reason", &e.Reason, plain),
			parsed(r, "until", "until", &e.Until, ignore.ParseUntil),
			parsed(r, "by", "by", &e.By, plain))
		switch {
		case !ok || len(r.problems) > before:
		case !hasKey(n, "digest"):
			r.say(n, "an ignored window needs the digest that an alert has")
		default:
			i.Entries = append(i.Entries, e)
		}
	}
	if n.Kind == yaml.SequenceNode {
		r.list(n, "ignore", one)
		return
	}
	one(n)
}

// indexes reads the index list, or the path of one index alone.
func (r *reader) indexes(n *yaml.Node, c *Config) {
	if n.Kind == yaml.ScalarNode {
		r.index(n, c)
		return
	}
	r.list(n, "index", func(n *yaml.Node) { r.index(n, c) })
}

// index reads one entry of the index list: its keys, or the path alone.
func (r *reader) index(n *yaml.Node, c *Config) {
	if n.Kind == yaml.ScalarNode {
		if path, ok := r.text(n, "index path"); ok {
			c.Index = append(c.Index, Index{Path: path})
		}
		return
	}
	var x Index
	ok := r.mapping(n, "an index",
		parsed(r, "path", "index path", &x.Path, plain),
		parsed(r, "min_counter", "index min_counter", &x.MinCounter, parseCounter),
		parsed(r, "key_file", "index key_file", &x.KeyFile, plain))
	if !ok {
		return
	}
	if x.Path == "" {
		r.say(n, "an index needs a path")
		return
	}
	c.Index = append(c.Index, x)
}

// route reads one entry of the route list.
func (r *reader) route(n *yaml.Node, c *Config) {
	route := Route{}
	mode, extent := detect.Redact, detect.ExtentSpan
	ok := r.mapping(n, "a route",
		parsed(r, "path", "route path", &route.Path, parseRoutePath),
		parsed(r, "api", "route api", &route.API, plain),
		parsed(r, "upstream", "route upstream", &route.Upstream, ParseUpstream),
		field{"mode", func(n *yaml.Node) {
			parsed(r, "mode", "route mode", &mode, ParseMode).read(n)
			route.Mode = &mode
		}},
		parsed(r, "unscanned", "unscanned", &route.Unscanned, named(Refuse, Pass)),
		parsed(r, "token_prompts", "token_prompts", &route.Tokens, named(Refuse, Pass)),
		parsed(r, "schema", "schema", &route.Schema, named(RedactSchema, BlockSchema)),
		parsed(r, "blocked", "blocked", &route.Blocked, named(BlockedStream, BlockedStatus)),
		parsed(r, "release", "release", &route.Release, named(detect.Adaptive, detect.Strict)),
		parsed(r, "min_words", "min_words", &route.MinWords, parseCount),
		field{"extent", func(n *yaml.Node) {
			parsed(r, "extent", "extent", &extent, parseExtent).read(n)
			route.Extent = &extent
		}},
		field{"models", func(n *yaml.Node) { r.models(n, &route) }})
	switch {
	case !ok:
	case route.Path == "":
		if !hasKey(n, "path") {
			r.say(n, "a route needs a path")
		}
	case slices.ContainsFunc(c.Routes, func(o Route) bool { return o.Path == route.Path }):
		r.say(n, "route %q occurs twice", route.Path)
	case strings.HasSuffix(route.Path, "/") && route.API != "":
		r.say(n, "route %q is a prefix, which opens the whole catalogue: leave api out or write the whole path", route.Path)
	default:
		c.Routes = append(c.Routes, route)
	}
}

func hasKey(n *yaml.Node, key string) bool {
	return slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return c.Value == key })
}

// models reads the modes of single models, in the order of the file.
func (r *reader) models(n *yaml.Node, route *Route) {
	r.pairs(n, "models", func(key, value *yaml.Node) {
		m := ModelMode{Glob: key.Value, Mode: detect.Redact}
		if _, err := path.Match(replaceSlash(m.Glob), ""); err != nil || m.Glob == "" {
			r.say(key, "model pattern %q is not a pattern: * stands for any text, ? for one character, [ab] for one of a few", m.Glob)
			return
		}
		parsed(r, "mode", "model mode", &m.Mode, ParseMode).read(value)
		route.Models = append(route.Models, m)
	})
}

// parseRoutePath checks a path of plain segments. {name} is any one segment, {name}text one
// that ends in text.
func parseRoutePath(s string) (string, error) {
	if !strings.HasPrefix(s, "/") || strings.Contains(s, "//") {
		return "", fmt.Errorf("%q must begin with / and contain no //", s)
	}
	for seg := range strings.SplitSeq(strings.Trim(s, "/"), "/") {
		if name, end, ok := strings.Cut(seg, "}"); ok && strings.HasPrefix(name, "{") && len(name) > 1 {
			seg = "x" + end // the name itself may be any text
		}
		switch {
		case s == "/":
		case seg == "" || seg == "." || seg == "..":
			return "", fmt.Errorf("%q has an empty or dotted part: write the plain path", s)
		case strings.ContainsFunc(seg, func(c rune) bool { return !pathRune(c) }):
			return "", fmt.Errorf("%q has a character that no open path may have: use letters, digits and . _ ~ : @ + = , -", s)
		}
	}
	return s, nil
}

func pathRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._~:@+=,-", c)
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1<<20 {
		return 0, fmt.Errorf("%q is not a whole number from 1 to %d", s, 1<<20)
	}
	return n, nil
}

// audit reads the folder of the audit log, alone or with its key.
func (r *reader) audit(n *yaml.Node, a *Audit) {
	if n.Kind == yaml.ScalarNode {
		parsed(r, "audit", "audit", &a.Dir, plain).read(n)
		return
	}
	ok := r.mapping(n, "audit", parsed(r, "dir", "audit.dir", &a.Dir, plain), parsed(r, "key_file", "audit.key_file", &a.KeyFile, plain))
	if ok && a.Dir == "" {
		r.say(n, "audit needs a dir: the folder that noecho audit init made")
	}
}

// watching returns the keys by which operators watch noecho.
func (r *reader) watching(c *Config) []field {
	return []field{
		{"log", func(n *yaml.Node) {
			r.mapping(n, "log", parsed(r, "level", "log.level", &c.LogLevel, ParseLogLevel))
		}},
		{"access_log", func(n *yaml.Node) { r.accessLog(n, &c.Access) }},
		{"traces", func(n *yaml.Node) {
			c.Traces.Share = 1
			ok := r.mapping(n, "traces",
				parsed(r, "otlp", "traces.otlp", &c.Traces.URL, parseCollector),
				parsed(r, "sample", "traces.sample", &c.Traces.Share, parseSample),
				parsed(r, "token_file", "traces.token_file", &c.Traces.TokenFile, plain),
				parsed(r, "ca_file", "traces.ca_file", &c.Traces.CAFile, plain))
			if ok && !hasKey(n, "otlp") {
				r.say(n, "traces needs otlp: the address of a collector, such as http://127.0.0.1:4318")
			}
		}},
	}
}

// accessLog reads the path of the access log, alone or with the properties of its file.
func (r *reader) accessLog(n *yaml.Node, a *AccessLog) {
	if n.Kind == yaml.ScalarNode {
		parsed(r, "access_log", "access_log", &a.Path, plain).read(n)
		return
	}
	ok := r.mapping(n, "access_log",
		parsed(r, "path", "access_log.path", &a.Path, plain),
		parsed(r, "rotate", "access_log.rotate", &a.Rotate, ParseSize),
		parsed(r, "mode", "access_log.mode", &a.Mode, ParseFileMode),
		parsed(r, "group", "access_log.group", &a.Group, plain))
	switch {
	case !ok:
	case a.Path == "":
		r.say(n, "access_log needs a path: that of a file, or stdout")
	case a.Path == AccessStdout && *a != AccessLog{Path: AccessStdout}:
		r.say(n, "an access log on the standard output takes neither rotate, mode nor group")
	case a.Mode != 0 && a.Mode&0o600 != 0o600:
		r.say(n, "access_log.mode %04o does not let noecho read and write the file: write one such as 0640", a.Mode)
	}
}

// header reads the name of one request header to pass on.
func (r *reader) header(n *yaml.Node, c *Config) {
	s, ok := r.text(n, "headers.pass")
	if !ok {
		return
	}
	name := strings.ToLower(s)
	switch {
	case strings.Trim(HyphenName(name), "-") == "" || strings.ContainsFunc(name, func(c rune) bool { return c > 0x7f || !pathRune(c) || strings.ContainsRune("~:@+=,", c) }):
		r.say(n, "%q is not a header name: use letters, digits, -, _ and .", s)
	case slices.Contains(framingHeaders, name) || strings.HasPrefix(name, "proxy-"):
		r.say(n, "header %q frames the message and is set by noecho itself: it cannot be passed on", s)
	case name != HyphenName(name) && reservedHeader(HyphenName(name)):
		r.say(n, "header %q is the same as %q for many servers, which noecho reads or sets: it cannot be passed on", s, HyphenName(name))
	default:
		c.Headers.Pass = append(c.Headers.Pass, name)
	}
}

// cors reads which pages of other origins may ask.
func (r *reader) cors(n *yaml.Node, c *CORS) {
	c.MaxAge = 10 * time.Minute
	ok := r.mapping(n, "cors",
		field{"origins", func(n *yaml.Node) {
			r.list(n, "cors.origins", func(n *yaml.Node) {
				origin := ""
				parsed(r, "origins", "cors.origins", &origin, parseOrigin).read(n)
				c.Origins = append(c.Origins, origin)
			})
		}},
		parsed(r, "credentials", "cors.credentials", &c.Credentials, parseBool),
		parsed(r, "max_age", "cors.max_age", &c.MaxAge, ParseDuration))
	if ok && len(c.Origins) == 0 {
		r.say(n, "cors needs origins: list those whose pages may ask, or \"*\"")
	}
}

// parseOrigin reads an origin as browsers write it.
func parseOrigin(s string) (string, error) {
	if s == "*" || s == "null" {
		return s, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != s || s != strings.ToLower(s) {
		return "", fmt.Errorf("%q is no origin: write it as browsers do, such as https://app.example.com or http://localhost:3000, or *", s)
	}
	return s, nil
}

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return s == "true", nil
}

// framingHeaders are the request headers that noecho sets itself or never sends.
var framingHeaders = []string{
	"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length",
	"content-encoding", "accept-encoding", "expect", "range", "if-none-match", "if-modified-since", "http2-settings",
}

// reservedHeader reports whether noecho judges or sets the request header of this name.
func reservedHeader(name string) bool {
	switch name {
	case "authorization", "content-type", "origin", "x-request-id", "ocp-apim-subscription-key", "x-portkey-virtual-key",
		"cf-aig-authorization", "helicone-auth", "forwarded":
		return true
	}
	return slices.Contains(framingHeaders, name) || strings.HasSuffix(name, "api-key") || strings.HasPrefix(name, "proxy-") ||
		strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "access-control-")
}

// HyphenName returns a header name as a server reads it that takes every character except
// letters and digits for a hyphen: in lower case, with hyphens.
func HyphenName(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
}

// limits reads the limits, and checks that each is within bounds that make sense.
func (r *reader) limits(n *yaml.Node, l *Limits) {
	count := func(key string, dst *int) field { return parsed(r, key, "limits."+key, dst, parseCount) }
	size := func(key string, dst *int64, lo, hi int64) field {
		return parsed(r, key, "limits."+key, dst, func(s string) (int64, error) {
			v, err := ParseSize(s)
			if err == nil && (v < lo || v > hi) {
				err = fmt.Errorf("%s is outside %s to %s", s, Size(lo), Size(hi))
			}
			return v, err
		})
	}
	span := func(key string, dst *time.Duration) field {
		return parsed(r, key, "limits."+key, dst, func(s string) (time.Duration, error) {
			v, err := ParseDuration(s)
			if err == nil && (v < time.Millisecond || v > 7*24*time.Hour) {
				err = fmt.Errorf("%s is outside 1ms to 168h", s)
			}
			return v, err
		})
	}
	r.mapping(n, "limits",
		count("streams", &l.Streams),
		count("connections", &l.Connections),
		size("header", &l.Header, 4<<10, 1<<20),
		size("request", &l.Request, 1<<10, 1<<30),
		size("bodies", &l.Bodies, 1<<10, 1<<40),
		size("answer_header", &l.AnswerHeader, 4<<10, 16<<20),
		size("answer", &l.Answer, 1<<10, 1<<30),
		size("stream", &l.Stream, 1<<10, 1<<40),
		size("held", &l.Held, 1<<10, 16<<20),
		size("ratio", &l.Ratio, 2, 1<<20),
		size("prompt_cache", &l.PromptCache, 0, 64<<30),
		span("header_time", &l.HeaderTime),
		span("request_time", &l.RequestTime),
		span("caller_idle", &l.CallerIdle),
		span("caller_stall", &l.CallerStall),
		span("connect", &l.Connect),
		span("silence", &l.Silence),
		span("total", &l.Total),
		span("upstream_idle", &l.UpstreamIdle),
		span("drain", &l.Drain))
}

// Size formats a number of bytes as in a configuration file.
func Size(n int64) string {
	for _, u := range [...]struct {
		suffix string
		factor int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.factor && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

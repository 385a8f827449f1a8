package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Alert is one sink that alerts are written to.
type Alert struct {
	Type   AlertType
	Name   string // in metrics and alerts; empty: made of type and address
	Format string // of [AlertFormats]; empty: native

	Path   string      // for AlertFile
	Rotate int64       // bytes after which the file is rotated; 0: never
	Mode   fs.FileMode // of the file; 0: 0600
	Group  string      // name or number of the group of the file; empty: as the system sets it

	Receiver Receiver // for the types of sink that send over a network
}

// Receiver is a program on a network that takes alerts. A secret is named by its file, or as
// env:NAME by the variable of the environment that has it.
type Receiver struct {
	URL         *url.URL // nil: it is in URLFile
	URLFile     string   // because it has a secret; empty: none
	TokenFile   string   // contains a bearer token; empty: none
	KeyFile     string   // contains the key of a signature; empty: none
	MinSeverity string   // of [Severities]; empty: the lowest
	CAFile      string   // PEM certificates to trust instead of the system's; empty: none
	CertFile    string   // PEM certificate to show, whose key is in CertKeyFile; empty: none
	CertKeyFile string
	Spool       string // folder; empty: alerts wait in memory alone
	SpoolSize   int64  // bytes; 0: 256 MiB
}

// AlertType is a kind of alert sink.
type AlertType uint8

// The sinks.
const (
	AlertFile AlertType = iota
	AlertStdout
	AlertWebhook
	AlertSyslog
	AlertOTLP
)

// String returns the type's name in a configuration file.
func (t AlertType) String() string {
	return [...]string{"file", "stdout", "webhook", "syslog", "otlp"}[t]
}

// AlertFormats are the names of the formats that a type of sink may have.
func AlertFormats(t AlertType) []string {
	formats := []string{"native", "ocsf", "ecs"}
	if t == AlertWebhook {
		formats = append(formats, "falco", "alertmanager", "slack")
	}
	return formats
}

// Severities are the severities of alerts, lowest first.
func Severities() []string { return []string{"low", "medium", "high", "critical"} }

// minSpool is the smallest size of a spool: the longest line fits several times.
const minSpool = 16 << 20

// readAlert reads one entry of the alert list.
func readAlert(r *reader, n *yaml.Node, c *Config) {
	a := Alert{}
	before := len(r.problems)
	fields := []field{
		parsed(r, "type", "alert type", &a.Type, named(AlertFile, AlertStdout, AlertWebhook, AlertSyslog, AlertOTLP)),
		parsed(r, "name", "alert name", &a.Name, parseInstance),
		parsed(r, "format", "alert format", &a.Format, oneOf(AlertFormats(AlertWebhook))),
		parsed(r, "path", "alert path", &a.Path, plain),
		parsed(r, "rotate", "rotate", &a.Rotate, ParseSize),
		parsed(r, "mode", "alert mode", &a.Mode, ParseFileMode),
		parsed(r, "group", "alert group", &a.Group, plain),
	}
	if !r.mapping(n, "an alert sink", append(fields, receiverKeys(r, &a.Receiver)...)...) || len(r.problems) > before {
		return
	}
	if !hasKey(n, "type") {
		r.say(n, "an alert sink needs a type: file, stdout, webhook, syslog or otlp")
		return
	}
	if a.Format == "native" {
		a.Format = ""
	}
	if why := a.fault(n, c); why != "" {
		r.say(n, "%s", why)
		return
	}
	c.Alerts = append(c.Alerts, a)
}

// receiverKeys are the keys of a sink that sends over a network.
func receiverKeys(r *reader, x *Receiver) []field {
	return []field{
		parsed(r, "url", "alert url", &x.URL, ParseReceiver),
		parsed(r, "url_file", "url_file", &x.URLFile, plain),
		parsed(r, "token_file", "token_file", &x.TokenFile, plain),
		parsed(r, "hmac_key_file", "hmac_key_file", &x.KeyFile, plain),
		parsed(r, "min_severity", "min_severity", &x.MinSeverity, oneOf(Severities())),
		parsed(r, "ca_file", "alert ca_file", &x.CAFile, plain),
		parsed(r, "cert_file", "alert cert_file", &x.CertFile, plain),
		parsed(r, "key_file", "alert key_file", &x.CertKeyFile, plain),
		{"spool", func(n *yaml.Node) {
			if !isOff(n) {
				parsed(r, "spool", "spool", &x.Spool, plain).read(n)
			}
		}},
		parsed(r, "spool_size", "spool_size", &x.SpoolSize, func(s string) (int64, error) {
			v, err := ParseSize(s)
			if err == nil && v < minSpool {
				err = fmt.Errorf("%s is less than %s", s, Size(minSpool))
			}
			return v, err
		}),
	}
}

// fault says why a sink cannot be used, which no key alone shows.
func (a *Alert) fault(n *yaml.Node, c *Config) string {
	x := &a.Receiver
	own := map[AlertType][]string{
		AlertFile:    {"path", "rotate", "mode", "group"},
		AlertStdout:  {},
		AlertWebhook: {"url_file", "token_file", "hmac_key_file"},
		AlertSyslog:  {},
		AlertOTLP:    {"url_file", "token_file"},
	}[a.Type]
	if a.Type > AlertStdout {
		own = append(own, "url", "min_severity", "ca_file", "cert_file", "key_file", "spool", "spool_size")
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i].Value; !slices.Contains(append(own, "type", "name", "format"), key) {
			return fmt.Sprintf("the %s sink takes no %s", a.Type, key)
		}
	}
	switch {
	case a.Format != "" && !slices.Contains(AlertFormats(a.Type), a.Format):
		return fmt.Sprintf("the %s sink has no format %s: write %s", a.Type, a.Format, strings.Join(AlertFormats(a.Type), " or "))
	case a.Type == AlertFile && a.Path == "":
		return "an alert file needs a path"
	case a.Mode != 0 && a.Mode&0o600 != 0o600:
		return fmt.Sprintf("alert mode %04o does not let noecho read and write the file: write one such as 0640", a.Mode)
	case a.Type <= AlertStdout:
		return ""
	case a.Type == AlertSyslog && x.URL == nil:
		return "the syslog sink needs a url, such as tls://siem.example.com:6514"
	case x.URL != nil && (x.URL.Scheme == "http" || x.URL.Scheme == "https") == (a.Type == AlertSyslog):
		return "the url does not fit the type: a webhook and otlp have https://, syslog has tls://, tcp:// or unix://"
	case (x.URL == nil) == (x.URLFile == ""):
		return fmt.Sprintf("the %s sink needs url, or url_file if the address has a secret, and not both", a.Type)
	case !hasKey(n, "spool"):
		return fmt.Sprintf("the %s sink needs a spool: a folder of its own, in which alerts wait while the receiver is down, or off", a.Type)
	case x.Spool == "" && x.SpoolSize != 0:
		return "spool_size is the size of a spool, which is off"
	case (x.CertFile == "") != (x.CertKeyFile == ""):
		return "cert_file and key_file belong together: write both or none"
	case x.Spool != "" && slices.ContainsFunc(c.Alerts, func(o Alert) bool { return o.Receiver.Spool == x.Spool }):
		return fmt.Sprintf("two sinks have the spool %q: each needs a folder of its own", x.Spool)
	}
	return ""
}

// ParseReceiver reads the address of a receiver: https:// or http:// with path and query, tls://
// or tcp:// with host and port, unix:// with the path of a socket. Its error does not contain
// the address, because that may have a secret.
func ParseReceiver(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return nil, errReceiver
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() != "" {
			return u, nil
		}
	case "tls", "tcp":
		if u.Hostname() != "" && u.Port() != "" && u.Path == "" && u.RawQuery == "" {
			return u, nil
		}
	case "unix":
		if u.Host == "" && u.Path != "" && u.RawQuery == "" {
			return u, nil
		}
	}
	return nil, errReceiver
}

var errReceiver = errors.New("it is no address of a receiver: write https://host/path, tls://host:port, tcp://host:port or unix:///path, without a user name")

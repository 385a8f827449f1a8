package config

import (
	"strings"
	"testing"
)

func TestReceiver(t *testing.T) {
	t.Parallel()
	c, err := Load("x", []byte(`version: 1
alerts:
  - type: webhook
    name: pager
    format: alertmanager
    url: https://am.example.com/api/v2/alerts?x=1
    token_file: env:TOKEN
    hmac_key_file: /etc/hmac
    min_severity: high
    ca_file: ca.pem
    cert_file: cert.pem
    key_file: key.pem
    spool: /var/lib/noecho/pager
    spool_size: 64MiB
  - {type: webhook, url_file: /etc/slack, format: slack, spool: off}
  - {type: syslog, url: "tls://h:6514", spool: s}
  - {type: syslog, url: "unix:///dev/log", spool: off, format: ecs}
  - {type: otlp, url: "http://[::1]:4318/v1/logs", spool: o}
`))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Alerts[0]
	if a.Receiver.URL.String() != "https://am.example.com/api/v2/alerts?x=1" {
		t.Error(a.Receiver.URL)
	}
	a.Receiver.URL = nil
	if a != (Alert{Type: AlertWebhook, Name: "pager", Format: "alertmanager", Receiver: Receiver{
		TokenFile: "env:TOKEN", KeyFile: "/etc/hmac", MinSeverity: "high", CAFile: "ca.pem", CertFile: "cert.pem",
		CertKeyFile: "key.pem", Spool: "/var/lib/noecho/pager", SpoolSize: 64 << 20,
	}}) {
		t.Errorf("%+v", a)
	}
	for i, want := range map[int]string{2: "syslog tls://h:6514", 3: "syslog unix:///dev/log", 4: "otlp http://[::1]:4318/v1/logs"} {
		if a := c.Alerts[i]; a.Type.String()+" "+a.Receiver.URL.String() != want {
			t.Errorf("%+v", a)
		}
	}
	if a := c.Alerts[1]; a != (Alert{Type: AlertWebhook, Format: "slack", Receiver: Receiver{URLFile: "/etc/slack"}}) {
		t.Errorf("%+v", a)
	}
}

// TestReceiverProblems: every mistake is named, and no error contains an address, which may
// have a secret.
func TestReceiverProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"type: webhook, spool: off":                                                                    "needs url, or url_file",
		"type: webhook, url: 'https://h/SECRET'":                                                       "needs a spool",
		"type: webhook, url: 'https://h/SECRET', url_file: f, spool: off":                              "and not both",
		"type: webhook, url: 'ftp://h/SECRET', spool: off":                                             "no address of a receiver",
		"type: webhook, url: 'https://u:SECRET@h/', spool: off":                                        "without a user name",
		"type: webhook, url: 'https://h:SECRET/', spool: off":                                          "no address of a receiver",
		"type: webhook, url: 'https:///SECRET', spool: off":                                            "no address of a receiver",
		"type: webhook, url: 'https://h/#SECRET', spool: off":                                          "no address of a receiver",
		"type: webhook, url: 'https://h/', spool: off, spool_size: 16MiB":                              "which is off",
		"type: webhook, url: 'https://h/', spool: s, spool_size: 1MiB":                                 "1MiB is less than 16MiB",
		"type: webhook, url: 'https://h/', spool: off, cert_file: c":                                   "belong together",
		"type: webhook, url: 'https://h/', spool: off, path: p":                                        "the webhook sink takes no path",
		"type: webhook, url: 'https://h/', spool: off, min_severity: big":                              `"big" is none of low, medium, high, critical`,
		"type: webhook, url: 'https://h/', spool: off, format: slak":                                   `did you mean "slack"?`,
		"type: stdout, format: falco":                                                                  "the stdout sink has no format falco: write native or ocsf or ecs",
		"type: syslog, spool: off":                                                                     "needs a url, such as tls://",
		"type: syslog, url: 'https://h/SECRET', spool: off":                                            "does not fit the type",
		"type: otlp, url: 'tls://h:1', spool: off":                                                     "does not fit the type",
		"type: syslog, url: 'udp://SECRET:514', spool: off":                                            "no address of a receiver",
		"type: syslog, url: 'tls://SECRET', spool: off":                                                "no address of a receiver",
		"type: syslog, url: 'tls://h:1', spool: off, token_file: t":                                    "the syslog sink takes no token_file",
		"type: otlp, url: 'https://h/v1/logs', spool: off, format: slack":                              "the otlp sink has no format slack",
		"type: file, path: p, spool: s":                                                                "the file sink takes no spool",
		"type: file, path: p, format: slack":                                                           "the file sink has no format slack",
		"type: webhook, url: 'https://h/', spool: s}\n  - {type: webhook, url: 'https://h/', spool: s": `two sinks have the spool "s"`,
	} {
		_, err := Load("x", []byte("version: 1\nalerts:\n  - {"+text+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

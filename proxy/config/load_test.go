package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/detect"

	"go.yaml.in/yaml/v4"
)

const configsFolder = "../../configs"

// TestShippedConfigs loads every configuration that is shipped, those inside
// Kubernetes manifests included. The folders of Helm and of the shippers have files of
// other programs; the values of the chart are loaded by tools/deploy.
func TestShippedConfigs(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir(configsFolder, func(name string, d os.DirEntry, err error) error {
		if d.IsDir() && (d.Name() == "helm" || d.Name() == "shippers") {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, doc := range configsIn(t, name, data) {
			found++
			cfg, err := Load(name, doc)
			if err != nil {
				t.Error(err)
			} else if err := cfg.Complete(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 4 {
		t.Errorf("%d configurations found, want at least minimal, full and those for Kubernetes", found)
	}
}

// configsIn returns a file's own configuration, or those in its ConfigMaps.
func configsIn(t *testing.T, name string, data []byte) [][]byte {
	t.Helper()
	var docs []map[string]any
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var out [][]byte
	for _, doc := range docs {
		if doc["kind"] == nil {
			return [][]byte{data}
		}
		if doc["kind"] != "ConfigMap" {
			continue
		}
		for _, text := range doc["data"].(map[string]any) {
			out = append(out, []byte(text.(string)))
		}
	}
	return out
}

// TestFullShowsEveryKey: full.yaml contains every key, and docs/configuration.md every limit
// with its default.
func TestFullShowsEveryKey(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(configsFolder, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, name := range [...]string{"keys.go", "rule_keys.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	keys := regexp.MustCompile(`(?:parsed\(r, |field\{|count\(|size\(|span\(|anyOf\()"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(keys) < 60 {
		t.Fatalf("%d keys found in the source", len(keys))
	}
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)^[ -]*(?:when: \{)?` + key[1] + `:`).Match(data) {
			t.Errorf("full.yaml lacks the key %s", key[1])
		}
	}
	cfg, err := Load("full.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Limits != DefaultLimits() {
		t.Errorf("full.yaml's limits %+v are not the defaults %+v", cfg.Limits, DefaultLimits())
	}
	docs, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z_]+): (\S+) #`).FindAllStringSubmatch(string(data[strings.Index(string(data), "limits:"):]), -1) {
		if row := fmt.Sprintf("| `%s` | %s |", m[1], m[2]); !strings.Contains(string(docs), row) {
			t.Errorf("docs/configuration.md lacks the row %s", row)
		}
	}
}

// TestEveryLimitIsRead gives each limit another value and looks for it in the result.
func TestEveryLimitIsRead(t *testing.T) {
	t.Parallel()
	names := []string{
		"streams", "connections", "header", "request", "bodies", "answer_header", "answer", "stream", "held", "ratio", "prompt_cache",
		"header_time", "request_time", "caller_idle", "caller_stall", "connect", "silence", "total", "upstream_idle", "drain",
	}
	fields := reflect.TypeFor[Limits]()
	if fields.NumField() != len(names) {
		t.Fatalf("%d limits, %d names", fields.NumField(), len(names))
	}
	for i, name := range names {
		value, want := "4099", int64(4099)
		if fields.Field(i).Type == reflect.TypeFor[time.Duration]() {
			value, want = "4099ms", int64(4099*time.Millisecond)
		}
		c, err := Load("x", fmt.Appendf(nil, "version: 1\nlimits: {%s: %s}\n", name, value))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, rest := reflect.ValueOf(&c.Limits).Elem(), DefaultLimits()
		if got.Field(i).Int() != want {
			t.Errorf("%s: %v, want %d", name, got.Field(i), want)
		}
		reflect.ValueOf(&rest).Elem().Field(i).SetInt(want)
		if c.Limits != rest {
			t.Errorf("%s changed another limit: %+v", name, c.Limits)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	c, err := Load("x", []byte(`
version: 1
mode: block
listen: :1
admin: {listen: "[::1]:2", token_file: t}
index: [{path: a}, {path: b}]
upstream: {url: "https://h:9/base/", ca_file: ca}
routes:
  - {path: "/x/{b}:y", api: openai.chat}
  - {path: "/a/{b}/c", api: openai.chat, upstream: "http://x", mode: observe, unscanned: pass, schema: block, release: strict, min_words: 20, models: {"m*": block, "o/?": redact}}
mask: "***"
alerts: [{type: stdout}, {type: file, path: f, rotate: 1MiB, mode: 0640, group: adm}]
headers: {pass: [X-Team]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Mode != detect.Block || c.Listen != ":1" || c.Admin != (Admin{Listen: "[::1]:2", TokenFile: "t"}) || c.Mask != "***" || c.Headers.Pass[0] != "x-team" {
		t.Errorf("%+v", c)
	}
	if c.Upstream.URL.String() != "https://h:9/base" || c.Upstream.CAFile != "ca" {
		t.Errorf("upstream %v", c.Upstream)
	}
	if fmt.Sprint(c.Index) != "[{a  0} {b  0}]" || !slices.Equal(c.Alerts, []Alert{{Type: AlertStdout}, {Path: "f", Rotate: 1 << 20, Mode: 0o640, Group: "adm"}}) {
		t.Errorf("%v %v", c.Index, c.Alerts)
	}
	if r := c.Routes[0]; r.Path != "/x/{b}:y" {
		t.Errorf("%+v", r)
	}
	r := c.Routes[1]
	if r.Path != "/a/{b}/c" || r.API != "openai.chat" || r.Upstream.Host != "x" || *r.Mode != detect.Observe || r.Unscanned != Pass || r.Schema != BlockSchema || r.Schema.String() != "block" || r.Release != detect.Strict || r.MinWords != 20 {
		t.Errorf("%+v", r)
	}
	for model, want := range map[string]detect.Action{"mistral/7b": detect.Block, "o/1": detect.Redact, "o/11": detect.Observe, "": detect.Observe} {
		if got := r.ModeFor(model, detect.Block); got != want {
			t.Errorf("mode for %q is %s, want %s", model, got, want)
		}
	}
}

// TestTransportPage: every block of docs/transport.md is a part of a configuration.
func TestTransportPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/transport.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindAllString(string(page), -1)
	if len(blocks) < 6 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		if _, err := Load("x", []byte("version: 1\n"+strings.ReplaceAll("\n"+block, "\n    ", "\n"))); err != nil {
			t.Errorf("%s%v", block, err)
		}
	}
}

// TestLoadTransport reads the keys of sockets, certificates and logs.
func TestLoadTransport(t *testing.T) {
	t.Parallel()
	c, err := Load("x", []byte(`
version: 1
listen: unix:/run/data.sock
listen_mode: 0660
tls: {cert_file: c, key_file: k, client_ca_file: a, client_crl_file: r, min_version: 1.3}
admin: {listen: "unix:/run/admin.sock", listen_mode: 0600, tls: {cert_file: c2, key_file: k2}}
upstream: {url: "unix:/run/model.sock", tls: {ca_file: a3, cert_file: c3, key_file: k3, server_name: m}}
identify: {certificate: uri}
log: {level: debug}
access_log: {path: p, rotate: 1KiB, mode: 0640, group: g}
traces: {otlp: "https://c:4318/", sample: 5%, token_file: t, ca_file: a}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "unix:/run/data.sock" || c.Socket != 0o660 || c.TLS != (TLS{CertFile: "c", KeyFile: "k", CAFile: "a", CRLFile: "r", Min: TLS13}) {
		t.Errorf("%+v", c)
	}
	if c.Admin != (Admin{Listen: "unix:/run/admin.sock", Socket: 0o600, TLS: TLS{CertFile: "c2", KeyFile: "k2"}}) {
		t.Errorf("%+v", c.Admin)
	}
	if c.Upstream.URL.String() != "unix:/run/model.sock" || c.Upstream.TLS != (TLS{CAFile: "a3", CertFile: "c3", KeyFile: "k3", ServerName: "m"}) {
		t.Errorf("%v %+v", c.Upstream.URL, c.Upstream)
	}
	if c.Identify.Certificate != NameURI || c.LogLevel != LogDebug || c.Access != (AccessLog{"p", 1024, 0o640, "g"}) {
		t.Errorf("%+v %v %+v", c.Identify, c.LogLevel, c.Access)
	}
	if c.Traces != (Traces{"https://c:4318/v1/traces", 0.05, "t", "a"}) {
		t.Errorf("%+v", c.Traces)
	}
	if c, err = Load("x", []byte("version: 1\ntraces: {otlp: \"http://c/own\"}\n")); err != nil || c.Traces != (Traces{URL: "http://c/own", Share: 1}) {
		t.Errorf("%+v %v", c.Traces, err)
	}
	if c, err = Load("x", []byte("version: 1\naccess_log: stdout\n")); err != nil || c.Access != (AccessLog{Path: AccessStdout}) {
		t.Errorf("%+v %v", c.Access, err)
	}
}

func TestLoadProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "x: the file is empty: write at least version: 1"},
		{"comment only", "# hi\n", "x: the file is empty: write at least version: 1"},
		{"no version", "mode: block\n", "x:1:1: the key version is missing: write version: 1"},
		{"other version", "version: 2\n", `x:1:10: version: "2" is not a version this build reads: write 1`},
		{"typo", "version: 1\nlistn: a\n", `x:2:1: unknown key "listn" in the configuration (did you mean "listen"?)`},
		{"far from anything", "version: 1\nbananas: a\n", `x:2:1: unknown key "bananas" in the configuration`},
		{"typo below", "version: 1\nlimits:\n  stream: 1GiB\n  helt: 1KiB\n", `x:4:3: unknown key "helt" in limits (did you mean "held"?)`},
		{"swapped letters", "version: 1\nmode: blokc\n", `x:2:7: mode: "blokc" is none of redact, block, observe (did you mean "block"?)`},
		{"twice", "version: 1\nmode: block\nmode: block\n", `x:3:1: key "mode" occurs twice in the configuration`},
		{"no value", "version: 1\nmode:\n", `x:2:1: key "mode" has no value`},
		{"wrong shape", "version: 1\nmode: [block]\nindex: {path: a}\nadmin: 1\n", "x:2:7: mode must be a single value, not a list\nx:3:8: index must be a list of entries that begin with a hyphen, not a list of keys\nx:4:8: admin must have keys with values, such as listen: …, not \"1\""},
		{"empty index", "version: 1\nindex: [\"\", [a]]\n", "x:2:9: index path is empty: leave the key out or write a value\nx:2:13: an index must have keys with values, such as path: …, not a list"},
		{"alias", "version: 1\nmode: &m block\nlisten: *m\n", "x:2:7: anchors and aliases are not read here: write the value out\nx:3:9: anchors and aliases are not read here: write the value out"},
		{"two documents", "version: 1\n---\nversion: 1\n", "x:2:1: the file has more than one document: write one"},
		{"tab", "version: 1\n\tmode: block\n", "x:2:1: not YAML: found a tab character that violates indentation"},
		{"key file", "version: 1\nindex: [{path: a, key_file: []}]\n", "x:2:29: index key_file must be a single value, not a list"},
		{"upstream", "version: 1\nupstream: {url: \"ftp://h\"}\n", `x:2:17: upstream.url: "ftp://h" must begin with http:// or https://`},
		{"credentials", "version: 1\nupstream: {url: \"http://a:b@h\"}\n", "x:2:17: upstream.url: it must not carry a user name or password: callers send their own credentials"},
		{"path trick", "version: 1\nupstream: {url: \"http://h/a/../b\"}\n", `x:2:17: upstream.url: "http://h/a/../b" has a path that is not plain: write it without escapes, double slashes or dot segments`},
		{"size", "version: 1\nlimits: {held: 64kb}\n", `x:2:16: limits.held: "64kb" is not a size: write a number of bytes, or 64KiB, 16MiB, 2GiB`},
		{"size out of bounds", "version: 1\nlimits: {held: 1}\n", "x:2:16: limits.held: 1 is outside 1KiB to 16MiB"},
		{"time", "version: 1\nlimits: {drain: 5}\n", `x:2:17: limits.drain: "5" is not a time span: write 500ms, 30s, 5m or 1h`},
		{"zero", "version: 1\nlimits: {streams: 0}\n", `x:2:19: limits.streams: "0" is not a whole number from 1 to 1048576`},
		{"route without path", "version: 1\nroutes: [{api: pass}]\n", "x:2:10: a route needs a path"},
		{"route twice", "version: 1\nroutes: [{path: /a}, {path: /a}]\n", `x:2:22: route "/a" occurs twice`},
		{"route path", "version: 1\nroutes: [{path: /a%2fb}]\n", `x:2:17: route path: "/a%2fb" has a character that no open path may have: use letters, digits and . _ ~ : @ + = , -`},
		{"route path, no name", "version: 1\nroutes: [{path: \"/a/{}:x\"}]\n", `x:2:17: route path: "/a/{}:x" has a character that no open path may have: use letters, digits and . _ ~ : @ + = , -`},
		{"route path, name within", "version: 1\nroutes: [{path: \"/a/x{b}\"}]\n", `x:2:17: route path: "/a/x{b}" has a character that no open path may have: use letters, digits and . _ ~ : @ + = , -`},
		{"route path, odd ending", "version: 1\nroutes: [{path: \"/a/{b}:x%\"}]\n", `x:2:17: route path: "/a/{b}:x%" has a character that no open path may have: use letters, digits and . _ ~ : @ + = , -`},
		{"route path, two names", "version: 1\nroutes: [{path: \"/a/{b}{c}\"}]\n", `x:2:17: route path: "/a/{b}{c}" has a character that no open path may have: use letters, digits and . _ ~ : @ + = , -`},
		{"prefix with api", "version: 1\nroutes: [{path: /a/, api: pass}]\n", `x:2:10: route "/a/" is a prefix, which opens the whole catalogue: leave api out or write the whole path`},
		{"model pattern", "version: 1\nroutes: [{path: /a, models: {\"[\": block}}]\n", `x:2:30: model pattern "[" is not a pattern: * stands for any text, ? for one character, [ab] for one of a few`},
		{"alert without path", "version: 1\nalerts: [{type: file}]\n", "x:2:10: an alert file needs a path"},
		{"alert mode", "version: 1\nalerts: [{type: file, path: a, mode: 0440}, {type: file, path: a, mode: rw}]\n", "x:2:10: alert mode 0440 does not let noecho read and write the file: write one such as 0640\nx:2:73: alert mode: \"rw\" is not the mode of a file: write octal digits such as 0640 or 0644"},
		{"alert stdout", "version: 1\nalerts: [{type: stdout, group: adm}]\n", "x:2:10: the stdout sink takes no group"},
		{"upstream", "version: 1\nupstream: model\n", `x:2:11: upstream: "model" must begin with http:// or https://`},
		{"alert type", "version: 1\nalerts: [{type: sydout}]\n", `x:2:17: alert type: "sydout" is none of file, stdout, webhook, syslog, otlp (did you mean "stdout"?)`},
		{"framing header", "version: 1\nheaders: {pass: [Host, Proxy-X, \"a b\"]}\n", "x:2:18: header \"Host\" frames the message and is set by noecho itself: it cannot be passed on\nx:2:24: header \"Proxy-X\" frames the message and is set by noecho itself: it cannot be passed on\nx:2:33: \"a b\" is not a header name: use letters, digits, -, _ and ."},
		{"origins", "version: 1\ncors: {origins: [https://a.example/, app, HTTP://a, 'null', \"*\", http://localhost:3000]}\n", "x:2:18: cors.origins: \"https://a.example/\" is no origin: write it as browsers do, such as https://app.example.com or http://localhost:3000, or *\nx:2:38: cors.origins: \"app\" is no origin: write it as browsers do, such as https://app.example.com or http://localhost:3000, or *\nx:2:43: cors.origins: \"HTTP://a\" is no origin: write it as browsers do, such as https://app.example.com or http://localhost:3000, or *"},
		{"no origins", "version: 1\ncors: {credentials: yes}\n", "x:2:7: cors needs origins: list those whose pages may ask, or \"*\"\nx:2:21: cors.credentials: \"yes\" is neither true nor false"},
		{"header with an underscore", "version: 1\nheaders: {pass: [session_id, x.trace, X_Api_Key, content_length, x.forwarded.for, ab~c]}\n", "x:2:39: header \"X_Api_Key\" is the same as \"x-api-key\" for many servers, which noecho reads or sets: it cannot be passed on\nx:2:50: header \"content_length\" is the same as \"content-length\" for many servers, which noecho reads or sets: it cannot be passed on\nx:2:66: header \"x.forwarded.for\" is the same as \"x-forwarded-for\" for many servers, which noecho reads or sets: it cannot be passed on\nx:2:83: \"ab~c\" is not a header name: use letters, digits, -, _ and ."},
		{"mask", "version: 1\nmask: \"a\\nb\"\n", "x:2:7: mask: must be at most 128 bytes of plain text on one line"},
		{"log level", "version: 1\nlog: {level: wrn}\n", `x:2:14: log.level: "wrn" is none of debug, info, warn, error (did you mean "warn"?)`},
		{"access log", "version: 1\naccess_log: {path: stdout, mode: 0640}\n", "x:2:13: an access log on the standard output takes neither rotate, mode nor group"},
		{"access log without path", "version: 1\naccess_log: {mode: 0640}\n", "x:2:13: access_log needs a path: that of a file, or stdout"},
		{"access log mode", "version: 1\naccess_log: {path: a, mode: 0440}\n", "x:2:13: access_log.mode 0440 does not let noecho read and write the file: write one such as 0640"},
		{"tls without key", "version: 1\ntls: {cert_file: a}\n", "x:2:6: tls needs cert_file and key_file"},
		{"tls list", "version: 1\nadmin: {tls: {cert_file: a, key_file: b, client_crl_file: c}}\n", "x:2:14: admin.tls.client_crl_file revokes certificates of clients: write client_ca_file too"},
		{"tls version", "version: 1\ntls: {cert_file: a, key_file: b, min_version: 1.1}\n", `x:2:47: tls.min_version: "1.1" is none of 1.2, 1.3 (did you mean "1.2"?)`},
		{"tls of the server", "version: 1\nupstream: {url: \"https://h\", ca_file: a, tls: {cert_file: b, server_name: \"a/b\"}}\n", "x:2:11: upstream.tls needs cert_file and key_file together\nx:2:75: upstream.tls.server_name: \"a/b\" is no name of a host"},
		{"two authorities", "version: 1\nupstream: {ca_file: a, tls: {ca_file: b}}\n", "x:2:11: upstream.ca_file and upstream.tls are both given: move ca_file below tls"},
		{"certificate of nobody", "version: 1\nidentify: {certificate: common_name}\n", "x:1:1: identify.certificate needs certificates of clients: write tls.client_ca_file"},
		{"traces", "version: 1\ntraces: {otlp: \"grpc://c\", sample: 0.5}\n", "x:2:16: traces.otlp: \"grpc://c\" is no address of a collector: write http://host:4318 or https://host, and keep secrets in token_file\nx:2:36: traces.sample: \"0.5\" is not a share of the traces: write 1% to 100%"},
		{"traces without collector", "version: 1\ntraces: {sample: 5%}\n", "x:2:9: traces needs otlp: the address of a collector, such as http://127.0.0.1:4318"},
		{"sockets", "version: 1\nlisten: unix:run/a\nadmin: {listen: \"unix:/run/../a\"}\nupstream: \"unix:\"\n", "x:2:9: listen: \"unix:run/a\" is not a socket: write unix: and its whole path, such as unix:/run/noecho/data.sock\nx:3:17: admin.listen: \"unix:/run/../a\" is not a socket: write unix: and its whole path, such as unix:/run/noecho/data.sock\nx:4:11: upstream: \"unix:\" is not a socket: write unix: and its whole path, such as unix:/run/noecho/data.sock"},
		{"port", "version: 1\nlisten: \"h:99999\"\n", `x:2:9: listen: "h:99999" has no usable port: write a number up to 65535`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load("x", []byte(tt.text))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
			var p *Problem
			if !errors.As(err, &p) {
				t.Error("no *Problem")
			}
			if err != nil && regexp.MustCompile(`config\.|int64|\*?yaml\.|struct`).MatchString(err.Error()) {
				t.Errorf("Go shows through: %v", err)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	c := Default()
	want := "no index is given: name one with --index, NOECHO_INDEX or the key index\nno upstream is given: name one with --upstream, NOECHO_UPSTREAM or the key upstream.url"
	if err := c.Complete(); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	u, err := ParseUpstream("http://h")
	if err != nil {
		t.Fatal(err)
	}
	c.Index = []Index{{Path: "a"}}
	c.Routes = []Route{{Path: "/", Upstream: u}}
	if err := c.Complete(); err != nil {
		t.Error(err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, 1023, 1 << 10, 3 << 20, 5 << 30, 1 << 40, 1500} {
		if got, err := ParseSize(Size(n)); err != nil || got != n {
			t.Errorf("%d: %s, %d, %v", n, Size(n), got, err)
		}
	}
	for _, s := range []string{"", "-1", "1e3", "9999999999GiB", "KiB", "1 MB"} {
		if got, err := ParseSize(s); err == nil {
			t.Errorf("%q is read as %d", s, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"minimal.yaml", "full.yaml"} {
		data, err := os.ReadFile(filepath.Join(configsFolder, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &x [*x]\n<<: *x\n? [a]\n: b\nversion: 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Load("x", data)
		if err != nil {
			var p *Problem
			if !errors.As(err, &p) {
				t.Errorf("%v is no *Problem", err)
			}
			return
		}
		for _, r := range c.Routes {
			if !strings.HasPrefix(r.Path, "/") || strings.Contains(r.Path, "//") {
				t.Errorf("route path %q", r.Path)
			}
		}
		_ = c.Complete()
	})
}

package deploy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
	"sigs.k8s.io/yaml"
)

// streamLabels are the only members of an alert line that may be labels of Loki: each has a
// few values.
var streamLabels = []string{"action", "severity", "type"}

func readConfig(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(configs + "shippers/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// members returns the names of all members that an alert line may have.
func members(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/alert.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if p, ok := v["properties"].(map[string]any); ok {
				for name := range p {
					names[name] = true
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(schema)
	return slices.Sorted(maps.Keys(names))
}

// TestVector reads the configuration of Vector and its labels of Loki.
func TestVector(t *testing.T) {
	var c struct {
		Sinks map[string]struct{ Labels map[string]string }
	}
	if err := yaml.Unmarshal([]byte(readConfig(t, "vector.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	labels := c.Sinks["loki"].Labels
	delete(labels, "job")
	if diff := cmp.Diff(streamLabels, slices.Sorted(maps.Keys(labels))); diff != "" {
		t.Error(diff)
	}
	for name, value := range labels {
		if value != "{{ "+name+" }}" {
			t.Errorf("%s is %s", name, value)
		}
	}
}

type visitor func(ast.Node)

// Visit implements [ast.Visitor].
func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// TestAlloy parses the configuration of Alloy with its own parser.
func TestAlloy(t *testing.T) {
	file, err := parser.ParseFile("config.alloy", []byte(readConfig(t, "config.alloy")))
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	ast.Walk(visitor(func(n ast.Node) {
		b, ok := n.(*ast.BlockStmt)
		if !ok || b.GetBlockName() != "stage.labels" {
			return
		}
		for _, s := range b.Body {
			for _, f := range s.(*ast.AttributeStmt).Value.(*ast.ObjectExpr).Fields {
				labels = append(labels, f.Name.Name)
			}
		}
	}), file)
	if diff := cmp.Diff(streamLabels, slices.Sorted(slices.Values(labels))); diff != "" {
		t.Error(diff)
	}
}

// TestMembers: the other configurations are well formed, and name no member that an alert
// line does not have.
func TestMembers(t *testing.T) {
	known := members(t)
	for name, pattern := range map[string]string{
		"filebeat.yml":      `noecho\.(\w+)`,
		"fluent-bit.yaml":   `(?:time|id)_key: (\w+)`,
		"splunk/props.conf": `(?m)^EVAL-\w+ = (\w+)$|records\{\}\.(\w+)|case\((\w+)==`,
	} {
		text := readConfig(t, name)
		if strings.HasSuffix(name, "ml") {
			var v map[string]any
			if err := yaml.UnmarshalStrict([]byte(text), &v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
		if len(found) < 2 {
			t.Errorf("%s: names %d members", name, len(found))
		}
		for _, m := range found {
			if member := strings.Join(m[1:], ""); !slices.Contains(known, member) {
				t.Errorf("%s: an alert has no member %s", name, member)
			}
		}
	}
	section := regexp.MustCompile(`^\[[^\]]+\]$`)
	for _, name := range []string{"inputs", "props", "eventtypes", "tags"} {
		for line := range strings.Lines(readConfig(t, "splunk/"+name+".conf")) {
			line = strings.TrimSpace(line)
			if line != "" && line[0] != '#' && !section.MatchString(line) && !strings.Contains(line, " = ") {
				t.Errorf("splunk/%s.conf: %q", name, line)
			}
		}
	}
}

// TestRsyslog lets rsyslog check its configuration, and then ship lines to a receiver that
// compares them with those of the file. Only TLS is left out.
func TestRsyslog(t *testing.T) {
	daemon, err := exec.LookPath("rsyslogd")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs rsyslogd: apt-get install rsyslog rsyslog-gnutls")
	}
	if out, err := exec.CommandContext(t.Context(), daemon, "-N1", "-f", configs+"shippers/rsyslog.conf").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	receiver, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	if err := receiver.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := range 200 {
		want = append(want, fmt.Sprintf(`{"v":1,"type":"finding","seq":%d,"model":"%s","path":"/a b\"é"}`, n+1, strings.Repeat("m", n*97)))
	}
	file := filepath.Join(dir, "alerts.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(want, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^ *streamDriver.*\n`).ReplaceAllString(readConfig(t, "rsyslog.conf"), "")
	_, port, _ := net.SplitHostPort(receiver.Addr().String())
	text = strings.NewReplacer("/var/log/noecho/alerts.jsonl", file, "/var/spool/rsyslog", dir, "siem.example.com", "127.0.0.1", `"6514"`, `"`+port+`"`).Replace(text)
	conf := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), daemon, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	conn, err := receiver.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := readFrames(conn, len(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSystemd lets systemd rate the unit: 1.4 of 10, where 10 is no protection.
func TestSystemd(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("needs systemd-analyze: apt-get install systemd")
	}
	out, err := exec.CommandContext(t.Context(), tool, "security", "--no-pager", "--offline=true", "--threshold=14", configs+"systemd/noecho.service").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// readFrames reads n messages of RFC 5424, each with its length before it (RFC 6587), and
// returns their texts.
func readFrames(r io.Reader, n int) (texts []string, err error) {
	in := bufio.NewReader(r)
	for range n {
		length, err := in.ReadString(' ')
		if err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			return nil, err
		}
		frame := make([]byte, size)
		if _, err := io.ReadFull(in, frame); err != nil {
			return nil, err
		}
		// <PRI>1 TIME HOST APP PROCID MSGID SD TEXT
		fields := strings.SplitN(string(frame), " ", 8)
		texts = append(texts, strings.TrimSpace(fields[len(fields)-1]))
	}
	return texts, nil
}

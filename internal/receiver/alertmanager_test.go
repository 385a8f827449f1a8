package receiver

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"noecho/internal/format"
	"noecho/internal/outbox"
	"noecho/proxy/alert"
)

// TestAlertmanager: Debian's Alertmanager takes events of every type, as alerts of their labels.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs prometheus-alertmanager: apt-get install prometheus-alertmanager")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf.yml")
	if err := os.WriteFile(conf, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+conf, "--storage.path="+dir, "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	address := ""
	listening := regexp.MustCompile(`msg="?Listening on"? address=(127\.0\.0\.1:[0-9]+)`)
	for lines := bufio.NewScanner(logs); address == "" && lines.Scan(); {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			address = "http://" + m[1] + "/api/v2/alerts"
		}
	}
	hook, err := NewWebhook(load(t, address), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer hook.Close()
	for i, kind := range alert.Types() {
		ev := alert.Event{Type: kind, Boot: "B", Seq: uint64(i + 1), Severity: alert.High, Action: alert.Observed, Model: "é\n", Route: "/v1/", Records: []alert.Record{{ID: "r"}}}
		if n, err := hook.Send(t.Context(), []outbox.Line{{Text: format.Alertmanager(nil, &ev)}}); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", kind, n, err)
		}
	}
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []struct{ Labels, Annotations map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got) != len(alert.Types()) {
		t.Errorf("%d alerts, %v", len(got), err)
	}
	for _, a := range got {
		if a.Labels["alertname"] != "noecho_"+a.Labels["type"] || a.Labels["route"] != "/v1/" || a.Annotations["record"] != "r" || a.Annotations["summary"] == "" {
			t.Errorf("%+v", a)
		}
	}
}

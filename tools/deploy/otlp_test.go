//go:build slow

package deploy

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// TestCollector: the receiver of the OpenTelemetry Collector takes an event of each type from
// noecho. It takes more than a minute of processors to compile, so make slow runs it.
func TestCollector(t *testing.T) {
	t.Parallel()
	factory := otlpreceiver.NewFactory()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	cfg := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	cfg.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = address
	sink := new(consumertest.LogsSink)
	receiver, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = receiver.Shutdown(t.Context()) }()

	dir := t.TempDir()
	noecho := filepath.Join(dir, "noecho")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", noecho, "./cmd/noecho")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	conf := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf("version: 1\nindex: x.nidx\nupstream: http://127.0.0.1:1\ninstance: pod-0\nalerts: [{type: otlp, url: 'http://%s/v1/logs', spool: off}]\n", address)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), noecho, "alerts", "test", conf).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var names []string
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			if v, _ := resource.Resource().Attributes().Get("service.instance.id"); v.Str() != "pod-0" {
				t.Errorf("resource %v", resource.Resource().Attributes().AsRaw())
			}
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					names = append(names, record.EventName())
					if _, ok := record.Attributes().Get("noecho.id"); !ok || record.Body().Str() == "" || record.SeverityNumber() < 9 || record.Timestamp() == 0 {
						t.Errorf("record %s: %v", record.EventName(), record.Attributes().AsRaw())
					}
				}
			}
		}
	}
	if slices.Sort(names); len(names) != 12 || !slices.Contains(names, "noecho.finding") {
		t.Errorf("records %q", names)
	}
}

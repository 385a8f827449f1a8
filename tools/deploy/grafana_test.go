package deploy

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// TestDashboard reads panels and variables by the types of Grafana: no member is unknown, and
// none is missing. The tests of noecho compare the metrics that the panels ask for.
func TestDashboard(t *testing.T) {
	kinds := cog.NewRuntime()
	kinds.RegisterDataqueryVariant(prometheus.VariantConfig())
	kinds.RegisterPanelcfgVariant(stat.VariantConfig())
	kinds.RegisterPanelcfgVariant(table.VariantConfig())
	kinds.RegisterPanelcfgVariant(timeseries.VariantConfig())
	text, err := os.ReadFile(configs + "grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels     []json.RawMessage
		Templating json.RawMessage
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) < 20 {
		t.Errorf("%d panels", len(d.Panels))
	}
	for i, raw := range d.Panels {
		var p dashboard.PanelOrRowPanel
		check(t, i, p.UnmarshalJSONStrict(raw))
		check(t, i, p.Validate())
	}
	var v dashboard.DashboardDashboardTemplating
	check(t, "variables", v.UnmarshalJSONStrict(d.Templating))
	check(t, "variables", v.Validate())
}

// check reports an error. An empty list of errors is none.
func check(t *testing.T, part any, err error) {
	t.Helper()
	if err != nil && err.Error() != "" {
		t.Errorf("%v: %v", part, err)
	}
}

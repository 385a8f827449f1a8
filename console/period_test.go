package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// askPeriod asks a route for a period. What if takes its period in the body.
func askPeriod(b *bed, route, since, until string) (int, string) {
	if method, path, _ := strings.Cut(route, " "); method == http.MethodPost {
		return b.ask(method, api+path, fmt.Sprintf(`{"since":%q,"until":%q,"rules":[{"action":"observe"}]}`, since, until))
	}
	_, path, _ := strings.Cut(route, " ")
	return b.ask(http.MethodGet, api+path+"?"+url.Values{"since": {since}, "until": {until}}.Encode(), "")
}

// TestPeriods: no route looks at a time of which nothing can be known, however long the period
// is, and a long period has the rows of the longest one that is known.
func TestPeriods(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	l.put(noon.Add(-time.Hour), alert.Event{Type: alert.TypeStart, Mode: "redact"})
	l.put(noon.Add(-time.Minute), finding(alert.Redacted, "r1", 1))
	b := newBed(t, dir, nil).look()
	for _, route := range []string{
		"GET overview", "GET findings", "GET findings.csv", "GET records", "GET callers", "GET tuning", "GET coverage", "POST whatif",
	} {
		status, want := askPeriod(b, route, "90d", noon.Add(24*time.Hour).Format(time.RFC3339))
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", route, status, want)
			continue
		}
		for _, since := range []string{"0001-01-01T00:00:00Z", "1500-01-01T00:00:00Z", "65535d", "2562047h"} {
			if status, got := askPeriod(b, route, since, "9999-01-01T00:00:00Z"); status != http.StatusOK || got != want {
				t.Errorf("%s since %s: %d, %d bytes, want %s", route, since, status, len(got), want)
			}
		}
		var view overviewView
		if _ = json.Unmarshal([]byte(want), &view); len(view.Hours) > 100 {
			t.Errorf("%s: %d bars", route, len(view.Hours))
		}
		if !strings.Contains(want, "tickets/18") && (strings.HasPrefix(route, "GET f") || route == "GET records") {
			t.Errorf("%s: %s, want the finding", route, want)
		}
		for _, outside := range [][2]string{
			{"2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z"},
			{"2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"},
			{"0001-01-01T00:00:00Z", "1500-01-01T00:00:00Z"},
			{"9998-01-01T00:00:00Z", "9999-01-01T00:00:00Z"},
		} {
			if status, got := askPeriod(b, route, outside[0], outside[1]); status != http.StatusBadRequest || !strings.Contains(got, "period") {
				t.Errorf("%s from %s to %s: %d %.200s", route, outside[0], outside[1], status, got)
			}
		}
	}
}

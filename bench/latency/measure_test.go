package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	f := func(n int, q float64, want time.Duration) {
		t.Helper()
		var sorted []time.Duration
		for i := range n {
			sorted = append(sorted, time.Duration(i))
		}
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v of 0 to %d is %d, want %d", q, n-1, got, want)
		}
	}
	f(1, 0.5, 0)
	f(1, 0.99, 0)
	f(100, 0.5, 50)
	f(100, 0.99, 99)
	f(101, 0.5, 50)
}

func TestTextIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first, again := strings.Join(text(7, 50), " "), strings.Join(text(7, 50), " ")
	if first != again || len(strings.Fields(first)) != 50 {
		t.Errorf("%q, then %q", first, again)
	}
	if strings.Join(text(8, 50), " ") == first {
		t.Error("another seed gives the same text")
	}
}

// TestStaticModel: both kinds of answer are complete and have text.
func TestStaticModel(t *testing.T) {
	t.Parallel()
	model, err := newStaticModel(1250, 300)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, body := range []string{askWhole, askStream} {
		for range 3 {
			if _, _, err := ask(t.Context(), client, "http://"+model.Addr().String(), body); err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}

// TestPacedModel: every stream has its first event, and events go on after it.
func TestPacedModel(t *testing.T) {
	t.Parallel()
	model, err := newPacedModel()
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	const streams = 5
	conns, err := openStreams(t.Context(), "http://"+model.Addr().String(), streams)
	for _, c := range conns {
		defer c.Close()
	}
	if err != nil || len(conns) != streams || model.sent.Load() < streams {
		t.Fatalf("%d streams, %d events, %v", len(conns), model.sent.Load(), err)
	}
	// The first events may have been the only ones; the model says when another one has left.
	for first := model.sent.Load(); model.sent.Load() <= first; {
		if t.Context().Err() != nil {
			t.Fatal("no event after the first ones")
		}
		runtime.Gosched()
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	var out report
	for _, v := range []float64{3, 1, 2} {
		out.add("nginx", column{"µs", 300}, v)
		out.add("noecho", column{"µs", 300}, 10*v)
	}
	out.add("noecho", column{"KiB", 8}, 7)
	var table strings.Builder
	if err := out.print(&table, "medians"); err != nil {
		t.Fatal(err)
	}
	want := "  medians  300 µs  8 KiB\n    nginx     2.0      -\n   noecho    20.0    7.0\n"
	if table.String() != want {
		t.Errorf("got\n%swant\n%s", table.String(), want)
	}
	file := filepath.Join(t.TempDir(), "figures.tsv")
	if err := out.appendTo(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if want := "nginx\tµs\t300\t1.00\t2.00\t3.00\nnoecho\tµs\t300\t10.00\t20.00\t30.00\nnoecho\tKiB\t8\t7.00\t7.00\t7.00\n"; string(text) != want || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

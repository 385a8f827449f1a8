package main

import (
	"net/http"
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
	model, err := newStaticModel(300)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, body := range asks {
		for range 3 {
			if _, _, err := ask(t.Context(), client, "http://"+model.Addr().String(), body); err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}

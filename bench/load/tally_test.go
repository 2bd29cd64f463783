package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTheSummaryCountsByKindWithTheFirstExamples(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tally := newTally(start)
	for i := range 15 {
		tally.add(start.Add(time.Duration(i)*time.Second), Outcome{Kind: "reset", Detail: "connection reset", Fresh: i == 0})
	}
	tally.add(start.Add(20*time.Second), Outcome{Kind: "status 502", Detail: "502 Bad Gateway"})
	tally.add(start.Add(20*time.Second), Outcome{Label: "v2", Latency: 3 * time.Millisecond})

	var out bytes.Buffer
	if err := tally.summary(Options{}).write(&out, true); err != nil {
		t.Fatal(err)
	}
	var read Summary
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Requests != 17 || read.Failed != 16 || read.Seconds != 20 || read.Answers["v2"] != 1 || read.Max != 3 {
		t.Errorf("got %+v", read)
	}
	resets := read.Kinds[0]
	if resets.Kind != "reset" || resets.Count != 15 || len(resets.Examples) != maxExamples {
		t.Errorf("got %+v", resets)
	}
	if first := resets.Examples[0]; first.Connection != "fresh" || !first.Time.Equal(start) {
		t.Errorf("the first reset is %+v", first)
	}
	if text := read.text(); !strings.Contains(text, "17 requests in 20.0 s, 16 failed") ||
		!strings.Contains(text, "  03:04:06.000 kept: connection reset") {
		t.Errorf("as text: %s", text)
	}
}

func TestPercentiles(t *testing.T) {
	var latencies []time.Duration
	for i := range 100 {
		latencies = append(latencies, time.Duration(i+1)*time.Millisecond)
	}
	for percent, want := range map[float64]float64{50: 50, 95: 95, 99: 99, 100: 100} {
		if got := percentile(latencies, percent); got != want {
			t.Errorf("p%g is %g", percent, got)
		}
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
}

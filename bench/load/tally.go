package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// maxExamples is how many failures of a kind are told one by one.
const maxExamples = 10

// Tally counts outcomes as they come.
type Tally struct {
	start time.Time

	mu        sync.Mutex
	requests  int
	failed    int
	end       time.Time
	kinds     map[string]*Kind
	answers   map[string]int
	latencies []time.Duration
}

// Kind is all failures of one kind.
type Kind struct {
	Kind     string    `json:"kind"`
	Count    int       `json:"count"`
	Examples []Example `json:"examples"`
}

// Example is one failed request; the time is when it ended.
type Example struct {
	Time       time.Time `json:"time"`
	Connection string    `json:"connection"`
	Detail     string    `json:"detail"`
}

// Summary is what a run found. Latencies are those of requests that did not fail, in milliseconds.
type Summary struct {
	Target   string         `json:"target"`
	Host     string         `json:"host"`
	Rate     float64        `json:"rate"`
	Seconds  float64        `json:"seconds"`
	Requests int            `json:"requests"`
	Failed   int            `json:"failed"`
	Kinds    []Kind         `json:"kinds"`
	Answers  map[string]int `json:"answers,omitempty"`
	P50      float64        `json:"p50Milliseconds"`
	P95      float64        `json:"p95Milliseconds"`
	P99      float64        `json:"p99Milliseconds"`
	Max      float64        `json:"maxMilliseconds"`
}

func newTally(start time.Time) *Tally {
	return &Tally{start: start, end: start, kinds: map[string]*Kind{}, answers: map[string]int{}}
}

func (t *Tally) add(now time.Time, outcome Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.end = now
	if outcome.Label != "" {
		t.answers[outcome.Label]++
	}
	if outcome.Kind == "" {
		t.latencies = append(t.latencies, outcome.Latency)
		return
	}
	t.failed++
	kind := t.kinds[outcome.Kind]
	if kind == nil {
		kind = &Kind{Kind: outcome.Kind}
		t.kinds[outcome.Kind] = kind
	}
	kind.Count++
	if len(kind.Examples) < maxExamples {
		connection := "kept"
		if outcome.Fresh {
			connection = "fresh"
		}
		kind.Examples = append(kind.Examples, Example{Time: now, Connection: connection, Detail: outcome.Detail})
	}
}

func (t *Tally) progress(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%5.0f s  %d requests  %d failed", now.Sub(t.start).Seconds(), t.requests, t.failed)
}

func (t *Tally) summary(options Options) Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	summary := Summary{
		Target: "http://" + options.Address + options.Path, Host: options.Host, Rate: options.Rate,
		Seconds: t.end.Sub(t.start).Seconds(), Requests: t.requests, Failed: t.failed,
		Kinds: []Kind{}, Answers: maps.Clone(t.answers),
	}
	for _, kind := range t.kinds {
		summary.Kinds = append(summary.Kinds, *kind)
	}
	slices.SortFunc(summary.Kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	slices.Sort(t.latencies)
	summary.P50, summary.P95 = percentile(t.latencies, 50), percentile(t.latencies, 95)
	summary.P99, summary.Max = percentile(t.latencies, 99), percentile(t.latencies, 100)
	return summary
}

// percentile is the smallest latency that at least that share of the sorted ones does not exceed, in milliseconds.
func percentile(sorted []time.Duration, percent float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return float64(sorted[max(rank, 1)-1].Microseconds()) / 1000
}

func (s Summary) write(out io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	_, err := io.WriteString(out, s.text())
	return err
}

func (s Summary) text() string {
	text := fmt.Sprintf("%d requests in %.1f s, %d failed\n", s.Requests, s.Seconds, s.Failed)
	if s.Requests > s.Failed {
		text += fmt.Sprintf("latency: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms\n", s.P50, s.P95, s.P99, s.Max)
	}
	for _, value := range slices.Sorted(maps.Keys(s.Answers)) {
		text += fmt.Sprintf("answered by %s: %d\n", value, s.Answers[value])
	}
	for _, kind := range s.Kinds {
		text += fmt.Sprintf("failed, %s: %d\n", kind.Kind, kind.Count)
		for _, example := range kind.Examples {
			text += fmt.Sprintf("  %s %s: %s\n", example.Time.Format("15:04:05.000"), example.Connection, example.Detail)
		}
	}
	return text
}

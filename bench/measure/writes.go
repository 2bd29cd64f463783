package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kind is one sort of write of an update, and how many of it are allowed.
type Kind struct {
	name    string
	allowed int
	fits    func(Event) bool
}

// An update of one Web component changes one child: its Deployment.
var kinds = []Kind{
	{"revision", 1, is("create", "controllerrevisions")},
	{"annotation on it", 1, is("patch", "controllerrevisions")},
	{"changed child (the Deployment)", 1, is("patch", "deployments")},
	{"status", 4, func(e Event) bool { return e.resource() == "environments/status" }},
	{"clearing away", 1, func(e Event) bool { return e.Verb == "delete" }},
	{"anything else", 0, func(Event) bool { return true }},
}

func is(verb, resource string) func(Event) bool {
	return func(e Event) bool { return e.Verb == verb && e.resource() == resource }
}

// Tally is how many writes of each kind each update took, and how many requests that only read.
type Tally struct {
	counts [][]int // by kind, by update
	reads  []int   // by update
	others []string
}

// countWrites looks at what our controller asked for between one change of its settled object and the next. Events are
// apart, and so are watches.
func countWrites(events []Event, samples []Sample) Tally {
	tally := Tally{counts: make([][]int, len(kinds))}
	mine := slices.DeleteFunc(slices.Clone(samples), func(sample Sample) bool { return sample.Contender != ours })
	for index, sample := range mine {
		var end time.Time
		if index+1 < len(mine) {
			end = mine[index+1].Change.Received
		}
		if sample.Pace == settled {
			tally.add(between(events, sample.Cause.User.Name, sample.Change.Received, end))
		}
	}
	return tally
}

// between: without an end, all from the beginning on.
func between(events []Event, user string, begin, end time.Time) []Event {
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		return e.User.Name != user || e.Object.Namespace != oursNamespace || e.Object.Resource == "events" ||
			e.Received.Before(begin) || (!end.IsZero() && !e.Received.Before(end))
	})
}

func (t *Tally) add(events []Event) {
	counts, reads := make([]int, len(kinds)), 0
	for _, event := range events {
		switch {
		case event.isWrite():
			kind := slices.IndexFunc(kinds, func(kind Kind) bool { return kind.fits(event) })
			counts[kind]++
			if kind == len(kinds)-1 {
				t.others = append(t.others, fmt.Sprintf("%s %s %s: %d", event.Verb, event.resource(), event.Object.Name, event.Response.Code))
			}
		case event.Verb != "watch":
			reads++
		}
	}
	for kind, count := range counts {
		t.counts[kind] = append(t.counts[kind], count)
	}
	t.reads = append(t.reads, reads)
}

// excess says which kinds were written more often than allowed.
func (t Tally) excess() []string {
	var excess []string
	for index, kind := range kinds {
		if most := slices.Max(append([]int{0}, t.counts[index]...)); most > kind.allowed {
			excess = append(excess, fmt.Sprintf("%s: %d, allowed %d", kind.name, most, kind.allowed))
		}
	}
	return append(excess, t.others...)
}

// count counts what our controller asks for, until the time is over or somebody ends it, and lists what it creates.
func count(ctx context.Context, log *Log, o Options) error {
	begin := time.Now()
	_ = sleep(ctx, o.quiet)
	took := time.Since(begin)
	// What was asked for last may not be read yet.
	time.Sleep(2 * pause)
	writes, reads := 0, 0
	var created strings.Builder
	for _, event := range log.all() {
		switch {
		case event.User.Name != o.user || event.Verb == "watch":
		case event.isWrite():
			writes++
		default:
			reads++
		}
		if event.User.Name == o.user && event.Verb == "create" && event.Response.Code == http.StatusCreated {
			fmt.Fprintf(&created, "%s %s %d\n", event.resource(), event.Object.Name, event.Received.UnixMicro())
		}
	}
	text := fmt.Sprintf("%d writes and %d reads in %d s\n", writes, reads, int(took.Round(time.Second).Seconds()))
	if err := os.WriteFile(filepath.Join(o.out, "created"), []byte(created.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "rest"), []byte(text), 0o644)
}

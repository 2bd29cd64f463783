package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const line = `{"kind":"Event","level":"Metadata","auditID":"a1","stage":"ResponseComplete","verb":"patch",` +
	`"user":{"username":"towpath"},"objectRef":{"resource":"environments","namespace":"bench-towpath","name":"web",` +
	`"subresource":"status"},"responseStatus":{"metadata":{},"code":200},` +
	`"requestReceivedTimestamp":"2030-01-01T10:00:00.000250Z","stageTimestamp":"2030-01-01T10:00:00.002750Z"}` + "\n"

func event(user, verb, resource string, received, completed time.Duration) Event {
	name, subresource, _ := strings.Cut(resource, "/")
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return Event{
		Verb: verb, User: User{user}, Object: Object{name, subresource, oursNamespace, "web"}, Response: Response{200},
		Received: begin.Add(received), Completed: begin.Add(completed),
	}
}

func TestAnEventIsReadToTheMicrosecond(t *testing.T) {
	event, err := parseEvent([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if event.resource() != "environments/status" || !event.isWrite() || event.Response.Code != 200 {
		t.Errorf("read as %+v", event)
	}
	if took := event.Completed.Sub(event.Received); took != 2500*time.Microsecond {
		t.Errorf("took %s", took)
	}
}

func TestTheLogIsFollowedOverARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	write := func(text string) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.ReplaceAll(line, "a1", "before it is followed"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, err := followAudit(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	// A line that is written in two parts, and one of a namespace that is nobody's business.
	write(line[:40])
	time.Sleep(2 * pause)
	write(line[40:] + strings.ReplaceAll(line, "bench-towpath", "kube-system"))
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	write(strings.ReplaceAll(line, "a1", "a2"))
	for _, id := range []string{"a1", "a2"} {
		if _, err := log.await(ctx, 0, func(event Event) bool { return event.AuditID == id }); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if log.length() != 2 {
		t.Errorf("%d events are kept", log.length())
	}
}

func TestTheWriteThatWasSentFirstIsTheCause(t *testing.T) {
	late := event("towpath", "patch", "deployments", 9*time.Millisecond, 10*time.Millisecond)
	early := event("towpath", "patch", "deployments", 5*time.Millisecond, 12*time.Millisecond)
	log := &Log{events: []Event{late, early}}
	found, ok, _ := log.find(0, Match{"towpath", "patch", "deployments", oursNamespace}.fits)
	if !ok || !found.Received.Equal(early.Received) {
		t.Errorf("found %+v", found)
	}
	if (Match{"towpath", "patch", "deployments", oursNamespace}).fits(event("towpath", "patch", "deployments/status", 0, 0)) {
		t.Error("a status is taken for the object")
	}
}

func TestWritesAreCountedFromChangeToChange(t *testing.T) {
	second := time.Second
	events := []Event{
		event("towpath", "create", "controllerrevisions", 1*second, 1*second),
		event("towpath", "patch", "deployments", 2*second, 2*second),
		event("admin", "patch", "deployments", 3*second, 3*second),
		event("towpath", "create", "events", 4*second, 4*second),
		event("towpath", "get", "pods", 5*second, 5*second),
		event("towpath", "create", "controllerrevisions", 11*second, 11*second),
		event("towpath", "patch", "deployments", 12*second, 12*second),
		event("towpath", "patch", "deployments", 13*second, 13*second),
		event("towpath", "update", "services", 14*second, 14*second),
		event("towpath", "patch", "pods", 16*second, 16*second),
	}
	change := func(at time.Duration) Sample {
		return Sample{
			Contender: ours, Pace: settled, Change: event("admin", "patch", "environments", at, at),
			Cause: event("towpath", "patch", "deployments", at, at),
		}
	}
	hurried := change(15 * second)
	hurried.Pace = succession
	tally := countWrites(events, []Sample{change(0), change(10 * second), hurried})
	want := []string{
		"changed child (the Deployment): 2, allowed 1", "anything else: 1, allowed 0", "update services web: 200",
	}
	if excess := tally.excess(); strings.Join(excess, "; ") != strings.Join(want, "; ") {
		t.Errorf("excess %q", excess)
	}
	if table := writesTable(tally); !strings.Contains(table, "| revision | 1 | 1 | 1 |") || tally.reads[0] != 1 {
		t.Error(table)
	}
}

func TestPercentiles(t *testing.T) {
	var sorted []time.Duration
	for second := 1; second <= 60; second++ {
		sorted = append(sorted, time.Duration(second)*time.Second)
	}
	for percent, want := range map[float64]time.Duration{50: 30 * time.Second, 90: 54 * time.Second, 99: 60 * time.Second, 100: 60 * time.Second} {
		if got := percentile(sorted, percent); got != want {
			t.Errorf("p%v is %s", percent, got)
		}
	}
	if percentile(nil, 50) != 0 {
		t.Error("nothing has a percentile")
	}
}

func TestObservedGenerationMayBeAString(t *testing.T) {
	for raw, want := range map[string]bool{`3`: true, `"3"`: true, `2`: false, ``: false} {
		var live Live
		live.Metadata.Generation = 3
		live.Status.ObservedGeneration = []byte(raw)
		if live.observed() != want {
			t.Errorf("%q: %v", raw, !want)
		}
	}
}

func TestAnEnvironmentIsSettledWhenReadyAtItsGeneration(t *testing.T) {
	live := Live{}
	live.Metadata.Generation = 2
	live.Status.ObservedGeneration = []byte("2")
	live.Status.Conditions = []Condition{{"Ready", "True", 1}}
	if environmentSettled(live) {
		t.Error("an earlier generation's condition counts")
	}
	live.Status.Conditions[0].ObservedGeneration = 2
	if !environmentSettled(live) {
		t.Error("it is not settled")
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Event is one answered request, as the audit log tells it.
type Event struct {
	AuditID   string    `json:"auditID"`
	Stage     string    `json:"stage"`
	Verb      string    `json:"verb"`
	User      User      `json:"user"`
	Object    Object    `json:"objectRef"`
	Response  Response  `json:"responseStatus"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	Completed time.Time `json:"stageTimestamp"`
}

// User is who asked.
type User struct {
	Name string `json:"username"`
}

// Object is what was asked for.
type Object struct {
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
}

// Response is what was answered.
type Response struct {
	Code int `json:"code"`
}

func (e Event) isWrite() bool {
	switch e.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// resource is the resource with its subresource, as in `environments/status`.
func (e Event) resource() string {
	if e.Object.Subresource == "" {
		return e.Object.Resource
	}
	return e.Object.Resource + "/" + e.Object.Subresource
}

func parseEvent(line []byte) (Event, error) {
	var event Event
	err := json.Unmarshal(line, &event)
	return event, err
}

// Log keeps the events of interest as they are written.
type Log struct {
	mu     sync.Mutex
	events []Event
	writes int
	failed error
}

// Only these namespaces are kept; everything else is dropped before it is parsed.
const prefix = "bench-"

// pause is how long the follower sleeps when there is nothing new. It delays nothing that is measured.
const pause = 50 * time.Millisecond

// followAudit reads what is written from now on, also over a rotation of the file.
func followAudit(ctx context.Context, path string) (*Log, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the audit log: %w", err)
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	log := &Log{}
	go func() {
		err := log.follow(ctx, path, file)
		log.mu.Lock()
		defer log.mu.Unlock()
		log.failed = err
	}()
	return log, nil
}

func (l *Log) follow(ctx context.Context, path string, file *os.File) error {
	for ctx.Err() == nil {
		if err := l.readToEnd(ctx, path, file); err != nil {
			return err
		}
		next, err := os.Open(path)
		if err != nil {
			return err
		}
		file = next
	}
	return ctx.Err()
}

// readToEnd returns when another file has taken the path, and this one is read.
func (l *Log) readToEnd(ctx context.Context, path string, file *os.File) error {
	defer file.Close()
	reader := bufio.NewReaderSize(file, 1<<16)
	var line []byte
	for ctx.Err() == nil {
		part, err := reader.ReadBytes('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			if err := l.take(line); err != nil {
				return err
			}
			line = line[:0]
		case !errors.Is(err, io.EOF):
			return err
		case replaced(path, file) && len(part) == 0:
			return nil
		default:
			time.Sleep(pause)
		}
	}
	return ctx.Err()
}

func replaced(path string, file *os.File) bool {
	now, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := file.Stat()
	return err == nil && !os.SameFile(now, open)
}

func (l *Log) take(line []byte) error {
	if !bytes.Contains(line, []byte(`"namespace":"`+prefix)) {
		return nil
	}
	event, err := parseEvent(line)
	if err != nil {
		return fmt.Errorf("the audit log has a line that is no event: %w", err)
	}
	if event.Stage == "ResponseComplete" && event.Object.Resource != "leases" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, event)
		if event.isWrite() {
			l.writes++
		}
	}
	return nil
}

// all is every event so far, in the order in which they were answered.
func (l *Log) all() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Event(nil), l.events...)
}

// length is how many events there are.
func (l *Log) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// find returns the first event to be received that matches, of those from this one on.
func (l *Log) find(from int, matches func(Event) bool) (Event, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first Event
	found := false
	for _, event := range l.events[from:] {
		if matches(event) && (!found || event.Received.Before(first.Received)) {
			first, found = event, true
		}
	}
	return first, found, l.failed
}

var errPatience = fmt.Errorf("no such request within %s", patience)

// await waits until an event matches.
func (l *Log) await(ctx context.Context, from int, matches func(Event) bool) (Event, error) {
	deadline := time.Now().Add(patience)
	for {
		event, found, err := l.find(from, matches)
		if found || err != nil {
			return event, err
		}
		if time.Now().After(deadline) {
			return Event{}, errPatience
		}
		if err := sleep(ctx, pause); err != nil {
			return Event{}, err
		}
	}
}

// quiet waits until nothing was written for a while, or patience is over: then something writes for ever.
func (l *Log) quiet(ctx context.Context, while, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	count, since := -1, time.Now()
	for time.Since(since) < while && time.Now().Before(deadline) {
		if now := l.written(); now != count {
			count, since = now, time.Now()
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) written() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes
}

func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(duration):
		return nil
	}
}

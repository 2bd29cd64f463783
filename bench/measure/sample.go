package main

import (
	"context"
	"fmt"
	"time"
)

// Sample is one change and what it caused.
type Sample struct {
	Contender string
	Change    Event
	Cause     Event
	Before    *Event // the write that had to come before
}

// delay is from the answered change to the arrival of the write that it causes.
func (s Sample) delay() time.Duration { return s.Cause.Received.Sub(s.Change.Completed) }

const (
	patience       = 30 * time.Second
	settlePatience = 2 * time.Minute
	// Between two looks at an object that settles, and before the next change.
	lookEvery = 250 * time.Millisecond
	rest      = 700 * time.Millisecond
)

// sampleAll changes one object after the other, round by round; nothing else is under way when one is changed.
func sampleAll(ctx context.Context, client *Client, log *Log, o Options) ([]Sample, error) {
	all := contenders(o.user)
	var samples []Sample
	for round := 0; round < o.rounds; round++ {
		for _, contender := range all {
			if o.only != "" && o.only != contender.name {
				continue
			}
			sample, err := sampleOne(ctx, client, log, contender, o.images[(round+1)%2])
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", contender.name, round+1, err)
			}
			samples = append(samples, sample)
		}
		if (round+1)%10 == 0 {
			fmt.Printf("    %d of %d rounds\n", round+1, o.rounds)
		}
	}
	return samples, nil
}

func sampleOne(ctx context.Context, client *Client, log *Log, contender Contender, image string) (Sample, error) {
	sample := Sample{Contender: contender.name}
	if err := log.quiet(ctx, rest, 4*rest); err != nil {
		return sample, err
	}
	from := log.length()
	id, err := client.replace(ctx, contender.path, contender.field, image)
	if err != nil {
		return sample, err
	}
	sample.Change, err = log.await(ctx, from, func(event Event) bool { return event.AuditID == id })
	if err != nil {
		return sample, fmt.Errorf("the change is not in the audit log: %w", err)
	}
	caused := func(match Match) func(Event) bool {
		return func(event Event) bool { return match.fits(event) && event.Received.After(sample.Change.Received) }
	}
	sample.Cause, err = log.await(ctx, from, caused(contender.cause))
	if err != nil {
		return sample, fmt.Errorf("%s: %w", contender.cause, err)
	}
	if contender.before != nil {
		before, found, err := log.find(from, caused(*contender.before))
		if err != nil {
			return sample, err
		}
		if !found || !before.Completed.Before(sample.Cause.Received) {
			return sample, fmt.Errorf("%s did not come before %s", contender.before, contender.cause)
		}
		sample.Before = &before
	}
	return sample, settle(ctx, client, contender)
}

func settle(ctx context.Context, client *Client, contender Contender) error {
	deadline := time.Now().Add(settlePatience)
	for {
		live, err := client.get(ctx, contender.path)
		if err != nil {
			return err
		}
		if contender.settled(live) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it has not settled within %s", settlePatience)
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

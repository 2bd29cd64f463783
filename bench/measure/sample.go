package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Sample is one change and what it caused.
type Sample struct {
	Contender string
	Pace      Pace
	Change    Event
	Cause     Event
	Before    *Event // the write that had to come before
	Lost      bool   // nothing was caused, for as long as patience lasts
}

// delay is from the answered change to the arrival of the write that it causes.
func (s Sample) delay() time.Duration { return s.Cause.Received.Sub(s.Change.Completed) }

// Pace is what a change waits for.
type Pace string

const (
	// Everything has settled: the controllers have nothing else to do.
	settled Pace = "settled"
	// The write of the change before was seen: pods of it are still starting and ending.
	succession Pace = "in succession"
)

const (
	patience       = 30 * time.Second
	settlePatience = 2 * time.Minute
	// Between two looks at an object that settles, and before the next change.
	lookEvery = 250 * time.Millisecond
	rest      = 700 * time.Millisecond
	// Changes of an object in succession before another one has its turn.
	block = 20
)

// Sampler changes one object at a time.
type Sampler struct {
	client  *Client
	log     *Log
	options Options
	number  int // of changes
	samples []Sample
}

// all changes one object after the other, round by round: first each when all is settled, then each in succession.
func (s *Sampler) all(ctx context.Context) error {
	for round := range s.options.rounds {
		for _, contender := range s.contenders() {
			if err := s.one(ctx, contender, settled); err != nil {
				return err
			}
		}
		if (round+1)%10 == 0 {
			fmt.Printf("    settled: %d of %d rounds\n", round+1, s.options.rounds)
		}
	}
	for range s.options.blocks {
		for _, contender := range s.contenders() {
			for range block {
				if err := s.one(ctx, contender, succession); err != nil {
					return err
				}
			}
			if err := s.settle(ctx, contender); err != nil {
				return err
			}
		}
	}
	fmt.Printf("    in succession: %d changes of each\n", s.options.blocks*block)
	return nil
}

func (s *Sampler) contenders() []Contender {
	return slices.DeleteFunc(contenders(s.options.user), func(contender Contender) bool {
		return s.options.only != "" && s.options.only != contender.name
	})
}

func (s *Sampler) one(ctx context.Context, contender Contender, pace Pace) error {
	if pace == settled {
		if err := s.log.quiet(ctx, rest, 4*rest); err != nil {
			return err
		}
	}
	sample, err := s.change(ctx, contender)
	if err != nil {
		return fmt.Errorf("%s, %s, change %d: %w", contender.name, pace, s.number, err)
	}
	sample.Pace = pace
	s.samples = append(s.samples, sample)
	if pace == settled {
		return s.settle(ctx, contender)
	}
	return nil
}

func (s *Sampler) change(ctx context.Context, contender Contender) (Sample, error) {
	sample := Sample{Contender: contender.name}
	from := s.log.length()
	s.number++
	// Odd after even and even after odd, whoever has its turn.
	image := s.options.images[1-s.turns(contender)%2]
	id, err := s.client.replace(ctx, contender.path, contender.fields(image, s.number))
	if err != nil {
		return sample, err
	}
	sample.Change, err = s.log.await(ctx, from, func(event Event) bool { return event.AuditID == id })
	if err != nil {
		return sample, fmt.Errorf("the change is not in the audit log: %w", err)
	}
	caused := func(match Match) func(Event) bool {
		return func(event Event) bool { return match.fits(event) && event.Received.After(sample.Change.Received) }
	}
	sample.Cause, err = s.log.await(ctx, from, caused(contender.cause))
	if errors.Is(err, errPatience) && contender.name != ours {
		sample.Lost = true
		return sample, nil
	}
	if err != nil {
		return sample, fmt.Errorf("%s: %w", contender.cause, err)
	}
	if contender.before == nil {
		return sample, nil
	}
	before, found, err := s.log.find(from, caused(*contender.before))
	if err == nil && (!found || !before.Completed.Before(sample.Cause.Received)) {
		err = fmt.Errorf("%s did not come before %s", contender.before, contender.cause)
	}
	sample.Before = &before
	return sample, err
}

// turns is how often an object was changed.
func (s *Sampler) turns(contender Contender) int {
	turns := 0
	for _, sample := range s.samples {
		if sample.Contender == contender.name {
			turns++
		}
	}
	return turns
}

func (s *Sampler) settle(ctx context.Context, contender Contender) error {
	deadline := time.Now().Add(settlePatience)
	for {
		live, err := s.client.get(ctx, contender.path)
		if err != nil {
			return err
		}
		if contender.settled(live) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s has not settled within %s", contender.name, settlePatience)
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

package main

import (
	"context"
	"math"
	"sync"
	"time"
)

// run sends requests at a constant rate until ctx ends, and returns when the last one is answered or given up. It is an
// open loop: the next request is due at its time, whether the ones before it are answered or not.
func run(ctx context.Context, options Options, client *Client, tally *Tally) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	start := time.Now()
	for number := 0; ; number++ {
		due := start.Add(time.Duration(float64(number) / options.Rate * float64(time.Second)))
		if !waitUntil(ctx, due) {
			return
		}
		fresh := isFresh(number, options.Fresh)
		underWay.Go(func() {
			late := time.Since(due)
			outcome := client.ask(fresh)
			// Counted from when it was due: a request that could not even be sent in time was slow for its user.
			outcome.Latency += late
			tally.add(time.Now(), outcome)
		})
	}
}

// isFresh spreads the share evenly over the requests.
func isFresh(number int, share float64) bool {
	return math.Floor(float64(number+1)*share) > math.Floor(float64(number)*share)
}

// waitUntil says whether there is still something to do then.
func waitUntil(ctx context.Context, due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

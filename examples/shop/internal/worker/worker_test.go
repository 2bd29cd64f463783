package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// queueFunc is a queue made of one function.
type queueFunc func(ctx context.Context) (int, error)

func (f queueFunc) PackOrders(ctx context.Context, _ int) (int, error) { return f(ctx) }

func TestTheBatchInHandIsFinishedWhenTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		batches := 0
		Run(ctx, queueFunc(func(batch context.Context) (int, error) {
			batches++
			stop()
			time.Sleep(time.Second)
			if err := batch.Err(); err != nil {
				t.Errorf("the batch was cancelled: %v", err)
			}
			return batchSize, nil
		}))
		if batches != 1 {
			t.Errorf("%d batches were taken, one before and none after the stop is right", batches)
		}
	})
}

func TestTheWorkerGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		start, tries := time.Now(), 0
		Run(ctx, queueFunc(func(context.Context) (int, error) {
			tries++
			if tries == 1 {
				return 0, errors.New("the database is down")
			}
			stop()
			return 0, nil
		}))
		if waited := time.Since(start); tries != 2 || waited != failurePause {
			t.Errorf("%d tries with a pause of %s", tries, waited)
		}
	})
}

// Package worker packs the orders that the web server takes.
package worker

import (
	"context"
	"log/slog"
	"time"
)

const (
	batchSize    = 10
	batchTimeout = 10 * time.Second
	idlePause    = time.Second
	failurePause = 3 * time.Second
)

// Queue holds the orders.
type Queue interface {
	PackOrders(ctx context.Context, limit int) (int, error)
}

// Run packs orders until ctx ends. A batch in hand is finished first.
func Run(ctx context.Context, queue Queue) {
	slog.Info("worker started")
	for ctx.Err() == nil {
		pause(ctx, packBatch(ctx, queue))
	}
	slog.Info("worker drained")
}

// packBatch packs one batch and says how long to wait for the next.
func packBatch(ctx context.Context, queue Queue) time.Duration {
	// Not cancelled with ctx: being told to stop is no reason to drop the batch.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	packed, err := queue.PackOrders(ctx, batchSize)
	if err != nil {
		slog.Error("orders cannot be packed now", "error", err)
		return failurePause
	}
	if packed == 0 {
		return idlePause
	}
	slog.Info("packed orders", "count", packed)
	return 0
}

func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

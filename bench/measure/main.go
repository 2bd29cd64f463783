// Measure changes one object at a time and reads from the apiserver's audit log what each controller then writes, and
// when. It reads no clock of its own: both ends of every delay are the apiserver's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	options, err := parseOptions(args)
	if err != nil {
		return err
	}
	client, err := newClient(options)
	if err != nil {
		return err
	}
	log, err := followAudit(ctx, options.audit)
	if err != nil {
		return err
	}
	if options.quiet > 0 {
		return count(ctx, log, options)
	}
	sampler := &Sampler{client: client, log: log, options: options}
	if err := sampler.all(ctx); err != nil {
		return err
	}
	return writeResults(options, sampler.samples, countWrites(log.all(), sampler.samples))
}

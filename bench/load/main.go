// Load sends requests at a constant rate and counts every one that fails. It never tries again, so that no failure is
// hidden by a second try that went well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	options, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Back to the default, so that a second signal ends it at once.
	context.AfterFunc(ctx, stop)
	ctx, cancel := context.WithTimeout(ctx, options.Duration)
	defer cancel()
	if options.UntilFile != "" {
		go cancelWhenThere(ctx, cancel, options.UntilFile)
	}

	summary := measure(ctx, options)
	if err := summary.write(os.Stdout, options.JSON); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
	}
}

// measure runs the load until ctx ends, telling a person who watches how it goes.
func measure(ctx context.Context, options Options) Summary {
	tally := newTally(time.Now())
	quiet := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		if isTerminal(os.Stderr) {
			tellProgress(tally, quiet)
		}
	}()
	run(ctx, options, newClient(options), tally)
	close(quiet)
	<-told
	return tally.summary(options)
}

func tellProgress(tally *Tally, quiet <-chan struct{}) {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-quiet:
			// The summary starts on a clean line.
			fmt.Fprint(os.Stderr, "\r\033[K")
			return
		case now := <-ticker.C:
			fmt.Fprint(os.Stderr, "\r\033[K", tally.progress(now))
		}
	}
}

func cancelWhenThere(ctx context.Context, cancel context.CancelFunc, path string) {
	for ctx.Err() == nil {
		if _, err := os.Stat(path); err == nil {
			cancel()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

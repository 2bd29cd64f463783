package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// drainTimeout is under the platform's default drainSeconds of 20, after which the process is killed.
const drainTimeout = 15 * time.Second

// Serve answers on listener until ctx ends, and then lets requests in flight finish. The platform waits before it ends a
// pod (preStop), so by then no new request comes.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		// Longer than proxies keep idle connections, so that it is never the server that closes one just as it is used.
		IdleTimeout: 120 * time.Second,
	}
	slog.Info("web server started", "address", listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(errors.New("requests were still running when the time to drain was over"), err)
	}
	slog.Info("web server drained")
	return nil
}

package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestARequestInFlightIsFinishedWhenTheServerStops(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	arrived, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "finished")
	})
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, listener, handler) }()
	answered := make(chan string, 1)
	go func() { answered <- ask("http://" + listener.Addr().String()) }()

	<-arrived
	stop()
	select {
	case err := <-served:
		t.Fatalf("the server ended with a request in flight: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if answer := <-answered; answer != "finished" {
		t.Errorf("the request in flight got %q", answer)
	}
	if err := <-served; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func ask(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

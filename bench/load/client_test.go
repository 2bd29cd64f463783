package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts a server and a client for it.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return clientFor(server.Listener.Addr().String())
}

func clientFor(address string) *Client {
	return newClient(Options{Address: address, Path: "/", Host: "shop.localhost", Header: "Shop-Version"})
}

// reset ends the connection of a request with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func TestAnAnswerCountsByItsHeader(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Shop-Version", "v1 for "+r.Host)
		w.WriteHeader(http.StatusFound)
	})
	if got := client.ask(false); got.Kind != "" || got.Label != "v1 for shop.localhost" {
		t.Errorf("got %+v", got)
	}
}

func TestAKeptConnectionIsUsedAgainAndAFreshOneIsNot(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := clientFor(server.Listener.Addr().String())
	for range 5 {
		client.ask(false)
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("5 kept requests took %d connections", got)
	}
	for range 5 {
		client.ask(true)
	}
	if got := connections.Load(); got != 6 {
		t.Errorf("after 5 fresh requests there were %d connections", got)
	}
}

// killer answers the first request of each connection, and kills the connection at the second.
func killer(asked *atomic.Int32) http.HandlerFunc {
	var last atomic.Value
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if last.Swap(r.RemoteAddr) == r.RemoteAddr {
			reset(w)
		}
	}
}

func TestAKilledKeptConnectionIsAFailureAndIsNotTriedAgain(t *testing.T) {
	var asked atomic.Int32
	client := serve(t, killer(&asked))
	if first := client.ask(false); first.Kind != "" {
		t.Fatalf("the first request: %+v", first)
	}
	if second := client.ask(false); second.Kind != "reset" {
		t.Errorf("the second request: %+v", second)
	}
	if got := asked.Load(); got != 2 {
		t.Errorf("2 requests were sent %d times", got)
	}
	if third := client.ask(false); third.Kind != "" {
		t.Errorf("the third request did not get a new connection: %+v", third)
	}
}

// The reason for a client of our own. Should this test fail one day, the standard client would do.
func TestTheStandardClientHidesAKilledConnection(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(killer(&asked))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{}}
	for range 2 {
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	if got := asked.Load(); got != 3 {
		t.Errorf("2 requests were sent %d times", got)
	}
}

func TestAConnectionClosedWhileIdleIsAFailure(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	closed := make(chan struct{})
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 1024))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
		close(closed)
	}()
	client := clientFor(listener.Addr().String())
	if first := client.ask(false); first.Kind != "" {
		t.Fatalf("the first request: %+v", first)
	}
	<-closed
	if second := client.ask(false); second.Kind != "reset" {
		t.Errorf("the second request: %+v", second)
	}
}

func TestAnErrorStatusIsAFailureOfItsOwnKind(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for _, fresh := range []bool{true, false} {
		if got := client.ask(fresh); got.Kind != "status 500" || got.Fresh != fresh {
			t.Errorf("got %+v", got)
		}
	}
}

func TestAnAnswerCutShortIsAFailure(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "not all of it")
	})
	if got := client.ask(true); got.Kind != "reset" {
		t.Errorf("got %+v", got)
	}
}

func TestASlowAnswerIsATimeout(t *testing.T) {
	release := make(chan struct{})
	client := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	client.timeout = 100 * time.Millisecond
	if got := client.ask(false); got.Kind != "timeout" || got.Latency < client.timeout {
		t.Errorf("got %+v", got)
	}
	if requestTimeout != 5*time.Second {
		t.Errorf("the real limit is %s", requestTimeout)
	}
}

func TestASlowBodyIsATimeoutToo(t *testing.T) {
	release := make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a beginning")
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	defer close(release)
	client.timeout = 100 * time.Millisecond
	if got := client.ask(false); got.Kind != "timeout" {
		t.Errorf("got %+v", got)
	}
}

func TestAPortWhereNobodyListensRefuses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if got := clientFor(listener.Addr().String()).ask(true); got.Kind != "refused" {
		t.Errorf("got %+v", got)
	}
}

func TestAnswersThatAreNotHTTPAreFailures(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(conn, "hello\n")
		conn.Close()
	})
	if got := client.ask(true); got.Kind != "other" || !strings.Contains(got.Detail, "malformed") {
		t.Errorf("got %+v", got)
	}
}

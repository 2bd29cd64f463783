package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func runFor(t *testing.T, options Options, handler http.HandlerFunc) Summary {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	options.Address, options.Path, options.Host = server.Listener.Addr().String(), "/", "shop.localhost"
	ctx, cancel := context.WithTimeout(t.Context(), options.Duration)
	defer cancel()
	tally := newTally(time.Now())
	run(ctx, options, newClient(options), tally)
	return tally.summary(options)
}

func TestTheRateIsKept(t *testing.T) {
	summary := runFor(t, Options{Rate: 200, Duration: time.Second, Fresh: 0.5}, func(http.ResponseWriter, *http.Request) {})
	if summary.Requests < 195 || summary.Requests > 201 || summary.Failed != 0 {
		t.Errorf("got %s", summary.text())
	}
}

func TestALateAnswerDoesNotHoldUpTheOthers(t *testing.T) {
	release := make(chan struct{})
	time.AfterFunc(800*time.Millisecond, func() { close(release) })
	var asked atomic.Int32
	summary := runFor(t, Options{Rate: 100, Duration: time.Second}, func(http.ResponseWriter, *http.Request) {
		if asked.Add(1)%10 == 0 {
			<-release
		}
	})
	if summary.Requests < 95 || summary.Failed != 0 {
		t.Errorf("got %s", summary.text())
	}
	if summary.P50 > 100 || summary.Max < 600 {
		t.Errorf("one in ten waits up to 800 ms, but: %s", summary.text())
	}
}

func TestWhatIsUnderWayAtTheEndIsStillCounted(t *testing.T) {
	summary := runFor(t, Options{Rate: 10, Duration: 250 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(300 * time.Millisecond)
		w.WriteHeader(http.StatusBadGateway)
	})
	if summary.Requests != 3 || summary.Failed != 3 {
		t.Errorf("got %s", summary.text())
	}
}

func TestFreshRequestsAreSpreadEvenly(t *testing.T) {
	for _, share := range []float64{0, 0.1, 0.5, 1} {
		fresh := 0
		for number := range 1000 {
			if isFresh(number, share) {
				fresh++
			}
		}
		if want := int(share * 1000); fresh < want-1 || fresh > want {
			t.Errorf("%d of 1000 at a share of %g", fresh, share)
		}
	}
}

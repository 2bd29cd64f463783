package main

import (
	"strings"
	"testing"
	"time"
)

func TestOnlyThisMachineIsAsked(t *testing.T) {
	for url, address := range map[string]string{
		"http://127.0.0.1:8080/": "127.0.0.1:8080",
		"http://127.9.9.9/":      "127.9.9.9:80",
		"http://[::1]:8080/":     "[::1]:8080",
		"http://198.18.0.1/":     "198.18.0.1:80",
		"http://198.19.255.255/": "198.19.255.255:80",
	} {
		if got, err := parseOptions([]string{"-url", url}); err != nil || got.Address != address {
			t.Errorf("%s: got %q, %v", url, got.Address, err)
		}
	}
	for _, url := range []string{
		"http://198.20.0.1/", "http://10.0.0.1/", "http://0.0.0.0/", "http://[::]/", "http://localhost/",
		"http://127.0.0.1.example.com/", "http://127.0.0.1@192.0.2.1/", "https://127.0.0.1/", "127.0.0.1:8080", "",
	} {
		if _, err := parseOptions([]string{"-url", url}); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

func TestBoundsAreKept(t *testing.T) {
	for _, wrong := range []string{
		"-rate=0", "-rate=2001", "-rate=NaN", "-duration=0s", "-duration=61m", "-fresh=-0.1", "-fresh=1.1", "-fresh=NaN", "more",
	} {
		if _, err := parseOptions([]string{wrong}); err == nil {
			t.Errorf("%s was accepted", wrong)
		} else if name, _, _ := strings.Cut(wrong, "="); !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the message does not name it: %v", wrong, err)
		}
	}
}

func TestOptionsAreRead(t *testing.T) {
	got, err := parseOptions(strings.Fields(
		"-url http://127.0.0.1:8080/a?b=c -host shop.localhost -rate 50 -duration 5s -fresh 1 -header Shop-Version -json"))
	want := Options{
		Address: "127.0.0.1:8080", Path: "/a?b=c", Host: "shop.localhost", Rate: 50, Duration: 5 * time.Second,
		Fresh: 1, Header: "Shop-Version", JSON: true,
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

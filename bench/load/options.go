package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Bounds that keep a mistake small: requests wait for 5 s at most, so at most 10,000 are under way.
const (
	maxRate     = 2000
	maxDuration = time.Hour
)

// benchmarkRange is set aside for tests of networks (RFC 2544) and never leaves a machine.
var benchmarkRange = netip.MustParsePrefix("198.18.0.0/15")

// Options is what was asked for, checked.
type Options struct {
	Address   string // host:port to connect to
	Path      string
	Host      string
	Rate      float64
	Duration  time.Duration
	UntilFile string
	Fresh     float64
	Header    string
	JSON      bool
}

func parseOptions(args []string) (Options, error) {
	var o Options
	var target string
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&target, "url", "http://127.0.0.1:8080/", "what to ask: plain HTTP, an address of this machine")
	flags.StringVar(&o.Host, "host", "", "the Host header (default: that of the URL)")
	flags.Float64Var(&o.Rate, "rate", 100, "requests a second, up to 2000")
	flags.DurationVar(&o.Duration, "duration", time.Minute, "how long, up to an hour")
	flags.StringVar(&o.UntilFile, "until-file", "", "end as soon as this file is there")
	flags.Float64Var(&o.Fresh, "fresh", 0.5, "share of requests over a connection of their own, 0 to 1; the others keep theirs")
	flags.StringVar(&o.Header, "header", "", "count the answers by the value of this header of theirs")
	flags.BoolVar(&o.JSON, "json", false, "print the summary as JSON")
	if err := flags.Parse(args); err != nil {
		return Options{}, err
	}
	if flags.NArg() > 0 {
		return Options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, errors.Join(o.setTarget(target), o.check())
}

// setTarget refuses what is not on this machine, before anything is sent. A name could be looked up as anything, so only
// an address counts.
func (o *Options) setTarget(target string) error {
	parsed, err := url.Parse(target)
	if err != nil || parsed.Scheme != "http" {
		return fmt.Errorf("-url must be a plain http:// URL, not %q", target)
	}
	address, err := netip.ParseAddr(parsed.Hostname())
	if err != nil || !(address.IsLoopback() || benchmarkRange.Contains(address)) {
		return fmt.Errorf("-url must name a loopback address or one of %s, not %q", benchmarkRange, parsed.Hostname())
	}
	port := parsed.Port()
	if port == "" {
		port = "80"
	}
	o.Address = net.JoinHostPort(address.String(), port)
	o.Path = parsed.RequestURI()
	if o.Host == "" {
		o.Host = parsed.Host
	}
	return nil
}

func (o *Options) check() error {
	var problems []error
	// Written so that NaN is refused too.
	if !(o.Rate > 0 && o.Rate <= maxRate) {
		problems = append(problems, fmt.Errorf("-rate must be over 0 and up to %d", maxRate))
	}
	if o.Duration <= 0 || o.Duration > maxDuration {
		problems = append(problems, fmt.Errorf("-duration must be over 0 and up to %s", maxDuration))
	}
	if !(o.Fresh >= 0 && o.Fresh <= 1) {
		problems = append(problems, errors.New("-fresh must be from 0 to 1"))
	}
	return errors.Join(problems...)
}

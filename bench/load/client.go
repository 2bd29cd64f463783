package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	// requestTimeout is for all of a request: connecting, asking and reading the whole answer.
	requestTimeout = 5 * time.Second
	// idleTimeout is shorter than any server's, so that no server closes a kept connection for being idle.
	idleTimeout = 10 * time.Second
	maxBody     = 10 << 20
)

// Outcome is how one request ended. Kind is empty for one that did not fail.
type Outcome struct {
	Kind    string
	Detail  string
	Fresh   bool
	Label   string
	Latency time.Duration
}

// Client asks over connections of its own making, and never asks twice. The standard library's client is not used,
// because it silently repeats a GET whose kept connection breaks, which is one of the failures to be counted.
type Client struct {
	options Options
	timeout time.Duration
	dialer  net.Dialer

	mu   sync.Mutex
	kept []*connection
}

type connection struct {
	net.Conn
	reader *bufio.Reader
	idleAt time.Time
}

func newClient(options Options) *Client { return &Client{options: options, timeout: requestTimeout} }

// ask sends one request and reads all of its answer.
func (c *Client) ask(fresh bool) Outcome {
	start := time.Now()
	ctx, cancel := context.WithDeadline(context.Background(), start.Add(c.timeout))
	defer cancel()
	outcome := Outcome{Fresh: fresh}
	label, err := c.exchange(ctx, fresh)
	outcome.Label = label
	outcome.Latency = time.Since(start)
	if err != nil {
		outcome.Kind, outcome.Detail = kindOf(err), err.Error()
	}
	return outcome
}

// exchange gives the value of the header by which answers are counted, also of a failed one.
func (c *Client) exchange(ctx context.Context, fresh bool) (string, error) {
	conn, err := c.connect(ctx, fresh)
	if err != nil {
		return "", err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return "", err
	}
	response, err := c.roundTrip(conn, fresh)
	if err != nil {
		conn.Close()
		return "", err
	}
	if fresh || response.Close {
		conn.Close()
	} else {
		c.keep(conn)
	}
	label := response.Header.Get(c.options.Header)
	if response.StatusCode < 200 || response.StatusCode > 399 {
		return label, statusError(response.StatusCode)
	}
	return label, nil
}

// roundTrip returns the answer with its body already read.
func (c *Client) roundTrip(conn *connection, fresh bool) (*http.Response, error) {
	request := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: "http", Host: c.options.Address, Opaque: c.options.Path},
		Host:   c.options.Host,
		Header: http.Header{"User-Agent": {"towpath-load"}},
		Close:  fresh,
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(conn.reader, request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	read, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxBody+1))
	if err == nil && read > maxBody {
		err = fmt.Errorf("the body is over %d bytes", maxBody)
	}
	return response, err
}

func (c *Client) connect(ctx context.Context, fresh bool) (*connection, error) {
	if !fresh {
		if conn := c.takeKept(time.Now()); conn != nil {
			return conn, nil
		}
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", c.options.Address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn, reader: bufio.NewReader(conn)}, nil
}

// takeKept takes the connection that was idle for longest, so that all of them stay in use.
func (c *Client) takeKept(now time.Time) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.kept) > 0 {
		conn := c.kept[0]
		c.kept = c.kept[1:]
		if now.Sub(conn.idleAt) < idleTimeout {
			return conn
		}
		conn.Close()
	}
	return nil
}

func (c *Client) keep(conn *connection) {
	conn.idleAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, conn)
}

// statusError is an answer that says no.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("%d %s", int(s), http.StatusText(int(s))) }

// kindOf sorts failures into what a reader can act on.
func kindOf(err error) string {
	var status statusError
	var network net.Error
	switch {
	case errors.As(err, &status):
		return fmt.Sprintf("status %d", int(status))
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "other"
	}
}

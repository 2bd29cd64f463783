package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Client talks to the apiserver as its administrator.
type Client struct {
	server string
	http   http.Client
}

func newClient(o Options) (*Client, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(o.credentials, "admin.crt"), filepath.Join(o.credentials, "admin.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(o.credentials, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool},
		ForceAttemptHTTP2: true,
	}
	return &Client{o.server, http.Client{Transport: transport, Timeout: 30 * time.Second}}, nil
}

// Field is one of an object, by its JSON pointer, and its new value.
type Field struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// replace sets fields of an object, and returns the request's id in the audit log.
func (c *Client) replace(ctx context.Context, path string, fields []Field) (string, error) {
	for index := range fields {
		fields[index].Op = "replace"
	}
	patch, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	header, _, err := c.do(ctx, http.MethodPatch, path, patch)
	if err != nil {
		return "", err
	}
	id := header.Get("Audit-Id")
	if id == "" {
		return "", errors.New("the answer names no audit id")
	}
	return id, nil
}

// get reads the part of an object that says whether it is settled.
func (c *Client) get(ctx context.Context, path string) (Live, error) {
	_, body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return Live{}, err
	}
	var live Live
	err = json.Unmarshal(body, &live)
	return live, err
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) (http.Header, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/json-patch+json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<22))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, answer)
	}
	return response.Header, answer, err
}

// Package web is the shop's pages and its API.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath.dev/examples/shop/internal/store"
)

const (
	queryTimeout = 2 * time.Second
	maxFormBytes = 4096
	maxName      = 60
	maxPrice     = 100_000
)

// Release is what one release is told from outside.
type Release struct {
	Version string
	Healthy bool
}

// Shop is where the data is.
type Shop interface {
	Shelf(ctx context.Context) (store.Shelf, error)
	AddProduct(ctx context.Context, name string, cents int) error
	PlaceOrder(ctx context.Context, productID int64) error
}

type server struct {
	release Release
	shop    Shop
}

// Handler is everything that the shop answers. Each answer names the version that gave it.
func Handler(release Release, shop Shop) http.Handler {
	s := server{release, shop}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /api/products", s.listProducts)
	mux.HandleFunc("POST /products", s.addProduct)
	mux.HandleFunc("POST /orders", s.placeOrder)
	// Forms are taken from our own pages only.
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Shop-Version", release.Version)
		ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
		defer cancel()
		protected.ServeHTTP(w, r.WithContext(ctx))
	})
}

// health never asks the database: if it did, a database that is down would take every pod out of traffic, and with them
// the page that says so.
func (s server) health(w http.ResponseWriter, _ *http.Request) {
	if !s.release.Healthy {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "failing"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s server) listProducts(w http.ResponseWriter, r *http.Request) {
	shelf, err := s.shop.Shelf(r.Context())
	if err != nil {
		slog.Error("products cannot be read", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "products cannot be read now"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"version": s.release.Version, "schema": shelf.Schema, "products": shelf.Products,
	})
}

func (s server) addProduct(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	name := strings.TrimSpace(r.PostFormValue("name"))
	cents, ok := parseCents(r.PostFormValue("price"))
	if name == "" || len(name) > maxName || !ok {
		http.Error(w, "name must be 1 to 60 bytes, price a number from 0 to 100000", http.StatusBadRequest)
		return
	}
	back(w, r, s.shop.AddProduct(r.Context(), name, cents))
}

func (s server) placeOrder(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	id, err := strconv.ParseInt(r.PostFormValue("product"), 10, 64)
	if err != nil {
		http.Error(w, "product must be a product's id", http.StatusBadRequest)
		return
	}
	back(w, r, s.shop.PlaceOrder(r.Context(), id))
}

// back ends a form: to the page, or to a sentence that says what went wrong.
func back(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case err == nil:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, store.ErrNoSuchProduct):
		http.Error(w, err.Error(), http.StatusNotFound)
	default:
		slog.Error("a form was not saved", "path", r.URL.Path, "error", err)
		http.Error(w, "not saved, try again later", http.StatusServiceUnavailable)
	}
}

func parseCents(price string) (int, bool) {
	value, err := strconv.ParseFloat(price, 64)
	// Written so that NaN is refused too.
	if err != nil || !(value >= 0 && value <= maxPrice) {
		return 0, false
	}
	return int(math.Round(value * 100)), true
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Warn("an answer was not written", "error", err)
	}
}

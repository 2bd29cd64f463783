package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"

	"towpath.dev/examples/shop/internal/store"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"price": price}).Parse(pageSource))

// pageData is what page.html is filled with.
type pageData struct {
	store.Shelf
	Version  string
	Readable bool
}

// page shows the shop, also when its database does not answer: then it says so, with a status that says so too.
func (s server) page(w http.ResponseWriter, r *http.Request) {
	shelf, err := s.shop.Shelf(r.Context())
	status := http.StatusOK
	if err != nil {
		slog.Error("the shelf cannot be read", "error", err)
		status = http.StatusServiceUnavailable
	}
	var page bytes.Buffer
	data := pageData{Shelf: shelf, Version: s.release.Version, Readable: err == nil}
	if err := pageTemplate.Execute(&page, data); err != nil {
		slog.Error("the page cannot be written", "error", err)
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	w.WriteHeader(status)
	if _, err := page.WriteTo(w); err != nil {
		slog.Warn("an answer was not written", "error", err)
	}
}

func price(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"towpath.dev/examples/shop/internal/store"
)

// fakeShop answers with what it was given, and keeps what it was asked to save.
type fakeShop struct {
	shelf store.Shelf
	err   error
	added []string
}

func (f *fakeShop) Shelf(context.Context) (store.Shelf, error) { return f.shelf, f.err }

func (f *fakeShop) AddProduct(_ context.Context, name string, _ int) error {
	f.added = append(f.added, name)
	return f.err
}

func (f *fakeShop) PlaceOrder(context.Context, int64) error { return f.err }

func get(t *testing.T, handler http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

func post(t *testing.T, handler http.Handler, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func TestHealthIsOkWhileTheDatabaseIsDown(t *testing.T) {
	handler := Handler(Release{Version: "v1", Healthy: true}, &fakeShop{err: errors.New("down")})
	answer := get(t, handler, "/health")
	if body := strings.TrimSpace(answer.Body.String()); answer.Code != http.StatusOK || body != `{"status":"ok"}` {
		t.Errorf("got %d %s", answer.Code, body)
	}
}

func TestAFailingReleaseSaysSo(t *testing.T) {
	handler := Handler(Release{Version: "v3"}, &fakeShop{})
	if answer := get(t, handler, "/health"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", answer.Code)
	}
}

func TestThePageShowsVersionSchemaAndProducts(t *testing.T) {
	shop := &fakeShop{shelf: store.Shelf{
		Schema:   "0003_sale.sql",
		Products: []store.Product{{ID: 7, Name: "Rope <b>", PriceCents: 1405, OnSale: true}},
	}}
	answer := get(t, Handler(Release{Version: "v2", Healthy: true}, shop), "/")
	if answer.Code != http.StatusOK || answer.Header().Get("Shop-Version") != "v2" {
		t.Errorf("got %d by version %q", answer.Code, answer.Header().Get("Shop-Version"))
	}
	for _, part := range []string{
		`id="version">v2<`, `id="schema">0003_sale.sql<`, "Rope &lt;b&gt;", "14.05", "On sale", `value="7"`,
	} {
		if !strings.Contains(answer.Body.String(), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

func TestThePageSaysThatTheDatabaseIsDown(t *testing.T) {
	handler := Handler(Release{Version: "v1", Healthy: true}, &fakeShop{err: errors.New("down")})
	answer := get(t, handler, "/")
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "cannot be read now") {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if answer := get(t, handler, "/api/products"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("the API answered %d", answer.Code)
	}
}

func TestAddedProductsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name, price string
		status      int
	}{
		{"Fender", "12.50", http.StatusSeeOther},
		{" ", "12.50", http.StatusBadRequest},
		{strings.Repeat("x", maxName+1), "1", http.StatusBadRequest},
		{"Fender", "-1", http.StatusBadRequest},
		{"Fender", "NaN", http.StatusBadRequest},
		{"Fender", "100000.01", http.StatusBadRequest},
		{strings.Repeat("x", maxFormBytes), "1", http.StatusBadRequest},
	} {
		shop := &fakeShop{}
		answer := post(t, Handler(Release{}, shop), "/products", url.Values{"name": {c.name}, "price": {c.price}})
		if saved := len(shop.added) == 1; answer.Code != c.status || saved != (c.status == http.StatusSeeOther) {
			t.Errorf("%.20q at %q: got %d, saved %v", c.name, c.price, answer.Code, saved)
		}
	}
}

func TestAnOrderOfAnUnknownProductIsNotFound(t *testing.T) {
	handler := Handler(Release{}, &fakeShop{err: store.ErrNoSuchProduct})
	if answer := post(t, handler, "/orders", url.Values{"product": {"9"}}); answer.Code != http.StatusNotFound {
		t.Errorf("got %d", answer.Code)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	shop := &fakeShop{}
	request := httptest.NewRequest(http.MethodPost, "/products", strings.NewReader("name=Fender&price=1"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	answer := httptest.NewRecorder()
	Handler(Release{}, shop).ServeHTTP(answer, request)
	if answer.Code != http.StatusForbidden || len(shop.added) != 0 {
		t.Errorf("got %d, saved %v", answer.Code, shop.added)
	}
}

func TestCentsAreExact(t *testing.T) {
	for price, want := range map[string]int{"0": 0, "14.05": 1405, "19.99": 1999, "100000": 10_000_000} {
		if got, ok := parseCents(price); !ok || got != want {
			t.Errorf("%s: got %d %v", price, got, ok)
		}
	}
}

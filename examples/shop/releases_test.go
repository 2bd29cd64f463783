package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath.dev/examples/shop/internal/migrate"
	"towpath.dev/examples/shop/internal/store"
)

// emptySchema is the URL of a schema of this test's own. The database comes from the script `test` beside this file.
func emptySchema(t *testing.T) string {
	t.Helper()
	base := os.Getenv("SHOP_TEST_DATABASE_URL")
	if base == "" {
		t.Skip("SKIPPED: needs a PostgreSQL, named by SHOP_TEST_DATABASE_URL; examples/shop/test starts one")
	}
	parsed, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	execute(t, base, "CREATE SCHEMA "+schema)
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// carried is the folder of migrations that a release's image has.
func carried(t *testing.T, release string) fstest.MapFS {
	t.Helper()
	list, err := os.ReadFile(filepath.Join("releases", release, "migrations"))
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for _, name := range strings.Fields(string(list)) {
		sql, err := os.ReadFile(filepath.Join("migrations", name))
		if err != nil {
			t.Fatal(err)
		}
		folder[name] = &fstest.MapFile{Data: sql}
	}
	return folder
}

func migrateTo(t *testing.T, url, release string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := migrate.Run(t.Context(), url, carried(t, release), &out)
	return out.String(), err
}

func mustMigrateTo(t *testing.T, url, release string) string {
	t.Helper()
	out, err := migrateTo(t, url, release)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t *testing.T, url string, sale bool) *store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), url, sale)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

func shelf(t *testing.T, shop *store.Store) store.Shelf {
	t.Helper()
	read, err := shop.Shelf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestAMigrationIsAppliedOnce(t *testing.T) {
	url := emptySchema(t)
	if out := mustMigrateTo(t, url, "v1"); strings.Count(out, "applying") != 2 {
		t.Errorf("v1 on an empty schema said %q", out)
	}
	if out := mustMigrateTo(t, url, "v2"); strings.Count(out, "applying") != 1 {
		t.Errorf("v2 on v1's schema said %q", out)
	}
	for _, release := range []string{"v1", "v2", "v3"} {
		if out := mustMigrateTo(t, url, release); strings.Contains(out, "applying") {
			t.Errorf("%s on v2's schema said %q", release, out)
		}
	}
}

func TestConcurrentRunsApplyEachFileOnce(t *testing.T) {
	url := emptySchema(t)
	migrations := carried(t, "v2")
	outs, errs := make([]bytes.Buffer, 4), make(chan error)
	for i := range outs {
		go func() { errs <- migrate.Run(t.Context(), url, migrations, &outs[i]) }()
	}
	applied := 0
	for range outs {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i := range outs {
		applied += strings.Count(outs[i].String(), "applying")
	}
	if applied != 3 {
		t.Errorf("3 files were applied %d times", applied)
	}
}

func TestTheFirstReleaseKeepsWorkingOnTheNextSchema(t *testing.T) {
	url := emptySchema(t)
	mustMigrateTo(t, url, "v1")
	first := open(t, url, false)
	before := shelf(t, first)
	mustMigrateTo(t, url, "v2")
	if err := first.AddProduct(t.Context(), "Fender", 1250); err != nil {
		t.Fatal(err)
	}
	after := shelf(t, first)
	if len(after.Products) != len(before.Products)+1 || after.Schema != "0003_sale.sql" {
		t.Errorf("%d products, then %d on %s", len(before.Products), len(after.Products), after.Schema)
	}
}

func TestTheSecondReleaseShowsSalesAndNeedsItsMigration(t *testing.T) {
	url := emptySchema(t)
	mustMigrateTo(t, url, "v1")
	second := open(t, url, true)
	if _, err := second.Shelf(t.Context()); err == nil {
		t.Error("v2 read v1's schema, so the order of migration and rollout does not show")
	}
	mustMigrateTo(t, url, "v2")
	onSale := 0
	for _, product := range shelf(t, second).Products {
		if product.OnSale {
			onSale++
		}
	}
	if onSale != 2 {
		t.Errorf("%d products are on sale", onSale)
	}
}

func TestTheFourthReleaseFailsAndChangesNothing(t *testing.T) {
	url := emptySchema(t)
	mustMigrateTo(t, url, "v3")
	out, err := migrateTo(t, url, "v4")
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "23502" {
		t.Fatalf("said %q, then %v", out, err)
	}
	if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "stock_number") {
		t.Errorf("the error is not one line that names the column: %q", err)
	}
	if now := shelf(t, open(t, url, true)); now.Schema != "0003_sale.sql" {
		t.Errorf("the schema is at %s", now.Schema)
	}
	// The statement before the failing one is gone with it.
	execute(t, url, "ALTER TABLE orders ADD COLUMN note text")
}

func TestAWorkerTakesWhatNoOtherHasInHand(t *testing.T) {
	url := emptySchema(t)
	mustMigrateTo(t, url, "v1")
	shop := open(t, url, false)
	product := shelf(t, shop).Products[0].ID
	for range 5 {
		if err := shop.PlaceOrder(t.Context(), product); err != nil {
			t.Fatal(err)
		}
	}
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	// Ends its transaction too, and so gives back what it has in hand.
	defer other.Close(t.Context())
	for _, sql := range []string{"BEGIN", "SELECT id FROM orders ORDER BY id LIMIT 2 FOR UPDATE"} {
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if packed, err := shop.PackOrders(ctx, 10); err != nil || packed != 3 {
		t.Errorf("packed %d of 5 orders, 2 of them in other hands: %v", packed, err)
	}
	if now := shelf(t, shop); now.ToPack != 2 || now.Packed != 3 {
		t.Errorf("the database says %d to pack and %d packed", now.ToPack, now.Packed)
	}
}

func TestAnOrderNeedsAProduct(t *testing.T) {
	url := emptySchema(t)
	mustMigrateTo(t, url, "v1")
	if err := open(t, url, false).PlaceOrder(t.Context(), -1); !errors.Is(err, store.ErrNoSuchProduct) {
		t.Errorf("an order of no product ended with %v", err)
	}
}

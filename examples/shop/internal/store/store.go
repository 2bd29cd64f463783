// Package store is all that the shop says to its database, as the role that reads and writes rows.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoSuchProduct says that an order names a product that is not there.
var ErrNoSuchProduct = errors.New("no such product")

// Product is one row of the shelf.
type Product struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	PriceCents int    `json:"priceCents"`
	OnSale     bool   `json:"onSale"`
}

// Shelf is what the page shows: the schema it was read from, the newest products, and how many orders there are.
type Shelf struct {
	Schema   string
	Products []Product
	ToPack   int
	Packed   int
}

// Store is a pool of connections, and what this release knows of the schema.
type Store struct {
	pool          *pgxpool.Pool
	productsQuery string
}

const (
	productsQuery     = `SELECT id, name, price_cents, false AS on_sale FROM products ORDER BY id DESC LIMIT 24`
	productsSaleQuery = `SELECT id, name, price_cents, on_sale FROM products ORDER BY id DESC LIMIT 24`
)

// Open makes the pool and does not connect: the shop starts, and says so on its page, while its database is down.
//
// sale is whether this release knows the column on_sale. A release without it runs before and after the migration that
// adds the column, so it must not name it.
func Open(ctx context.Context, url string, sale bool) (*Store, error) {
	if url == "" {
		return nil, errors.New("DATABASE_URL must be set")
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	query := productsQuery
	if sale {
		query = productsSaleQuery
	}
	return &Store{pool: pool, productsQuery: query}, nil
}

// Close ends all connections, once nobody uses them.
func (s *Store) Close() { s.pool.Close() }

// Shelf reads all that the page shows, in one round trip.
func (s *Store) Shelf(ctx context.Context) (Shelf, error) {
	var shelf Shelf
	batch := &pgx.Batch{}
	batch.Queue(`SELECT coalesce(max(name), '') FROM schema_migrations`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&shelf.Schema)
	})
	batch.Queue(`SELECT count(*) - count(packed_at), count(packed_at) FROM orders`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&shelf.ToPack, &shelf.Packed)
	})
	batch.Queue(s.productsQuery).Query(func(rows pgx.Rows) (err error) {
		shelf.Products, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return Shelf{}, err
	}
	return shelf, nil
}

// AddProduct puts one more product on the shelf.
func (s *Store) AddProduct(ctx context.Context, name string, cents int) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO products (name, price_cents) VALUES ($1, $2)`, name, cents)
	return err
}

// PlaceOrder leaves an order for the worker.
func (s *Store) PlaceOrder(ctx context.Context, productID int64) error {
	done, err := s.pool.Exec(ctx, `INSERT INTO orders (product_id) SELECT id FROM products WHERE id = $1`, productID)
	if err == nil && done.RowsAffected() == 0 {
		return ErrNoSuchProduct
	}
	return err
}

// PackOrders packs up to limit orders and says how many. Two workers never take the same one, and neither waits for the
// other.
func (s *Store) PackOrders(ctx context.Context, limit int) (int, error) {
	done, err := s.pool.Exec(ctx, `
		WITH mine AS (
			SELECT id FROM orders WHERE packed_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
		)
		UPDATE orders SET packed_at = now() FROM mine WHERE orders.id = mine.id`, limit)
	return int(done.RowsAffected()), err
}

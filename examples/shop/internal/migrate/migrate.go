// Package migrate brings a schema up to a folder of SQL files, each once, in the order of their names.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// advisoryLock is taken while migrating, so that two runs on one database follow each other. It is "shop" in ASCII.
const advisoryLock = 0x73686f70

// Run applies what is not applied yet, each file in a transaction of its own: a file that fails leaves nothing behind,
// and the files before it stay applied.
func Run(ctx context.Context, url string, folder fs.FS, out io.Writer) error {
	if url == "" {
		return errors.New("DATABASE_URL_MIGRATION must be set")
	}
	files, err := fs.Glob(folder, "*.sql") // sorted by name
	if err != nil {
		return err
	}
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	// The connection holds the advisory lock; closing it gives the lock back.
	defer conn.Close(context.WithoutCancel(ctx))
	applied, err := prepare(ctx, conn)
	if err != nil {
		return err
	}
	for _, file := range files {
		if slices.Contains(applied, file) {
			continue
		}
		fmt.Fprintln(out, "applying", file)
		if err := apply(ctx, conn, folder, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	fmt.Fprintf(out, "the schema has all of %d migrations\n", len(files))
	return nil
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return pgx.Connect(ctx, url)
}

// prepare waits for other runs to end, and then reads which files are applied.
func prepare(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	statements := []string{
		fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, advisoryLock),
		// A change of a table waits for its readers, and everybody else waits behind it: rather fail than stop the shop.
		`SET lock_timeout = '10s'`,
		`CREATE TABLE IF NOT EXISTS schema_migrations (
			name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	rows, err := conn.Query(ctx, `SELECT name FROM schema_migrations`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func apply(ctx context.Context, conn *pgx.Conn, folder fs.FS, file string) error {
	sql, err := fs.ReadFile(folder, file)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Without arguments the file is sent as it is, so it may hold several statements.
		if _, err := tx.Exec(ctx, string(sql)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO schema_migrations (name) VALUES ($1)`, file)
		return err
	})
}

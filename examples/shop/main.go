// Shop is an example app: one binary that is a web server, a worker and a migration.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"towpath.dev/examples/shop/internal/migrate"
	"towpath.dev/examples/shop/internal/store"
	"towpath.dev/examples/shop/internal/web"
	"towpath.dev/examples/shop/internal/worker"
)

const usage = `use: shop web | worker | migrate

  web      serves the shop on $SHOP_ADDRESS (default :8000)
  worker   packs orders
  migrate  brings the schema of $DATABASE_URL_MIGRATION up to the files in $SHOP_MIGRATIONS (default /migrations)

web and worker read and write $DATABASE_URL.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		// The last line of a failed container's log is what people are shown first.
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New(usage)
	}
	switch args[0] {
	case "web":
		return serve(ctx)
	case "worker":
		return work(ctx)
	case "migrate":
		folder := os.DirFS(setting("SHOP_MIGRATIONS", "/migrations"))
		return migrate.Run(ctx, os.Getenv("DATABASE_URL_MIGRATION"), folder, os.Stdout)
	default:
		return errors.New(usage)
	}
}

func serve(ctx context.Context) error {
	products, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer products.Close()
	listener, err := net.Listen("tcp", setting("SHOP_ADDRESS", ":8000"))
	if err != nil {
		return err
	}
	release := web.Release{
		Version: setting("SHOP_VERSION", "dev"),
		Healthy: os.Getenv("SHOP_HEALTH") != "failing",
	}
	return web.Serve(ctx, listener, web.Handler(release, products))
}

func work(ctx context.Context) error {
	orders, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer orders.Close()
	worker.Run(ctx, orders)
	return nil
}

func openStore(ctx context.Context) (*store.Store, error) {
	return store.Open(ctx, os.Getenv("DATABASE_URL"), os.Getenv("SHOP_SALE") == "true")
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

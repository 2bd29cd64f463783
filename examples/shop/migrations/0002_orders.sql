CREATE TABLE orders (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id bigint NOT NULL REFERENCES products,
    created_at timestamptz NOT NULL DEFAULT now(),
    packed_at  timestamptz
);

-- The worker asks for these again and again, and they are few.
CREATE INDEX orders_to_pack ON orders (id) WHERE packed_at IS NULL;

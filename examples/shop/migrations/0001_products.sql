CREATE TABLE products (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    price_cents integer NOT NULL CHECK (price_cents >= 0),
    created_at  timestamptz NOT NULL DEFAULT now()
);

INSERT INTO products (name, price_cents) VALUES
    ('Rope, 10 m', 1450),
    ('Mooring pin', 890),
    ('Windlass', 1200),
    ('Canal map', 1595),
    ('Enamel mug', 750),
    ('Brass lantern', 4900);

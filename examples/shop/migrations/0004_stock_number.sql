-- Wrong on purpose, and a common mistake: it works on an empty table, and fails on one with rows, because they would
-- have no value in the new column.
ALTER TABLE orders ADD COLUMN note text;

ALTER TABLE products ADD COLUMN stock_number text NOT NULL;

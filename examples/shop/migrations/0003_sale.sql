-- The release before this one keeps serving while this runs and after it. So the column has a default: that release
-- inserts products without naming it.
ALTER TABLE products ADD COLUMN on_sale boolean NOT NULL DEFAULT false;

UPDATE products SET on_sale = true WHERE name IN ('Canal map', 'Enamel mug');

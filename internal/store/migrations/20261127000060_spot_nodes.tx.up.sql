ALTER TABLE nodes ADD COLUMN spot_strategy TEXT NOT NULL DEFAULT 'NoSpot'; -- preemptible or not, in the API's words
--bun:split
ALTER TABLE nodes ADD COLUMN spot_price_limit DOUBLE PRECISION NOT NULL DEFAULT 0; -- per hour, of SpotWithPriceLimit

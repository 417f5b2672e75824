-- Of a run's newest attempt that has ended: the reply's `reqCost`, and the time from sending to the last
-- byte. The attempt says so itself, but among its bodies: to count a day's runs without these is to read a
-- twentieth of the pages, and none of large replies.
--
-- NULL where the attempt has none, and of runs that an earlier release recorded: there the attempt is asked,
-- so no row is rewritten.
ALTER TABLE runs ADD COLUMN cost_ms INTEGER;
ALTER TABLE runs ADD COLUMN duration_us INTEGER;

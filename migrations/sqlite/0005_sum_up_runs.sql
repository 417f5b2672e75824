-- Of a run's newest attempt that has ended: the reply's `reqCost`, and the time from sending to the last
-- byte. The attempt says so itself, but among its bodies: without these, to count a day's runs is to
-- read its attempts as well, and of large replies page after page.
--
-- NULL where the attempt has none, and of runs that an earlier release recorded: there the attempt is asked,
-- so no row is rewritten.
ALTER TABLE runs ADD COLUMN cost_ms INTEGER;
ALTER TABLE runs ADD COLUMN duration_us INTEGER;

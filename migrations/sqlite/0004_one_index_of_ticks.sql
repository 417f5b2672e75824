-- One index where two were, of the same job and instant: each run had dirtied a page of both. What it
-- refuses is as before, a second run of a tick: those that stand for no tick have a NULL in its last
-- column, and NULLs are distinct (https://sqlite.org/lang_createindex.html, section 1.1).
DROP INDEX runs_tick;
DROP INDEX runs_by_job;
CREATE UNIQUE INDEX runs_tick ON runs (job, scheduled_us, (CASE WHEN trigger IN ('schedule', 'catchup') AND ahead IS NOT 'void' THEN 0 END));

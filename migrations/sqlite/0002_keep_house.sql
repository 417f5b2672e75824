-- Keeping house: what is old is found without looking at what is not, however much that is.

-- Runs that are over, by how they ended and when: each state has its own horizon.
CREATE INDEX runs_by_end ON runs (state, finished_us) WHERE finished_us IS NOT NULL;
-- Attempts whose bodies are still there. A request has been taken where it is empty, which none is
-- that was sent; its length and its SHA-256 stay.
CREATE INDEX attempts_with_bodies ON attempts (opened_us) WHERE request <> '';

-- A further kind, `max_size`: the file is larger than it should be.
CREATE TABLE events_of_2 (
    id     INTEGER PRIMARY KEY NOT NULL,
    at_us  INTEGER NOT NULL,
    kind   TEXT    NOT NULL CHECK (kind IN ('start', 'stop', 'reload', 'reload_failed', 'pause', 'resume', 'trigger', 'cancel', 'backfill', 'replay', 'resolve', 'prune', 'max_size', 'remote_check', 'clock_jump', 'rewind', 'key_held', 'key_freed')),
    actor  TEXT    NOT NULL,
    job    TEXT,
    run_id TEXT,
    detail TEXT    NOT NULL
) STRICT;
INSERT INTO events_of_2 SELECT id, at_us, kind, actor, job, run_id, detail FROM events;
DROP TABLE events;
ALTER TABLE events_of_2 RENAME TO events;
CREATE INDEX events_by_kind ON events (kind, at_us);
CREATE INDEX events_by_run ON events (run_id) WHERE run_id IS NOT NULL;

-- The same columns; a request that was taken is NULL, as a response is.
DROP VIEW executions;
CREATE VIEW executions AS
SELECT
    r.id AS run_id,
    r.job AS job,
    r.trigger AS trigger,
    strftime('%Y-%m-%dT%H:%M:%S', r.scheduled_us / 1000000, 'unixepoch') || printf('.%03dZ', r.scheduled_us % 1000000 / 1000) AS scheduled_at,
    strftime('%Y-%m-%dT%H:%M:%S', r.due_us / 1000000, 'unixepoch') || printf('.%03dZ', r.due_us % 1000000 / 1000) AS due_at,
    r.state AS state,
    r.reason AS reason,
    a.attempt AS attempt,
    strftime('%Y-%m-%dT%H:%M:%S', coalesce(a.written_us, a.opened_us) / 1000000, 'unixepoch') || printf('.%03dZ', coalesce(a.written_us, a.opened_us) % 1000000 / 1000) AS sent_at,
    CASE WHEN a.id IS NULL
        THEN strftime('%Y-%m-%dT%H:%M:%S', r.finished_us / 1000000, 'unixepoch') || printf('.%03dZ', r.finished_us % 1000000 / 1000)
        ELSE strftime('%Y-%m-%dT%H:%M:%S', a.finished_us / 1000000, 'unixepoch') || printf('.%03dZ', a.finished_us % 1000000 / 1000)
    END AS finished_at,
    r.workspace AS workspace,
    r.func_id AS func_id,
    nullif(a.request, '') AS request,
    a.http_status AS http_status,
    a.response AS response,
    a.trace_id AS trace_id,
    a.func_trace_id AS func_trace_id,
    a.task_id AS task_id,
    a.cost_ms AS cost_ms,
    (a.duration_us + 500) / 1000 AS duration_ms,
    a.outcome AS outcome,
    a.error_code AS error_code,
    a.engine_reason AS engine_reason,
    a.engine_error AS engine_error,
    a.message AS message,
    r.definition_hash AS definition_hash,
    r.scheduled_us AS scheduled_us,
    coalesce(a.written_us, a.opened_us) AS sent_us
FROM runs r LEFT JOIN attempts a ON a.run_id = r.id
WHERE r.ahead IS NOT 'void';

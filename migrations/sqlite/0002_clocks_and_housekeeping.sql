-- Clocks that were ahead and are set back, and keeping house. The view would see a table half-made.
DROP VIEW executions;

-- Of a tick's run that was planned before the tick had come, by a wall clock that was ahead and was set
-- back: `kept` was sent and stands for the tick, `void` was not and stands for none.
ALTER TABLE runs ADD COLUMN ahead TEXT
    CHECK (ahead IN ('void', 'kept'))
    CHECK (ahead IS NULL OR trigger IN ('schedule', 'catchup'))
    CHECK (ahead IS NOT 'void' OR state IN ('missed', 'skipped'));
-- Guarantee G3 as before, but for what stands for no tick.
DROP INDEX runs_tick;
CREATE UNIQUE INDEX runs_tick ON runs (job, scheduled_us) WHERE trigger IN ('schedule', 'catchup') AND ahead IS NOT 'void';

-- Made anew for the place of `boot` and `uptime_us`.
CREATE TABLE attempts_of_2 (
    id              INTEGER PRIMARY KEY NOT NULL,
    run_id          TEXT    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt         INTEGER NOT NULL CHECK (attempt >= 1),
    -- durable before the request leaves
    opened_us       INTEGER NOT NULL,
    -- the request's last byte handed to the connection; NULL where nobody can tell, or nothing was
    written_us      INTEGER,
    finished_us     INTEGER,
    -- from when its slot in the quota is counted, by the machine's own time since a boot, which no
    -- step of the wall clock touches; before the bodies, so that looking for it does not read them
    boot            INTEGER,
    uptime_us       INTEGER,
    workspace       TEXT    NOT NULL,
    origin          TEXT    NOT NULL,
    key_id          TEXT    NOT NULL,
    func_id         TEXT    NOT NULL,
    -- bodies are redacted, and cut to a limit; length and SHA-256 are of the whole, redacted body
    request         TEXT    NOT NULL,
    request_bytes   INTEGER NOT NULL,
    request_sha256  TEXT    NOT NULL,
    http_status     INTEGER,
    response        TEXT,
    response_bytes  INTEGER,
    response_sha256 TEXT,
    trace_id        TEXT,
    func_trace_id   TEXT,
    task_id         TEXT,
    cost_ms         INTEGER,
    duration_us     INTEGER,
    outcome         TEXT    CHECK (outcome IN ('success', 'func_failed', 'func_timeout', 'result_invalid', 'throttled', 'auth_failed', 'rejected', 'server_error', 'network_error', 'unknown')),
    -- why an `unknown` is one
    unknown_reason  TEXT    CHECK (unknown_reason IN ('no_reply', 'engine', 'bad_reply', 'redirect', 'daemon_died', 'shutdown', 'operator', 'replaced')),
    -- what in the reply decided, in words
    decided_by      TEXT,
    error_code      TEXT,
    engine_reason   TEXT,
    engine_error    TEXT,
    message         TEXT,
    CHECK ((boot IS NULL) = (uptime_us IS NULL)),
    CHECK ((outcome IS NULL) = (finished_us IS NULL)),
    CHECK ((outcome IS NULL) = (decided_by IS NULL)),
    CHECK ((unknown_reason IS NULL) = (outcome IS NULL OR outcome <> 'unknown'))
) STRICT;
INSERT INTO attempts_of_2 (id, run_id, attempt, opened_us, written_us, finished_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256, http_status, response, response_bytes, response_sha256, trace_id, func_trace_id, task_id, cost_ms, duration_us, outcome, unknown_reason, decided_by, error_code, engine_reason, engine_error, message)
SELECT id, run_id, attempt, opened_us, written_us, finished_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256, http_status, response, response_bytes, response_sha256, trace_id, func_trace_id, task_id, cost_ms, duration_us, outcome, unknown_reason, decided_by, error_code, engine_reason, engine_error, message FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_of_2 RENAME TO attempts;
CREATE UNIQUE INDEX attempts_of_run ON attempts (run_id, attempt);
CREATE INDEX attempts_open ON attempts (run_id) WHERE outcome IS NULL;
CREATE INDEX attempts_by_key ON attempts (origin, key_id, opened_us);
CREATE INDEX attempts_by_time ON attempts (opened_us);
CREATE INDEX attempts_by_trace ON attempts (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX attempts_by_func_trace ON attempts (func_trace_id) WHERE func_trace_id IS NOT NULL;
CREATE INDEX attempts_by_task ON attempts (task_id) WHERE task_id IS NOT NULL;

-- Runs that are over, by how they ended and when: each state has its own horizon.
CREATE INDEX runs_by_end ON runs (state, finished_us) WHERE finished_us IS NOT NULL;
-- Attempts whose bodies are still there. A request has been taken where it is empty, which none is
-- that was sent; its length and its SHA-256 stay.
CREATE INDEX attempts_with_bodies ON attempts (opened_us) WHERE request <> '';

-- Further kinds: `rewind`, planning went back with a clock that had been ahead, and with it the cursor
-- in `planner`; `max_size`, the file is larger than it should be.
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

-- The same columns, of what stands for something. A request that was taken is NULL, as a response is.
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

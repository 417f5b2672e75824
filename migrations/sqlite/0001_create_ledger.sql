-- The ledger: every definition, every tick's run, every attempt's call, every act of a person.
-- Times are UTC microseconds since the epoch. Texts of closed sets are CHECKed against the enums
-- of src/domain/{run,outcome}.rs. A landed migration is never edited: add the next number.

-- A job as the daemon knows it now; a removed one stays, not loaded.
CREATE TABLE jobs (
    name            TEXT    PRIMARY KEY NOT NULL,
    definition_hash TEXT    NOT NULL,
    loaded          INTEGER NOT NULL CHECK (loaded IN (0, 1))
) STRICT;

-- The planner's cursor, one row: every tick up to and including it, of every definition whose
-- interval holds it, has its run row or lies in a row of `gaps`. One cursor for all jobs, because
-- ten thousand jobs due at once must not cost ten thousand cursor writes; a job's own beginning
-- is its interval's.
CREATE TABLE planner (
    id         INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    planned_us INTEGER NOT NULL,
    -- A burst is planned in several transactions, and the cursor passes its instant with the last;
    -- until then ticks up to here may have their rows and need not.
    reached_us INTEGER NOT NULL CHECK (reached_us >= planned_us)
) STRICT;

-- Every definition ever loaded, with the interval (from_us, until_us] whose ticks it rules. An
-- interval stays open across restarts for as long as definition and zone data are the same.
CREATE TABLE job_versions (
    id              INTEGER PRIMARY KEY NOT NULL,
    job             TEXT    NOT NULL,
    definition_hash TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    zone_data       TEXT    NOT NULL,
    from_us         INTEGER NOT NULL,
    until_us        INTEGER,
    CHECK (until_us IS NULL OR until_us >= from_us)
) STRICT;
CREATE UNIQUE INDEX job_versions_open ON job_versions (job) WHERE until_us IS NULL;
CREATE INDEX job_versions_by_job ON job_versions (job, from_us);
CREATE INDEX job_versions_by_hash ON job_versions (definition_hash);

-- Spans (from_us, until_us] of a job's past that are still to be planned, in chunks, by the
-- definition named. `superseded` gaps belong to a definition that is no longer loaded: nothing
-- of them is caught up.
CREATE TABLE gaps (
    job             TEXT    NOT NULL,
    definition_hash TEXT    NOT NULL,
    from_us         INTEGER NOT NULL,
    until_us        INTEGER NOT NULL,
    cause           TEXT    NOT NULL CHECK (cause IN ('daemon_down', 'ledger_unavailable', 'clock')),
    superseded      INTEGER NOT NULL CHECK (superseded IN (0, 1)),
    PRIMARY KEY (job, until_us),
    CHECK (until_us >= from_us)
) STRICT;

-- Spans in which a job is paused: the ticks in (from_us, least of until_us and resumed_us], or to
-- no end, are `skipped/paused`, whenever they are planned.
CREATE TABLE pauses (
    id         INTEGER PRIMARY KEY NOT NULL,
    job        TEXT    NOT NULL,
    from_us    INTEGER NOT NULL,
    until_us   INTEGER,
    resumed_us INTEGER,
    actor      TEXT    NOT NULL,
    reason     TEXT,
    CHECK (until_us IS NULL OR until_us > from_us),
    CHECK (resumed_us IS NULL OR resumed_us >= from_us)
) STRICT;
CREATE UNIQUE INDEX pauses_open ON pauses (job) WHERE resumed_us IS NULL;
CREATE INDEX pauses_by_job ON pauses (job, from_us);

-- A range of the past that a person ordered to be run, planned part by part: the ticks of
-- [from_us, until_us] up to and including planned_us have been looked at.
CREATE TABLE backfills (
    id              TEXT    PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    job             TEXT    NOT NULL,
    definition_hash TEXT    NOT NULL,
    from_us         INTEGER NOT NULL,
    until_us        INTEGER NOT NULL CHECK (until_us >= from_us),
    -- whether ticks are run again that have a success
    every           INTEGER NOT NULL CHECK (every IN (0, 1)),
    -- how many runs it was to be when it was ordered
    ticks           INTEGER NOT NULL CHECK (ticks >= 0),
    planned_us      INTEGER NOT NULL,
    ordered_us      INTEGER NOT NULL,
    ended_us        INTEGER,
    -- why it ended: all its runs are final, or it was cut short
    ending          TEXT    CHECK (ending IN ('done', 'paused', 'removed')),
    actor           TEXT    NOT NULL,
    CHECK ((ended_us IS NULL) = (ending IS NULL))
) STRICT;
CREATE INDEX backfills_open ON backfills (ordered_us) WHERE ended_us IS NULL;

CREATE TABLE runs (
    id              TEXT    PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    job             TEXT    NOT NULL,
    trigger         TEXT    NOT NULL CHECK (trigger IN ('schedule', 'catchup', 'manual', 'backfill', 'replay')),
    scheduled_us    INTEGER NOT NULL,
    due_us          INTEGER NOT NULL CHECK (due_us >= scheduled_us),
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'success', 'failed', 'unknown', 'skipped', 'missed', 'cancelled')),
    reason          TEXT,
    definition_hash TEXT    NOT NULL,
    workspace       TEXT    NOT NULL,
    func_id         TEXT    NOT NULL,
    -- waiting: no attempt opens before it
    not_before_us   INTEGER,
    created_us      INTEGER NOT NULL,
    -- the first attempt's opening: `deadline` counts from here
    opened_us       INTEGER,
    finished_us     INTEGER,
    -- attempts opened so far; `counted` leaves out the throttled ones, as `max_attempts` does
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    counted         INTEGER NOT NULL DEFAULT 0 CHECK (counted >= 0 AND counted <= attempts),
    -- a manual start's arguments beside the job's own, a JSON object; it holds no secret
    kwargs          TEXT,
    -- a replay: the run whose request is sent again, and that request as it was recorded
    replay_of       TEXT,
    request         TEXT,
    backfill        TEXT    REFERENCES backfills (id),
    CHECK (kwargs IS NULL OR trigger = 'manual'),
    CHECK ((replay_of IS NULL) = (request IS NULL)),
    CHECK (replay_of IS NULL OR trigger = 'replay'),
    CHECK (backfill IS NULL OR trigger = 'backfill'),
    CHECK ((reason IS NULL) = (state IN ('running', 'success'))),
    CHECK ((finished_us IS NULL) = (state IN ('waiting', 'running'))),
    CHECK ((opened_us IS NULL) = (attempts = 0)),
    CHECK (attempts > 0 OR state NOT IN ('running', 'success', 'failed', 'unknown')),
    CHECK (attempts = 0 OR state NOT IN ('skipped', 'missed', 'cancelled')),
    CHECK (CASE state
        WHEN 'waiting'   THEN reason IN ('quota', 'in_flight', 'overlap', 'retry', 'key_held', 'spread')
        WHEN 'failed'    THEN reason IN ('func_failed', 'func_timeout', 'result_invalid', 'throttled', 'auth_failed', 'rejected', 'server_error', 'network_error', 'deadline', 'next_tick')
        WHEN 'unknown'   THEN reason IN ('no_reply', 'engine', 'bad_reply', 'redirect', 'daemon_died', 'shutdown', 'operator', 'replaced')
        WHEN 'skipped'   THEN reason IN ('overlap', 'paused', 'disabled', 'excluded', 'dst_gap')
        WHEN 'missed'    THEN reason IN ('daemon_down', 'catchup', 'deadline', 'ledger_unavailable', 'key_held', 'clock')
        WHEN 'cancelled' THEN reason IN ('operator', 'replaced')
        ELSE 1 END)
) STRICT;
-- Guarantee G3: a tick fires once, whoever plans it.
CREATE UNIQUE INDEX runs_tick ON runs (job, scheduled_us) WHERE trigger IN ('schedule', 'catchup');
-- A backfill resumed after a crash starts no tick a second time.
CREATE UNIQUE INDEX runs_backfill ON runs (backfill, scheduled_us) WHERE backfill IS NOT NULL;
-- What the engine looks at: never the history.
CREATE INDEX runs_open ON runs (state, due_us) WHERE state IN ('waiting', 'running');
CREATE INDEX runs_by_job ON runs (job, scheduled_us);
CREATE INDEX runs_by_time ON runs (scheduled_us);

CREATE TABLE attempts (
    id              INTEGER PRIMARY KEY NOT NULL,
    run_id          TEXT    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt         INTEGER NOT NULL CHECK (attempt >= 1),
    -- durable before the request leaves
    opened_us       INTEGER NOT NULL,
    -- the request's last byte handed to the connection; NULL where nobody can tell, or nothing was
    written_us      INTEGER,
    finished_us     INTEGER,
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
    CHECK ((outcome IS NULL) = (finished_us IS NULL)),
    CHECK ((outcome IS NULL) = (decided_by IS NULL)),
    CHECK ((unknown_reason IS NULL) = (outcome IS NULL OR outcome <> 'unknown'))
) STRICT;
CREATE UNIQUE INDEX attempts_of_run ON attempts (run_id, attempt);
CREATE INDEX attempts_open ON attempts (run_id) WHERE outcome IS NULL;
CREATE INDEX attempts_by_key ON attempts (origin, key_id, opened_us);
CREATE INDEX attempts_by_time ON attempts (opened_us);
CREATE INDEX attempts_by_trace ON attempts (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX attempts_by_func_trace ON attempts (func_trace_id) WHERE func_trace_id IS NOT NULL;
CREATE INDEX attempts_by_task ON attempts (task_id) WHERE task_id IS NOT NULL;

-- Who did what, and what the daemon did to itself.
CREATE TABLE events (
    id     INTEGER PRIMARY KEY NOT NULL,
    at_us  INTEGER NOT NULL,
    kind   TEXT    NOT NULL CHECK (kind IN ('start', 'stop', 'reload', 'reload_failed', 'pause', 'resume', 'trigger', 'cancel', 'backfill', 'replay', 'resolve', 'prune', 'remote_check', 'clock_jump', 'key_held', 'key_freed')),
    actor  TEXT    NOT NULL,
    job    TEXT,
    run_id TEXT,
    detail TEXT    NOT NULL
) STRICT;
CREATE INDEX events_by_kind ON events (kind, at_us);
CREATE INDEX events_by_run ON events (run_id) WHERE run_id IS NOT NULL;

-- One row per attempt, and one per run that made none. Its columns are a promise (G8).
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
    a.request AS request,
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
FROM runs r LEFT JOIN attempts a ON a.run_id = r.id;

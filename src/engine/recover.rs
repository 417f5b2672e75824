//! A start: what survived, what died in flight, what nobody was there for. A restart is the ordinary
//! path; there is no other way to make an engine.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::clockwatch::{ClockWatch, LARGE};
use super::execute;
use super::given;
use super::lead::Lead;
use super::lines::Lines;
use super::pauses::Pauses;
use super::permits::Permits;
use super::plan::{gap, split};
use super::run::Run;
use super::timetable::Timetable;
use super::upkeep::Upkeep;
use super::versions::{self, Change, Compared};
use super::{Calls, ClockDoubt, Engine, EngineError, JobSet, RunIds};
use crate::clock::Clock;
use crate::domain::job::{Job, JobName};
use crate::domain::quota::HOLD;
use crate::domain::run::Reason;
use crate::guance::Client;
use crate::store::{Event, Gap, GapCause, Ledger, Plan, StoreError, UnfinishedRun};

impl Engine {
    /// Makes an engine from a ledger and a configuration: closes what the last daemon left open,
    /// takes its waiting runs up, records what is loaded now, and notes the spans that nobody
    /// planned; the steps plan them.
    ///
    /// # Errors
    /// Where the ledger fails, or the client cannot be built.
    pub async fn open(ledger: Ledger, clock: Clock, jobs: JobSet) -> Result<Self, EngineError> {
        let client = Client::new(&jobs.workspaces)?;
        Ok(Self::open_with(ledger, clock, jobs, client).await?)
    }

    /// Like [`Self::open`], and the calls are made by this client, or after a reload by one that it
    /// is renewed to.
    ///
    /// # Errors
    /// Where the ledger fails.
    pub async fn open_with(
        ledger: Ledger,
        clock: Clock,
        jobs: JobSet,
        client: Client,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let monotonic = clock.monotonic();
        let mut engine = Self {
            ledger,
            client: Arc::new(client),
            jobs: Arc::new(jobs),
            old_definitions: HashMap::new(),
            started_at: now,
            planned_through: now,
            timetable: Timetable::default(),
            spread_at: None,
            lead: Lead::default(),
            gaps: VecDeque::new(),
            pauses: Pauses::default(),
            backfills: Vec::new(),
            lines: Lines::default(),
            permits: Permits::default(),
            watch: ClockWatch::new(now, monotonic),
            behind_since: None,
            news: Vec::new(),
            ids: RunIds::default(),
            outage: false,
            fault: None,
            late_cause: None,
            rest_until: Duration::ZERO,
            stray: true,
            upkeep: Upkeep::new(monotonic),
            calls: Calls::new(),
            clock,
        };
        engine.permits.configure(&engine.jobs);
        engine.lines.configure(engine.jobs.clone());
        engine.take_up_runs(now).await?;
        engine.take_up_quota(now).await?;
        engine.take_up_plan(now).await?;
        Ok(engine)
    }

    /// Unfinished runs: those that wait go on waiting, those whose attempt was open learn that nobody
    /// knows its end.
    async fn take_up_runs(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let interrupted: HashMap<_, _> = self
            .ledger
            .reader()
            .interrupted()
            .await?
            .into_iter()
            .map(|attempt| (attempt.run, attempt.attempt))
            .collect();
        for row in self.ledger.reader().unfinished_runs().await? {
            let Some(job) = self.definition(&row.job, &row.definition_hash).await? else {
                tracing::error!(run_id = %row.id, job = %row.job, "an unfinished run has no readable definition and stays as it is");
                continue;
            };
            let job = match as_given(&job, &row) {
                Ok(job) => job,
                Err(error) => {
                    tracing::error!(run_id = %row.id, job = %row.job, "what a person gave to an unfinished run cannot be read, and it stays as it is: {error}");
                    continue;
                }
            };
            let mut run = Run::resumed(job, &row);
            if let Some(attempt) = interrupted.get(&run.id) {
                run = self.close_interrupted(run, *attempt, now).await?;
            }
            if !run.state.is_final() {
                self.lines.put(run, now);
            }
        }
        Ok(())
    }

    async fn close_interrupted(
        &self,
        run: Run,
        attempt: u32,
        now: Timestamp,
    ) -> Result<Run, StoreError> {
        let (reason, words) = if run.cancelled {
            (
                Reason::Operator,
                "somebody cancelled the run, and the daemon died with the call under way",
            )
        } else {
            (
                Reason::DaemonDied,
                "the daemon died with the call under way",
            )
        };
        let (run, close) =
            execute::interrupted(&run, attempt, (reason, words), now, self.clock.uptime());
        tracing::warn!(job = %run.job.name, run_id = %run.id, attempt, state = run.state.as_str(), "the daemon died with this call under way");
        self.ledger.close_attempt(Arc::new(close)).await?;
        Ok(run)
    }

    /// The quota's windows and the held keys, as the ledger remembers them.
    async fn take_up_quota(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let monotonic = self.clock.monotonic();
        let on_this_clock = |at: Timestamp| {
            // A wall clock set back since makes it young: held longer than needed, never shorter.
            let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
            monotonic.saturating_sub(age)
        };
        let reader = self.ledger.reader().clone();
        for hold in reader.holds(HOLD, now, self.clock.uptime()).await? {
            let at = match hold.age {
                Some(age) => monotonic.saturating_sub(age),
                None => on_this_clock(hold.since),
            };
            self.permits
                .hold(&hold.workspace, &hold.origin, &hold.key, at);
        }
        for (origin, key) in self.permits.keys() {
            if let Some(held) = self.ledger.reader().key_held_since(&origin, &key).await? {
                self.permits.hold_key(&origin, &key, on_this_clock(held));
            }
        }
        Ok(())
    }

    /// What is loaded now against what the ledger believes, and the span since the last planning.
    async fn take_up_plan(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let reader = self.ledger.reader();
        let cursor = reader.planned_through().await?.unwrap_or(now);
        self.gaps = reader.gaps().await?.into();
        self.pauses = Pauses::new(reader.pauses(self.oldest_unplanned(cursor)).await?);
        self.backfills = reader.open_backfills().await?;
        // A wall clock set back since the last daemon: its instants are planned already.
        if cursor > now {
            tracing::warn!(planned_through = %cursor, %now, "{}", ClockDoubt::Behind.explain());
        }
        if now.duration_since(cursor) > LARGE {
            self.upkeep.put_off(self.clock.monotonic());
        }
        let now = now.max(cursor);
        // A tick that was planned by the old definition is the old one's, though the last daemon died before
        // the rest of its instant was. Not beyond the present, or the next change would end an interval
        // before it began.
        let beyond = self.ledger.reader().planned_beyond(cursor).await?;
        let planned = |job: &JobName| beyond.get(job).copied().unwrap_or(cursor).min(now);
        let mut past = (Vec::new(), Vec::new());
        let seen = |compared: Compared<'_>| {
            let span = (planned(&compared.version.job), now);
            self.open_past(compared, span, &mut past);
        };
        let changes = versions::changes(self.ledger.reader(), &self.jobs, seen).await?;
        let (opened, joined) = past;
        let closed = versions::closed_gaps(&self.gaps, &changes);
        let rows = changes
            .iter()
            .map(|(name, change)| versions::row(name, *change, &self.jobs, planned(name), now));
        let detail = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "jobs": self.jobs.jobs.len(),
            "changes": count(&changes),
        });
        let start = Event {
            at: now,
            kind: "start",
            actor: "daemon".into(),
            detail: detail.to_string(),
        };
        let plan = Plan {
            opened: opened.iter().chain(&closed).cloned().collect(),
            advanced: joined.iter().map(finished).collect(),
            versions: rows.collect(),
            events: vec![start],
            ..Plan::nothing(now, now)
        };
        self.ledger.plan(plan).await?;
        self.gaps.retain(|gap| !joined.contains(gap));
        self.close_gaps(&changes);
        self.queue_gaps(opened);
        self.planned_through = now;
        self.timetable = Timetable::new(self.jobs.jobs.values(), now);
        Ok(())
    }

    /// Opens the span between what is planned and now, if it holds ticks, and joins to it one of the last
    /// start that it goes on from and takes in: nothing fired in between, so it is one outage, of which `catchup`
    /// lets run what it would of one. Else a daemon that dies while it starts would catch up anew
    /// with each try.
    fn open_past(
        &self,
        Compared {
            version,
            is_closed,
            job,
        }: Compared<'_>,
        (planned, now): (Timestamp, Timestamp),
        (opened, joined): &mut (Vec<Gap>, Vec<Gap>),
    ) {
        let mut whole = Gap {
            definition_hash: if is_closed {
                version.definition_hash.clone()
            } else {
                job.hash.clone()
            },
            superseded: is_closed,
            ..gap(job, planned.max(version.from), now, GapCause::DaemonDown)
        };
        if !has_ticks(job, &whole) {
            return;
        }
        if let Some(before) = self.gaps.iter().find(|gap| is_continued(job, gap, &whole)) {
            whole.from = before.from;
            joined.push(before.clone());
        }
        opened.extend(split(job, whole));
    }
}

/// Whether any tick of the job lies in the span.
fn has_ticks(job: &Job, span: &Gap) -> bool {
    let first = || job.schedule.next_after(span.from);
    job.enabled && first().is_some_and(|tick| tick.at <= span.until)
}

/// Whether the job's span goes on from this one, with no tick between the two, and is planned like it.
fn is_continued(job: &Job, gap: &Gap, next: &Gap) -> bool {
    let like_it = Gap {
        from: gap.from,
        until: gap.until,
        ..next.clone()
    };
    let between = job.schedule.next_after(gap.until);
    *gap == like_it && gap.until <= next.from && between.is_none_or(|tick| tick.at > next.from)
}

/// The span with nothing left to plan.
fn finished(gap: &Gap) -> Gap {
    Gap {
        from: gap.until,
        ..gap.clone()
    }
}

/// The job as a person's order had it changed for the run.
fn as_given(job: &Arc<Job>, row: &UnfinishedRun) -> Result<Arc<Job>, String> {
    match (&row.kwargs, &row.request) {
        (Some(kwargs), _) => given::with_kwargs(job, kwargs),
        (None, Some(request)) => given::with_request(job, row.workspace.clone(), request),
        (None, None) => Ok(job.clone()),
    }
}

/// How many jobs changed in which way.
fn count(changes: &BTreeMap<JobName, Change>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for change in changes.values() {
        *counts.entry(change.as_str()).or_default() += 1;
    }
    counts
}

//! The quota proof in words and as data: the minutes of the next 31 days that do not fit.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::moment::{apart, shown};
use super::output::counted;
use crate::config::{Config, Diagnostic, Severity};
use crate::domain::forecast::{self, Crowd, Demand, Proof, Remedy, Span};
use crate::domain::job::JobName;

/// How far the proof looks. Long enough for a monthly job.
const DAYS: u64 = 31;

/// Crowds that are told of, the worst first; beyond them a count.
const TOLD: usize = 10;

/// Jobs that are named in a line.
const NAMED: usize = 3;

/// Proves the quota from the next full minute on.
pub(super) fn prove(config: &Config, now: Timestamp) -> Vec<Proof> {
    let enabled = config.jobs.iter().filter(|job| job.enabled);
    let jobs: Vec<Demand<'_>> = enabled.map(|job| Demand::from(job.as_ref())).collect();
    let second = now.as_second();
    let next_minute = second - second.rem_euclid(60) + 60;
    let from = Timestamp::from_second(next_minute).unwrap_or(now);
    let until = from.checked_add(Duration::from_secs(DAYS * 86_400));
    let until = until.unwrap_or(Timestamp::MAX);
    forecast::prove(&jobs, &config.workspaces, Span { from, until })
}

/// What was found, as warnings of the file, and how many more there are.
pub(super) fn warnings(proofs: &[Proof], file: &Path) -> Vec<Diagnostic> {
    let found = proofs.iter().flat_map(|proof| {
        let crowds = proof.crowds.iter();
        crowds.map(move |crowd| (proof, crowd))
    });
    let warning = |path: String, message: String, hint: Option<String>| Diagnostic {
        file: file.to_owned(),
        line: 0,
        column: 0,
        path,
        message,
        hint,
        severity: Severity::Warning,
    };
    let mut told: Vec<Diagnostic> = found
        .clone()
        .take(TOLD)
        .map(|(proof, crowd)| warning(path(proof), words(proof, crowd), hint(proof)))
        .collect();
    let more = found.count() - told.len();
    if more > 0 {
        let message = format!("and {} like these", counted(more as u64, "more line"));
        told.push(warning("workspaces".to_owned(), message, None));
    }
    told
}

/// What was looked at, in words: what is left out of the proof, and where it ended early.
pub(super) fn notes(proofs: &[Proof]) -> Vec<String> {
    let fits = proofs.iter().all(|proof| proof.crowds.is_empty());
    let found = if fits { "fit" } else { "do not all fit" };
    let left_out = (!proofs.is_empty()).then(|| {
        format!(
            "the planned calls of the next {DAYS} days {found} into the quota; retries, catch-up, starts by hand and the time that calls take come on top of the plan"
        )
    });
    let cut = proofs.iter().filter(|proof| proof.is_cut);
    let cut = cut.map(|proof| {
        let Span { from, until } = proof.span;
        format!(
            "{}: too many ticks to look {DAYS} days ahead; the quota was looked at for {}, until {}",
            path(proof),
            apart(from, until),
            shown(until)
        )
    });
    left_out.into_iter().chain(cut).collect()
}

fn path(proof: &Proof) -> String {
    let names = proof.workspaces.iter().map(ToString::to_string);
    format!("workspaces.{}.quota", names.collect::<Vec<_>>().join("+"))
}

fn words(proof: &Proof, crowd: &Crowd) -> String {
    let Crowd {
        when,
        timezone,
        missed,
        skipped,
        replaced,
        ..
    } = crowd;
    let limit = proof.limit;
    let calls = counted(crowd.calls as u64, "call");
    let lead = if *missed > 0 {
        "runs will be missed: "
    } else {
        ""
    };
    let mut words = format!("{lead}{when} ({timezone}): {calls} in a minute, limit {limit}");
    if crowd.calls <= limit.get() as usize {
        words.push_str(" (a call holds its place for 61s)");
    }
    let late = lateness(crowd.latest);
    // Writing to a text cannot fail.
    let _ = match *missed {
        0 => write!(words, "; the last starts {late} late"),
        _ => write!(
            words,
            "; in {}, {} could start only after the start_deadline ({}), the last of the others starts {late} late",
            looked_at(proof),
            counted(*missed as u64, "run"),
            named(&crowd.missed_jobs),
        ),
    };
    if *skipped > 0 {
        let ticks = counted(*skipped, "tick");
        let _ = write!(words, ", {ticks} will be skipped/overlap meanwhile");
    }
    if *replaced > 0 {
        let runs = counted(*replaced, "run");
        let _ = write!(words, ", {runs} will be cancelled/replaced meanwhile");
    }
    let _ = write!(words, "; jobs: {}", named(&crowd.jobs));
    words
}

fn looked_at(proof: &Proof) -> String {
    if proof.is_cut {
        apart(proof.span.from, proof.span.until)
    } else {
        format!("{DAYS} days")
    }
}

/// `450ms`, `50s`, `2m 02s`.
fn lateness(late: Duration) -> String {
    match Timestamp::UNIX_EPOCH.checked_add(late) {
        Ok(then) if late.as_secs() > 0 => apart(Timestamp::UNIX_EPOCH, then),
        _ => format!("{}ms", late.as_millis()),
    }
}

fn named(jobs: &[JobName]) -> String {
    let shown = if jobs.len() > NAMED + 1 {
        NAMED
    } else {
        jobs.len()
    };
    let names = jobs[..shown].iter().map(JobName::as_str);
    let mut text = names.collect::<Vec<_>>().join(", ");
    if shown < jobs.len() {
        let _ = write!(text, " and {} more", jobs.len() - shown);
    }
    text
}

fn hint(proof: &Proof) -> Option<String> {
    Some(match proof.remedy.as_ref()? {
        Remedy::Spread { spread, jobs } => {
            let whose = match proof.crowds.len() {
                1 => "these jobs".to_owned(),
                lines => format!("the jobs of all {lines} lines of this workspace"),
            };
            let crowded: BTreeSet<&JobName> = proof.crowds.iter().flat_map(|c| &c.jobs).collect();
            let but = if jobs.len() < crowded.len() {
                ", but those that have a longer one,"
            } else {
                ""
            };
            format!("`spread: {}` on {whose}{but} would fit", span(*spread))
        }
        Remedy::None => {
            "no single spread would fit: run them less often, or add an API key".to_owned()
        }
        Remedy::Unknown => "move some of them, or give them a `spread`".to_owned(),
    })
}

/// As the configuration writes it: `5m`, `2h`.
fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    if minutes.is_multiple_of(60) {
        format!("{}h", minutes / 60)
    } else {
        format!("{minutes}m")
    }
}

/// The proof as data.
pub(super) fn data(proofs: &[Proof]) -> Value {
    proofs.iter().map(of_workspaces).collect()
}

fn of_workspaces(proof: &Proof) -> Value {
    let names = proof.workspaces.iter().map(ToString::to_string);
    let crowds = proof.crowds.iter().take(TOLD).map(of_crowd);
    json!({
        "workspaces": names.collect::<Vec<_>>(),
        "limit": proof.limit,
        "from": shown(proof.span.from),
        "until": shown(proof.span.until),
        "cut": proof.is_cut,
        "crowds": crowds.collect::<Vec<_>>(),
        "more_crowds": proof.crowds.len().saturating_sub(TOLD),
        "remedy": proof.remedy.as_ref().map(of_remedy),
    })
}

fn of_crowd(crowd: &Crowd) -> Value {
    json!({
        "when": crowd.when,
        "timezone": crowd.timezone,
        "first": shown(crowd.first),
        "minutes": crowd.minutes,
        "calls": crowd.calls,
        "latest_ms": u64::try_from(crowd.latest.as_millis()).unwrap_or(u64::MAX),
        "missed": crowd.missed,
        "skipped": crowd.skipped,
        "replaced": crowd.replaced,
        "jobs": names(&crowd.jobs),
        "missed_jobs": names(&crowd.missed_jobs),
    })
}

fn of_remedy(remedy: &Remedy) -> Value {
    match remedy {
        Remedy::Spread {
            spread: suggested,
            jobs,
        } => json!({ "spread": span(*suggested), "jobs": names(jobs) }),
        Remedy::None => json!({ "spread": null, "why": "no_spread_fits" }),
        Remedy::Unknown => json!({ "spread": null, "why": "too_many_ticks" }),
    }
}

fn names(jobs: &[JobName]) -> Vec<&str> {
    jobs.iter().map(JobName::as_str).collect()
}

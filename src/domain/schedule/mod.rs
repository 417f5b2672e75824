//! When a job is due. A stand-in.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

/// What a schedule is parsed from.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleSpec<'a> {
    /// At least one.
    pub expressions: &'a [String],
    /// An IANA name.
    pub timezone: &'a str,
    /// What happens where the wall clock jumps.
    pub dst: Dst,
    /// No tick before.
    pub starts_at: Option<Timestamp>,
    /// No tick after.
    pub ends_at: Option<Timestamp>,
    /// The job's name, for `H`.
    pub job: &'a str,
}

/// What happens where the wall clock jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dst {
    /// Forward.
    pub gap: DstGap,
    /// Back.
    pub overlap: DstOverlap,
}

/// A tick in a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DstGap {
    /// Right after it.
    RunAfter,
    /// Not at all.
    Skip,
}

/// A tick in a repeated hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DstOverlap {
    /// The first time.
    First,
    /// The second time.
    Last,
    /// Twice.
    Both,
}

/// What is wrong with a schedule.
#[derive(Clone, Debug)]
pub struct ScheduleError {
    /// Which expression.
    pub expression: Option<usize>,
    /// Where in it.
    pub span: Option<Range<usize>>,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// When a job is due.
#[derive(Clone, Debug)]
pub struct Schedule {
    last: Option<Timestamp>,
}

impl Schedule {
    /// Parses a schedule.
    pub fn parse(spec: &ScheduleSpec<'_>) -> Result<Self, Vec<ScheduleError>> {
        let mut last = spec.ends_at;
        let mut errors = Vec::new();
        for (index, text) in spec.expressions.iter().enumerate() {
            let bad = |message: &str| ScheduleError {
                expression: Some(index),
                span: Some(0..text.len()),
                message: message.to_owned(),
                hint: None,
            };
            if let Some(at) = text.strip_prefix("@at ") {
                match at.parse() {
                    Ok(at) => last = Some(at),
                    Err(_) => errors.push(bad("no instant")),
                }
            } else if !text.starts_with('@') && !(5..=7).contains(&text.split_whitespace().count())
            {
                errors.push(bad("a cron expression has 5 to 7 fields"));
            }
        }
        if errors.is_empty() {
            Ok(Self { last })
        } else {
            Err(errors)
        }
    }

    /// The first tick strictly after `t`.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let next = t.checked_add(SignedDuration::from_secs(60)).ok()?;
        match self.last {
            Some(last) if last <= t => None,
            last => Some(last.map_or(next, |last| last.min(next))),
        }
    }
}

//! Tables by hand. `tests/it/schedule_oracle.rs` holds the search against brute force.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod days;
mod dst;
mod grammar;
mod promises;

use jiff::Timestamp;

use super::{Dst, DstGap, DstOverlap, Schedule, ScheduleError, ScheduleSpec, TickKind};

const JOB: &str = "nightly-report";

fn dst(gap: DstGap, overlap: DstOverlap) -> Dst {
    Dst { gap, overlap }
}

fn parse_in(expressions: &[&str], zone: &str, dst: Dst) -> Result<Schedule, Vec<ScheduleError>> {
    let expressions: Vec<String> = expressions.iter().map(|e| (*e).to_owned()).collect();
    Schedule::parse(&ScheduleSpec {
        expressions: &expressions,
        timezone: zone,
        dst,
        starts_at: None,
        ends_at: None,
        job: JOB,
    })
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    parse_in(&[expression], zone, Dst::default()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next `n` ticks in local time with offset, a skipped one marked.
fn next(schedule: &Schedule, from: &str, n: usize) -> Vec<String> {
    let mut t = at(from);
    let mut shown = Vec::new();
    for _ in 0..n {
        let Some(tick) = schedule.next_after(t) else {
            shown.push("none".to_owned());
            break;
        };
        let offset = schedule.timezone().to_offset(tick.at);
        let skipped = match tick.kind {
            TickKind::Fire => "",
            TickKind::SkippedByGap => " skipped",
            TickKind::Excluded => " excluded",
        };
        shown.push(format!("{}{skipped}", tick.at.display_with_offset(offset)));
        t = tick.at;
    }
    shown
}

//! Words about the ticks that a change of the clocks made different from what their expression
//! says.

use jiff::civil::DateTime;

use super::search::Calendar;
use super::zone::{Stretch, Wall};
use super::{DstGap, Inner, Rule, Tick, TickKind, floor_second};

/// How many swallowed local times are named before the rest is "and more".
const NAMED: usize = 3;

impl Inner {
    pub(super) fn explain(&self, tick: &Tick) -> Option<String> {
        if tick.kind == TickKind::Excluded {
            return Some("a day that except or only_on excludes".to_owned());
        }
        let second = floor_second(tick.at);
        let stretch = Stretch::at(&self.timezone, second);
        let fixed = || {
            self.rules.iter().filter_map(|rule| match rule {
                Rule::Calendar(calendar) if calendar.fixed => Some(calendar),
                _ => None,
            })
        };
        if second == stretch.start && stretch.fresh() < stretch.opens() {
            return swallowed(fixed(), &stretch, self.dst.gap, tick.kind);
        }
        let wall = stretch.wall(second);
        let repeated = wall >= stretch.repeats();
        let again = wall < stretch.fresh();
        let matched = fixed().any(|calendar| calendar.first_from(wall) == Some(wall));
        if !matched || !(repeated || again) {
            return None;
        }
        let at = wall.civil()?;
        Some(format!(
            "{} happens twice: this is the {} of them (dst.overlap: {})",
            clock(at),
            if again { "second" } else { "first" },
            self.dst.overlap.as_str(),
        ))
    }
}

/// The note on the tick at a gap's end, where the gap swallowed any fixed local time.
fn swallowed<'a>(
    fixed: impl Iterator<Item = &'a Calendar>,
    after: &Stretch,
    gap: DstGap,
    kind: TickKind,
) -> Option<String> {
    let mut lost: Vec<Wall> = Vec::new();
    for calendar in fixed {
        let mut from = after.fresh();
        for _ in 0..=NAMED {
            let Some(wall) = calendar
                .first_from(from)
                .filter(|wall| *wall < after.opens())
            else {
                break;
            };
            lost.push(wall);
            from = Wall(wall.0 + 1);
        }
    }
    lost.sort_unstable();
    lost.dedup();
    let opens = after.opens().civil()?;
    let name = |wall: &Wall| {
        let civil = wall.civil()?;
        Some(if civil.date() == opens.date() {
            clock(civil)
        } else {
            format!("{} {}", civil.date(), clock(civil))
        })
    };
    let mut names: Vec<String> = lost.iter().take(NAMED).filter_map(name).collect();
    if lost.len() > NAMED {
        names.push("more".to_owned());
    }
    let verb = match names.len() {
        0 => return None,
        1 => "does",
        _ => "do",
    };
    let last = names.pop()?;
    let names = if names.is_empty() {
        last
    } else {
        format!("{} and {last}", names.join(", "))
    };
    let fate = match (gap, kind) {
        (DstGap::RunAfter, _) if lost.len() == 1 => "it is due right after",
        (DstGap::RunAfter, _) => "they are due once, right after",
        (DstGap::Skip, TickKind::SkippedByGap) => "skipped (dst.gap: skip)",
        (DstGap::Skip, TickKind::Fire | TickKind::Excluded) => {
            "skipped (dst.gap: skip), but another tick is due right after"
        }
    };
    Some(format!(
        "{names} {verb} not exist, the clocks jump from {} to {}: {fate}",
        name(&after.fresh())?,
        clock(opens),
    ))
}

/// `02:30`, with seconds where there are any.
fn clock(time: DateTime) -> String {
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    if second == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

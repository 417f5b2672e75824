//! Every tick of a definition, worked out by brute force on the wall clock.
//!
//! A zone is cut into stretches of one offset (`zone`). Within a stretch the local times
//! run as evenly as real ones, so the scanner goes through its days, and on each day that an
//! expression names through its times of day. What happens where two stretches meet is said
//! nowhere else but in `in_span`. There is no search for a next tick, and so none that could
//! miss one.

use std::iter::Peekable;

use sha2::{Digest, Sha256};

use super::definition::{Definition, Gap, Overlap};
use super::expression::{Cron, Expression};
use super::zone::{Span, offset_at, spans};

/// The first instant that has ticks, in microseconds: the epoch.
const FIRST_US: i64 = 0;
/// The last: schedules end with the year 2100.
const LAST_US: i64 = 4_133_980_800_000_000 - 1;

/// An instant at which a definition is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Microseconds since the epoch.
    pub at_us: i64,
    /// Whether it fires.
    pub kind: TickKind,
}

/// Whether a tick fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickKind {
    /// It does.
    Fire,
    /// The wall clock jumped over it and `dst.gap` is `skip`: its instant is the jump's end.
    SkippedByGap,
    /// It is on a day that `except` or `only_on` leaves out.
    Excluded,
}

type Stream<'a> = Peekable<Box<dyn Iterator<Item = Tick> + Send + 'a>>;

/// The ticks of a definition in a span of time, ascending, each instant once: the union over its
/// expressions, in which firing wins over skipping.
pub struct Ticks<'a> {
    definition: &'a Definition,
    streams: Vec<Stream<'a>>,
}

impl Iterator for Ticks<'_> {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        let heads = self.streams.iter_mut().filter_map(|stream| stream.peek());
        let at_us = heads.map(|tick| tick.at_us).min()?;
        let mut kind = TickKind::SkippedByGap;
        for stream in &mut self.streams {
            while let Some(tick) = stream.next_if(|tick| tick.at_us == at_us) {
                if tick.kind == TickKind::Fire {
                    kind = TickKind::Fire;
                }
            }
        }
        if self.definition.excludes(at_us) {
            kind = TickKind::Excluded;
        }
        Some(Tick { at_us, kind })
    }
}

impl Definition {
    /// Whether the day is left out on which the wall clock shows an instant.
    fn excludes(&self, at_us: i64) -> bool {
        let second = at_us.div_euclid(1_000_000);
        self.excluded
            .hold(|| second + offset_at(&self.zone, second))
    }

    /// How much later than its tick a run is due, in microseconds. The window is cut where another
    /// tick follows within it; `next_us` is that tick where it is known already.
    pub fn delay_us(&self, tick_us: i64, next_us: Option<i64>) -> i64 {
        if self.spread_us == 0 {
            return 0;
        }
        let next_us = next_us.or_else(|| {
            let within = tick_us.saturating_add(self.spread_us);
            ticks(self, tick_us, within).next().map(|next| next.at_us)
        });
        let gap_us = next_us.map_or(i64::MAX, |next| next - tick_us);
        let digest = Sha256::digest(format!("spread\0{}", self.name));
        // Big-endian, taken modulo the window digit by digit.
        let window = i128::from(self.spread_us.min(gap_us).max(1));
        let digits = digest.iter().take(8);
        let delay = digits.fold(0, |rest, digit| (rest * 256 + i128::from(*digit)) % window);
        i64::try_from(delay).unwrap_or(0)
    }
}

/// The ticks of a definition in `(after_us, through_us]`, within its bounds and the years from
/// 1970 to 2100. A disabled definition has none.
pub fn ticks(definition: &Definition, after_us: i64, through_us: i64) -> Ticks<'_> {
    let first = after_us.saturating_add(1).max(FIRST_US);
    let first = first.max(definition.starts_us.unwrap_or(i64::MIN));
    let last = through_us.min(LAST_US);
    let last = last.min(definition.ends_us.unwrap_or(i64::MAX));
    if !definition.enabled || first > last {
        return Ticks {
            definition,
            streams: Vec::new(),
        };
    }
    // Wall clocks count whole seconds: from the first one not before `first`, to the last.
    let first_second = -(-first).div_euclid(1_000_000);
    let last_second = last.div_euclid(1_000_000);
    let spans = spans(&definition.zone, first_second, last_second);
    let streams = definition
        .expressions
        .iter()
        .map(|expression| {
            let stream: Box<dyn Iterator<Item = Tick> + Send> = match expression {
                Expression::Cron(cron) => {
                    Box::new(spans.clone().into_iter().flat_map(move |span| {
                        in_span(cron, definition, span, first_second, last_second)
                    }))
                }
                Expression::Every(step) => {
                    let multiples = -(-first).div_euclid(*step)..=last.div_euclid(*step);
                    Box::new(multiples.map(move |multiple| fire(multiple * step)))
                }
                Expression::At(at_us) => Box::new(
                    (first..=last)
                        .contains(at_us)
                        .then(|| fire(*at_us))
                        .into_iter(),
                ),
                Expression::Manual => Box::new(std::iter::empty()),
            };
            stream.peekable()
        })
        .collect();
    Ticks {
        definition,
        streams,
    }
}

/// The ticks of one expression in one span, within `first..=last`, in seconds: what became of the
/// local times that were jumped over at the span's beginning, then those that the span shows.
fn in_span<'a>(
    cron: &'a Cron,
    definition: &Definition,
    span: Span,
    first: i64,
    last: i64,
) -> impl Iterator<Item = Tick> + Send + use<'a> {
    let overlap = definition.overlap;
    let made_up = span
        .gap()
        .filter(|_| !cron.follows_elapsed_time && (first..=last).contains(&span.begin))
        .filter(|(gap_first, gap_end)| cron.local_times(*gap_first, *gap_end).next().is_some())
        .map(|_| Tick {
            at_us: span.begin * 1_000_000,
            kind: match definition.gap {
                Gap::RunAfter => TickKind::Fire,
                Gap::Skip => TickKind::SkippedByGap,
            },
        });
    let begin = span.begin.max(first);
    let end = span.end.min(last + 1);
    let shown = cron
        .local_times(begin + span.offset, end + span.offset)
        .filter(move |local| {
            cron.follows_elapsed_time
                || match overlap {
                    Overlap::First => !span.repeats(*local),
                    Overlap::Last => !span.is_repeated(*local),
                    Overlap::Both => true,
                }
        })
        .map(move |local| fire((local - span.offset) * 1_000_000));
    made_up.into_iter().chain(shown)
}

fn fire(at_us: i64) -> Tick {
    Tick {
        at_us,
        kind: TickKind::Fire,
    }
}

#[cfg(test)]
mod tests;

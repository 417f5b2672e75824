//! When a job is due: expressions in, instants out.
//!
//! # Invariants
//! - Every tick is a whole second, and [`Schedule::next_after`]`(t)` is later than `t` on every call.
//! - The search for the next date and time runs on the wall clock of the job's zone, counted as if
//!   it were UTC (`search`, the only place where the `cron` crate works; it is never given a
//!   zone, since its own handling of one loses ticks and goes back in time). `zone` maps the
//!   wall clock to instants with jiff's transitions.
//! - All of it is a function of the expressions, the job's name and the zone's data.
//!
//! # The language
//! Five fields, `minute hour day-of-month month day-of-week`; six with leading seconds; seven with
//! a trailing year, 1970 to 2100. At most [`MAX_EXPRESSION`] bytes, blanks between fields only.
//!
//! | written | where | meaning |
//! |---|---|---|
//! | `*`, `*/n` | any field | every value; every n-th from the field's first. n is at most the number of the field's values |
//! | `a`, `a-b`, `a-b/n` | any field | a value, a range, every n-th of a range; never over the end (`22-2`), never `a/n` |
//! | names | month, day of week | three letters or whole, any case; Sunday is 0 and 7 |
//! | `?` | day of month, day of week | every value; alone |
//! | `L`, `L-n`, `LW` | day of month | the last day, the n-th before it, the last weekday (Monday to Friday) |
//! | `nW` | day of month | the weekday nearest to day n within the month; none in a month without a day n |
//! | `dL`, `d#k` | day of week | the month's last day d; its k-th, none in a month that has fewer |
//! | `H`, `H/n`, `H(a-b)`, `H(a-b)/n` | any field but year | a stable value of the job's own, see the module `hash` |
//!
//! Lists join any of these with commas, but `?`. `L`, `W` and `H` are capitals: a small `l` is too
//! near to a `1`.
//!
//! A date must be of a month that matches, and: where the day-of-month or the day-of-week field
//! begins with `*` or is `?`, both must match; where neither does, either one is enough (Debian's
//! cron, `*/2` included; `H` does not begin with `*`).
//!
//! `@yearly` `@annually` `@monthly` `@weekly` `@daily` `@midnight` `@hourly` stand for their
//! fields. `@every 90s` (`s`, `m`, `h`, `d`; at least a second) ticks at the multiples of its
//! interval since 1970-01-01T00:00:00Z. `@at 2026-12-24T18:00:00+08:00` ticks once. `@manual`,
//! alone, never ticks.
//!
//! # Daylight saving time
//! An expression whose minute or hour field begins with `*` is an *interval*: it ticks at every
//! instant whose local time matches, so in both passes of a repeated hour, and not at all for the
//! local times of a gap. Every other one is *fixed*: its local times in a gap become one tick at
//! the gap's end ([`DstGap`]), and its local times that happen twice tick by [`DstOverlap`].
//! `@every` and `@at` are instants and know no zone.
//!
//! # Days
//! A tick whose date, on the wall clock of the zone at its instant, is excluded by the schedule's
//! [`DayRules`] is a [`TickKind::Excluded`], whatever else a change of the clocks made of it.

mod alike;
mod days;
mod error;
mod explain;
mod field;
mod hash;
mod parse;
mod search;
mod special;
#[cfg(test)]
mod tests;
mod unit;
mod zone;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use alike::TickSource;
pub use error::ScheduleError;
pub use parse::{MAX_EXPRESSION, MAX_EXPRESSIONS};

pub(super) use hash::stable;

use super::calendar::DayRules;
use search::Calendar;
use zone::Stretch;

/// What becomes of a fixed local time that does not exist, since the clocks jump over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DstGap {
    /// It is due at the gap's end, the first instant after the jump; several become one tick.
    #[default]
    RunAfter,
    /// It is a [`TickKind::SkippedByGap`] at that instant.
    Skip,
}

impl DstGap {
    /// The spelling in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunAfter => "run_after",
            Self::Skip => "skip",
        }
    }
}

/// Which pass of a repeated hour a fixed local time is due in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DstOverlap {
    /// The first.
    #[default]
    First,
    /// The second.
    Last,
    /// Each of the two.
    Both,
}

impl DstOverlap {
    /// The spelling in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Both => "both",
        }
    }
}

/// How fixed local times meet a change of the clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dst {
    /// Where a local time does not exist.
    pub gap: DstGap,
    /// Where it happens twice.
    pub overlap: DstOverlap,
}

/// What [`Schedule::parse`] needs to know of a job.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleSpec<'a> {
    /// At least one; the schedule is the union of their ticks.
    pub expressions: &'a [String],
    /// An IANA name.
    pub timezone: &'a str,
    /// How fixed local times meet a change of the clocks.
    pub dst: Dst,
    /// No tick before it.
    pub starts_at: Option<Timestamp>,
    /// No tick after it.
    pub ends_at: Option<Timestamp>,
    /// The job's name, which `H` is made of.
    pub job: &'a str,
}

/// An instant at which a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tick {
    /// The instant, a whole second.
    pub at: Timestamp,
    /// Whether it runs.
    pub kind: TickKind,
}

/// Whether a tick is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TickKind {
    /// It is.
    Fire,
    /// The clocks jumped over its local time and [`DstGap::Skip`] says to leave it. It stands at
    /// the gap's end, unless another tick of the schedule fires there.
    SkippedByGap,
    /// Its date is one that the job does not run on.
    Excluded,
}

/// When a job is due. Cheap to clone; a clone shares everything.
#[derive(Clone)]
pub struct Schedule(Arc<Inner>);

struct Inner {
    expressions: Box<[String]>,
    /// Empty where the schedule is `@manual`.
    rules: Box<[Rule]>,
    timezone_name: Box<str>,
    timezone: TimeZone,
    dst: Dst,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    days: DayRules,
}

/// One expression, parsed.
enum Rule {
    Calendar(Calendar),
    /// Seconds between the ticks, at least 1.
    Every(i64),
    At(Timestamp),
}

impl Schedule {
    /// Parses a schedule.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one go: expressions, time zone, bounds.
    pub fn parse(spec: &ScheduleSpec<'_>) -> Result<Self, Vec<ScheduleError>> {
        Self::parse_on(spec, DayRules::default())
    }

    /// Parses a schedule whose ticks are excluded on some days.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_on(spec: &ScheduleSpec<'_>, days: DayRules) -> Result<Self, Vec<ScheduleError>> {
        let inner = parse::schedule(spec)?;
        Ok(Self(Arc::new(Inner { days, ..inner })))
    }

    /// The first tick strictly after `t`. `None` where there is none: `@manual`, past an `@at`,
    /// past `ends_at` or the last year.
    pub fn next_after(&self, t: Timestamp) -> Option<Tick> {
        let after = match self.0.starts_at {
            Some(start) if t < start => start.checked_sub(NANOSECOND).unwrap_or(t),
            _ => t,
        };
        let tick = strictly_later(after, |from| self.0.earliest(from))?;
        let kind = if self.0.excludes(tick.at) {
            TickKind::Excluded
        } else {
            tick.kind
        };
        self.0
            .ends_at
            .is_none_or(|end| tick.at <= end)
            .then_some(Tick { kind, ..tick })
    }

    /// The first tick strictly after `t` that is not excluded. `None` where there is none, or where
    /// [`DAYS_SKIPPED`] excluded ones lie before it: a weekly tick finds its day within 19 years, or
    /// never.
    pub fn next_kept_after(&self, t: Timestamp) -> Option<Tick> {
        let mut from = t;
        for _ in 0..DAYS_SKIPPED {
            let tick = self.next_after(from)?;
            if tick.kind != TickKind::Excluded {
                return Some(tick);
            }
            from = self.0.before_next_open_day(tick.at)?;
        }
        None
    }

    /// The ticks in `(after, through]`, in order.
    pub fn ticks(
        &self,
        after: Timestamp,
        through: Timestamp,
    ) -> impl Iterator<Item = Tick> + use<> {
        let schedule = self.clone();
        let next = move |t| schedule.next_after(t).filter(|tick| tick.at <= through);
        std::iter::successors(next(after), move |tick: &Tick| next(tick.at))
    }

    /// Whether no tick is left after `now`, though it is not `@manual`: a past `@at` or `ends_at`,
    /// or a year field that is used up.
    pub fn is_exhausted_at(&self, now: Timestamp) -> bool {
        !self.is_manual() && self.next_after(now).is_none()
    }

    /// Whether a tick differs from what its expression says on the face of it, and how: moved or
    /// skipped by a gap, merged, or one of two passes of a repeated hour. For people.
    pub fn explain(&self, tick: &Tick) -> Option<String> {
        self.0.explain(tick)
    }

    /// The expressions as written.
    pub fn expressions(&self) -> &[String] {
        &self.0.expressions
    }

    /// The IANA name of the zone, in its proper spelling.
    pub fn timezone_name(&self) -> &str {
        &self.0.timezone_name
    }

    /// The zone whose wall clock the expressions mean.
    pub fn timezone(&self) -> &TimeZone {
        &self.0.timezone
    }

    /// How fixed local times meet a change of the clocks.
    pub fn dst(&self) -> Dst {
        self.0.dst
    }

    /// No tick before it.
    pub fn starts_at(&self) -> Option<Timestamp> {
        self.0.starts_at
    }

    /// No tick after it.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.0.ends_at
    }

    /// The days whose ticks are excluded.
    pub fn days(&self) -> &DayRules {
        &self.0.days
    }

    /// Whether the two are one in memory.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether an `H` in it makes it depend on the job's name.
    pub fn is_by_name(&self) -> bool {
        let items = |text: &str| {
            text.split([' ', '\t', ','])
                .any(|item| item.starts_with('H'))
        };
        self.0.expressions.iter().any(|text| items(text))
    }

    /// Whether it is `@manual`, and never ticks.
    pub fn is_manual(&self) -> bool {
        self.0.rules.is_empty()
    }
}

/// The parsed rules are left out: their sets are long and follow from what is shown; so are the days,
/// which a job's definition has in words.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("expressions", &self.0.expressions)
            .field("timezone", &self.0.timezone_name)
            .field("dst", &self.0.dst)
            .field("starts_at", &self.0.starts_at)
            .field("ends_at", &self.0.ends_at)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The earliest tick of all rules, the bounds not looked at.
    fn earliest(&self, t: Timestamp) -> Option<Tick> {
        let second = floor_second(t);
        let mut stretch = None;
        let mut best: Option<(i64, TickKind)> = None;
        for rule in &self.rules {
            let next = match rule {
                Rule::Every(interval) => next_multiple(second, *interval),
                Rule::At(at) => Some((at.as_second(), TickKind::Fire)).filter(|(s, _)| *s > second),
                Rule::Calendar(calendar) => {
                    let second = second.max(zone::FIRST_SECOND);
                    let stretch =
                        stretch.get_or_insert_with(|| Stretch::at(&self.timezone, second));
                    zone::next(calendar, &self.timezone, self.dst, second, stretch)
                }
            };
            best = match (best, next) {
                (Some(old), Some(new)) => Some(sooner(old, new)),
                (old, new) => new.or(old),
            };
        }
        let (second, kind) = best?;
        let at = Timestamp::from_second(second).ok()?;
        Some(Tick { at, kind })
    }

    fn excludes(&self, at: Timestamp) -> bool {
        !self.days.is_empty() && self.days.exclude(self.timezone.to_datetime(at).date())
    }

    /// The last instant before the first day that is not excluded, `at` being on one that is. No
    /// further than to the next change of the clocks: it may bring a day back that had passed.
    fn before_next_open_day(&self, at: Timestamp) -> Option<Timestamp> {
        let date = self.timezone.to_datetime(at).date();
        let open = self.days.first_open_day(date)?;
        let opens = self.timezone.to_timestamp(open.at(0, 0, 0, 0)).ok()?;
        let change = self.timezone.following(at).next();
        let until = change.map_or(opens, |change| change.timestamp().min(opens));
        Some(until.checked_sub(NANOSECOND).ok()?.max(at))
    }
}

const NANOSECOND: std::time::Duration = std::time::Duration::from_nanos(1);

/// Excluded ticks that [`Schedule::next_kept_after`] leaps from, at most.
const DAYS_SKIPPED: u32 = 1000;

/// How often [`strictly_later`] looks further on.
const LOOKS: u32 = 60;

/// Holds the promise that the next tick is later than `t`, whatever the search does.
///
/// A search that answers with the past would turn every loop above it into a hot one. Where it
/// does, that is logged and the search is asked again from a minute on, and so on: ticks may be
/// lost by such a bug, but no call is made at a time that no schedule names.
fn strictly_later(t: Timestamp, search: impl Fn(Timestamp) -> Option<Tick>) -> Option<Tick> {
    let mut from = t;
    for _ in 0..LOOKS {
        let tick = search(from)?;
        if tick.at > t {
            return Some(tick);
        }
        tracing::error!(%from, answer = %tick.at, "the schedule's search went back in time; looking a minute further on");
        from = from.checked_add(std::time::Duration::from_secs(60)).ok()?;
    }
    None
}

/// The earlier of two ticks; at one instant the one that fires.
fn sooner(a: (i64, TickKind), b: (i64, TickKind)) -> (i64, TickKind) {
    let rank = |(second, kind): (i64, TickKind)| (second, kind != TickKind::Fire);
    if rank(b) < rank(a) { b } else { a }
}

/// The first multiple of `interval` after `second`; `None` where that overflows.
fn next_multiple(second: i64, interval: i64) -> Option<(i64, TickKind)> {
    let multiple = second.div_euclid(interval).checked_add(1)?;
    Some((multiple.checked_mul(interval)?, TickKind::Fire))
}

/// The whole second that `t` lies in; jiff itself rounds towards 1970.
fn floor_second(t: Timestamp) -> i64 {
    let second = t.as_second();
    if t.subsec_nanosecond() < 0 {
        second - 1
    } else {
        second
    }
}

//! From the wall clock to instants, through every change of the clocks.
//!
//! The time line is cut into *stretches* of one offset each. Within a stretch wall and instants run
//! side by side, so a search on the wall clock needs mapping only, and all that is special happens
//! where one stretch meets the next: the wall clock jumps over a *gap*, or goes back and *repeats*.
//! No length of a gap or a repetition is special (an hour, half of one on Lord Howe Island, a day in
//! Samoa). Seconds since the epoch are plain `i64`s here.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::search::Calendar;
use super::{Dst, DstGap, DstOverlap, TickKind};

/// A reading of a wall clock, in seconds since its own 1970-01-01T00:00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wall(pub(super) i64);

impl Wall {
    /// Calendars begin here.
    pub(super) const FIRST: Self = Self(0);

    /// As a date and a time.
    pub(super) fn civil(self) -> Option<DateTime> {
        let as_if_utc = Timestamp::from_second(self.0).ok()?;
        Some(Offset::UTC.to_datetime(as_if_utc))
    }
}

/// No calendar ticks at or before this second in any zone: two days before 1970, since offsets are
/// shorter than 26 hours.
pub(super) const FIRST_SECOND: i64 = -2 * 86_400;

/// A longest span of one offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Its first second; `i64::MIN` where it has no beginning.
    pub(super) start: i64,
    offset: i64,
    /// The offset of the stretch before.
    before: i64,
    /// The first second of the next, and its offset; `None` where it never ends.
    next: Option<(i64, i64)>,
}

impl Stretch {
    /// The one that holds `second`.
    pub(super) fn at(zone: &TimeZone, second: i64) -> Self {
        let offset = offset_at(zone, second);
        // `preceding` is exclusive, and a stretch holds its own first second.
        let start = instant(second + 1)
            .and_then(|t| zone.preceding(t).next())
            .map_or(i64::MIN, |change| change.timestamp().as_second());
        let before = if start == i64::MIN {
            offset
        } else {
            offset_at(zone, start - 1)
        };
        Self {
            start,
            offset,
            before,
            next: change_after(zone, second),
        }
    }

    /// The one that follows.
    fn following(&self, zone: &TimeZone) -> Option<Self> {
        let (start, offset) = self.next?;
        Some(Self {
            start,
            offset,
            before: self.offset,
            next: change_after(zone, start),
        })
    }

    pub(super) fn wall(&self, second: i64) -> Wall {
        Wall(second + self.offset)
    }

    /// Its first wall time.
    pub(super) fn opens(&self) -> Wall {
        Wall(self.start.saturating_add(self.offset))
    }

    /// The first wall time that the stretch before did not reach. Later than [`Self::opens`] where
    /// the clocks went back, earlier where they jumped: `[fresh, opens)` is the gap then.
    pub(super) fn fresh(&self) -> Wall {
        Wall(self.start.saturating_add(self.before))
    }

    /// The first wall time that it does not reach.
    fn closes(&self) -> Wall {
        Wall(self.next.map_or(i64::MAX, |(end, _)| end + self.offset))
    }

    /// The first of its wall times that the next stretch repeats, or [`Self::closes`].
    pub(super) fn repeats(&self) -> Wall {
        let next_opens = self.next.map_or(i64::MAX, |(end, after)| end + after);
        self.closes().min(Wall(next_opens))
    }
}

/// The first tick of `calendar` strictly after `second`, which `stretch` holds.
///
/// Stretch by stretch: `found` is the first match at or after `from` on the wall clock. It is looked
/// for again only where the wall clock goes back behind `from`, or where `found` fell into a gap:
/// a repetition that begins at or after `from` holds no match, or `found` would be before its end.
/// That makes few searches a call, however many changes of the clocks lie between, and an
/// exhausted calendar ends the walk at the next of them.
pub(super) fn next(
    calendar: &Calendar,
    zone: &TimeZone,
    dst: Dst,
    second: i64,
    stretch: &Stretch,
) -> Option<(i64, TickKind)> {
    let first_pass = calendar.fixed && dst.overlap == DstOverlap::First;
    let last_pass = calendar.fixed && dst.overlap == DstOverlap::Last;
    let mut stretch = *stretch;
    let mut from = stretch.wall(second + 1);
    if first_pass {
        from = from.max(stretch.fresh());
    }
    let mut found = calendar.first_from(from);
    loop {
        let end = if last_pass {
            stretch.repeats()
        } else {
            stretch.closes()
        };
        if let Some(wall) = found.filter(|wall| *wall < end) {
            return Some((wall.0 - stretch.offset, TickKind::Fire));
        }
        stretch = stretch.following(zone)?;
        if let Some(wall) = found.filter(|_| calendar.fixed)
            && stretch.fresh() <= wall
            && wall < stretch.opens()
        {
            return Some((stretch.start, at_gap_end(calendar, dst.gap, &stretch)));
        }
        let resume = if first_pass {
            stretch.opens().max(stretch.fresh())
        } else {
            stretch.opens()
        };
        if resume < from || found.is_some_and(|wall| wall < resume) {
            from = resume;
            found = calendar.first_from(from);
        } else if found.is_none() {
            return None;
        }
    }
}

/// What a gap that swallowed a tick leaves at its end: under `skip`, a tick of the gap's end itself
/// is real and fires.
fn at_gap_end(calendar: &Calendar, gap: DstGap, after: &Stretch) -> TickKind {
    let real = || calendar.first_from(after.opens()) == Some(after.opens());
    if gap == DstGap::RunAfter || real() {
        TickKind::Fire
    } else {
        TickKind::SkippedByGap
    }
}

fn change_after(zone: &TimeZone, second: i64) -> Option<(i64, i64)> {
    let change = zone.following(instant(second)?).next()?;
    Some((
        change.timestamp().as_second(),
        i64::from(change.offset().seconds()),
    ))
}

fn offset_at(zone: &TimeZone, second: i64) -> i64 {
    instant(second).map_or(0, |t| i64::from(zone.to_offset(t).seconds()))
}

fn instant(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

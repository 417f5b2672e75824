//! Where a zone's offset from UTC changes.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A stretch of time `[begin, end)` with one offset from UTC; instants in seconds since the epoch,
/// offsets in seconds east.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begin: i64,
    pub(super) end: i64,
    pub(super) offset: i64,
    /// The offset up to `begin`; `None` where the span has no beginning.
    pub(super) offset_before: Option<i64>,
    /// The offset from `end` on; `None` where the span has no end.
    pub(super) offset_after: Option<i64>,
}

impl Span {
    /// The local times `[first, end)` that the wall clock jumped over at the span's beginning.
    pub(super) fn gap(&self) -> Option<(i64, i64)> {
        let before = self.offset_before?;
        (before < self.offset).then(|| (self.begin + before, self.begin + self.offset))
    }

    /// Whether a local time of this span was shown just before the span too.
    pub(super) fn repeats(&self, local: i64) -> bool {
        self.offset_before
            .is_some_and(|before| local < self.begin + before)
    }

    /// Whether a local time of this span will be shown again just after it.
    pub(super) fn is_repeated(&self, local: i64) -> bool {
        self.offset_after
            .is_some_and(|after| local >= self.end + after)
    }
}

/// The spans from the one that holds `first` to the one that holds `last`, in order.
pub(super) fn spans(zone: &TimeZone, first: i64, last: i64) -> Vec<Span> {
    let (mut begin, mut offset_before) = match change_through(zone, first) {
        Some((at, before)) => (at, Some(before)),
        None => (i64::MIN, None),
    };
    let mut offset = offset_at(zone, first);
    let mut spans = Vec::new();
    loop {
        let next = change_after(zone, begin.max(first), offset);
        let (end, offset_after) = match next {
            Some((at, after)) => (at, Some(after)),
            None => (i64::MAX, None),
        };
        spans.push(Span {
            begin,
            end,
            offset,
            offset_before,
            offset_after,
        });
        match offset_after {
            Some(after) if end <= last => {
                (begin, offset_before, offset) = (end, Some(offset), after);
            }
            _ => return spans,
        }
    }
}

/// The latest change of the offset at or before an instant, and the offset before it. Not every
/// transition of a zone is one: some change its abbreviation alone.
fn change_through(zone: &TimeZone, instant: i64) -> Option<(i64, i64)> {
    zone.preceding(timestamp(instant + 1))
        .map(|transition| {
            let at = transition.timestamp().as_second();
            (at, transition.offset().seconds(), offset_at(zone, at - 1))
        })
        .find(|(_, offset, before)| i64::from(*offset) != *before)
        .map(|(at, _, before)| (at, before))
}

/// The first change after an instant to another offset than the given one.
fn change_after(zone: &TimeZone, instant: i64, offset: i64) -> Option<(i64, i64)> {
    zone.following(timestamp(instant))
        .map(|transition| {
            (
                transition.timestamp().as_second(),
                i64::from(transition.offset().seconds()),
            )
        })
        .find(|(_, after)| *after != offset)
}

/// The offset at an instant, in seconds east.
pub(super) fn offset_at(zone: &TimeZone, instant: i64) -> i64 {
    zone.to_offset(timestamp(instant)).seconds().into()
}

/// An instant of jiff's range, which the scanner's limits lie well within.
fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

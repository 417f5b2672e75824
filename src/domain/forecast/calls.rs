//! The calls to come, in the order in which they fall due.
//!
//! Jobs whose schedules tick alike are searched once for all of them: sixty jobs at `0 * * * *` cost
//! the search of one. What the whole walk may cost is bounded ([`Calls::new`]), since ten thousand
//! jobs may each tick every second.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::schedule::{Schedule, Tick, TickKind};
use crate::domain::spread::Spread;

/// What a step of the walk costs: a call, and the search of a tick. By measurement: a search takes
/// a few microseconds, a call less than one.
const CALL: u64 = 1;
const SEARCH: u64 = 5;

/// A time in which few ticks lie: a schedule has none closer than a second.
const SHORT: SignedDuration = SignedDuration::from_secs(2);

/// A stretch of time, `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

/// Someone who calls: a job's schedule and its spread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    /// When it ticks.
    pub(super) schedule: &'a Schedule,
    /// How long after a tick it falls due.
    pub(super) spread: Spread,
}

/// A call that falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its tick, in microseconds since the epoch.
    pub(super) tick_us: i64,
    /// When it falls due, in microseconds since the epoch.
    pub(super) due_us: i64,
    /// Whose: an index into the callers.
    pub(super) caller: usize,
}

/// The calls of some callers in a span, in the order of their due times; at one instant by caller.
#[derive(Debug)]
pub(super) struct Calls<'a> {
    crews: Vec<Crew<'a>>,
    next: BinaryHeap<Reverse<(i64, usize, usize)>>,
    from: i64,
    until: i64,
    left: u64,
    cut: Option<Timestamp>,
}

impl<'a> Calls<'a> {
    /// Begins the walk. `work` bounds it: about that many calls, or a fifth as many ticks that each
    /// have to be searched for.
    pub(super) fn new(callers: &[Caller<'a>], span: Span, work: u64) -> Self {
        let mut calls = Self {
            crews: Vec::new(),
            next: BinaryHeap::new(),
            from: span.from.as_microsecond(),
            until: span.until.as_microsecond(),
            left: work,
            cut: None,
        };
        for members in alike(callers) {
            let Some(schedule) = members.first().map(|first| callers[*first].schedule) else {
                continue;
            };
            calls.left = calls.left.saturating_sub(SEARCH);
            let crew = calls.crews.len();
            let members = members.into_iter().map(|at| (callers[at].spread, at));
            if let Some(made) = Crew::new(schedule, members.collect(), span.from) {
                let (due, caller) = made.due();
                calls.next.push(Reverse((due, caller, crew)));
                calls.crews.push(made);
            }
        }
        calls
    }

    /// Where the walk was ended since it grew too long: from this instant on, nothing is known.
    pub(super) fn cut(&self) -> Option<Timestamp> {
        self.cut
    }

    /// Work that is left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

impl Iterator for Calls<'_> {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        loop {
            let Reverse((due, caller, crew)) = self.next.pop()?;
            if due >= self.until || self.left == 0 {
                if due < self.until {
                    self.cut = Timestamp::from_microsecond(due).ok();
                }
                self.next.clear();
                return None;
            }
            let tick_us = self.crews[crew].tick.at.as_microsecond();
            let fires = self.crews[crew].fires();
            let turn = self.crews[crew].advance();
            self.left = self.left.saturating_sub(CALL + SEARCH * turn.searched);
            if turn.goes_on {
                let (due, caller) = self.crews[crew].due();
                self.next.push(Reverse((due, caller, crew)));
            }
            if fires && due >= self.from {
                return Some(Call {
                    tick_us,
                    due_us: due,
                    caller,
                });
            }
        }
    }
}

/// Callers whose schedules tick alike.
#[derive(Debug)]
struct Crew<'a> {
    schedule: &'a Schedule,
    /// Whose: an index into the callers.
    spreads: Vec<(Spread, usize)>,
    widest: Duration,
    tick: Tick,
    following: Option<Tick>,
    /// The time to the following tick, where it is shorter than the widest spread, else that.
    window: Duration,
    /// By how many microseconds after the tick who falls due, in this order.
    members: Vec<(i64, usize)>,
    /// The member that falls due next.
    turn: usize,
}

/// What [`Crew::advance`] did.
struct Turn {
    searched: u64,
    goes_on: bool,
}

impl<'a> Crew<'a> {
    /// A crew before its first tick whose calls may lie in the span; `None` where none is left.
    fn new(schedule: &'a Schedule, spreads: Vec<(Spread, usize)>, from: Timestamp) -> Option<Self> {
        let widest = spreads.iter().map(|(spread, _)| spread.most()).max()?;
        let tick = first_tick(schedule, from, widest)?;
        let mut crew = Self {
            schedule,
            spreads,
            widest,
            tick,
            following: schedule.next_after(tick.at),
            window: Duration::MAX,
            members: Vec::new(),
            turn: 0,
        };
        crew.line_up();
        Some(crew)
    }

    /// When the next member falls due, and who it is.
    fn due(&self) -> (i64, usize) {
        let (delay, caller) = self.members[self.turn];
        let due = self.tick.at.as_microsecond().saturating_add(delay);
        (due, caller)
    }

    /// Whether anybody calls at its tick.
    fn fires(&self) -> bool {
        self.tick.kind == TickKind::Fire
    }

    /// Goes on to the next member, or with the first to the next tick, which may be one that does not
    /// fire: of those a job can have millions in a row, and each has to be paid for.
    fn advance(&mut self) -> Turn {
        self.turn += 1;
        if self.fires() && self.turn < self.members.len() {
            return Turn {
                searched: 0,
                goes_on: true,
            };
        }
        self.turn = 0;
        let Some(tick) = self.following else {
            return Turn {
                searched: 0,
                goes_on: false,
            };
        };
        self.following = self.schedule.next_after(tick.at);
        self.tick = tick;
        self.line_up();
        Turn {
            searched: 1,
            goes_on: true,
        }
    }

    /// Puts the members in the order in which they fall due after the tick. It is another only
    /// where the time to the following tick cuts a spread.
    fn line_up(&mut self) {
        let to_following = |tick: Tick| Duration::try_from(tick.at.duration_since(self.tick.at));
        let gap = self.following.and_then(|tick| to_following(tick).ok());
        let window = gap.map_or(self.widest, |gap| gap.min(self.widest));
        if window == self.window {
            return;
        }
        self.window = window;
        let micros = |delay: Duration| i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        let members = self.spreads.iter();
        self.members = members
            .map(|(spread, caller)| (micros(spread.delay(gap)), *caller))
            .collect();
        self.members.sort_unstable();
    }
}

/// The first tick whose calls may fall due at `from` or later. No delay reaches the following tick, so
/// that is the last before `from`, where it is not older than the widest spread.
///
/// Schedules are searched forwards only, so the time is halved until it is short.
fn first_tick(schedule: &Schedule, from: Timestamp, widest: Duration) -> Option<Tick> {
    let before = |tick: Option<Tick>| tick.filter(|tick| tick.at < from);
    let reach = from.checked_sub(widest.max(Duration::from_micros(1)));
    let first = schedule.next_after(reach.unwrap_or(Timestamp::MIN))?;
    if first.at >= from {
        return Some(first);
    }
    let mut last = Some(first);
    // No tick lies between `until` and `from`.
    let (mut after, mut until) = (first.at, from);
    while until.duration_since(after) > SHORT {
        let half = after + until.duration_since(after) / 2;
        match before(schedule.next_after(half)) {
            None => until = half,
            found => {
                last = found;
                after = found.map_or(until, |tick| tick.at);
            }
        }
    }
    let rest = schedule.ticks(after, until).filter(|tick| tick.at < from);
    rest.last().or(last)
}

/// Callers in groups that tick alike, in the order of their first.
fn alike(callers: &[Caller<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known = HashMap::new();
    for (index, caller) in callers.iter().enumerate() {
        let group = match caller.schedule.tick_source() {
            Some(source) => *known.entry(source).or_insert(groups.len()),
            None => groups.len(),
        };
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(index);
    }
    groups
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::forecast::tests::{at, schedule};

    const EXPRESSIONS: [&str; 9] = [
        "0 * * * *",
        "0,5 * * * *",
        "*/7 * * * *",
        "30 2 * * *",
        "@every 90s",
        "H H * * *",
        "*/20 15 3,9 * * mon-fri",
        "@manual",
        "@at 2026-03-29T01:00:00Z",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Every minute's count is that of a plain walk over the ticks of each job for itself.
        #[test]
        fn the_calls_of_each_minute_are_those_of_the_schedules_ticks(
            jobs in prop::collection::vec((0usize..9, 0u64..200, any::<bool>()), 1..12),
            start in 0i64..20_000,
            minutes in 1i64..2_000,
        ) {
            let from = Timestamp::from_second(1_774_600_000 + start * 60).unwrap();
            let until = Timestamp::from_second(from.as_second() + minutes * 60).unwrap();
            let made: Vec<(Schedule, Spread)> = jobs.iter().enumerate().map(|(index, (which, minutes, berlin))| {
                let name = format!("job-{index}");
                let zone = if *berlin { "Europe/Berlin" } else { "UTC" };
                let spread = Spread::new(&name, Duration::from_secs(minutes * 60));
                (schedule(&name, EXPRESSIONS[*which], zone), spread)
            }).collect();
            let callers: Vec<Caller<'_>> = made.iter().map(|(schedule, spread)| Caller { schedule, spread: *spread }).collect();
            let mut counted: BTreeMap<(i64, usize), u64> = BTreeMap::new();
            let mut last = i64::MIN;
            for call in Calls::new(&callers, Span { from, until }, u64::MAX) {
                prop_assert!(call.due_us >= last, "in the order of time");
                last = call.due_us;
                *counted.entry((call.due_us.div_euclid(60_000_000), call.caller)).or_default() += 1;
            }
            let mut expected: BTreeMap<(i64, usize), u64> = BTreeMap::new();
            for (index, (schedule, spread)) in made.iter().enumerate() {
                let early = from - Duration::from_secs(200 * 60 + 1);
                let fires = schedule.ticks(early, until).filter(|tick| tick.kind == TickKind::Fire);
                for tick in fires {
                    let next = schedule.next_after(tick.at);
                    let gap = next.map(|next| Duration::try_from(next.at.duration_since(tick.at)).unwrap());
                    let due = tick.at + spread.delay(gap);
                    prop_assert!(next.is_none_or(|next| due < next.at));
                    if from <= due && due < until {
                        *expected.entry((due.as_microsecond().div_euclid(60_000_000), index)).or_default() += 1;
                    }
                }
            }
            prop_assert_eq!(counted, expected);
        }
    }

    #[test]
    fn a_walk_that_is_too_long_says_where_it_ended() {
        let minutely = schedule("a", "* * * * *", "UTC");
        let callers = [Caller {
            schedule: &minutely,
            spread: Spread::new("a", Duration::ZERO),
        }];
        let span = Span {
            from: at("2026-11-24T00:00:00Z"),
            until: at("2026-11-25T00:00:00Z"),
        };
        let mut whole = Calls::new(&callers, span, 24 * 60 * (CALL + SEARCH) + SEARCH);
        assert_eq!(whole.by_ref().count(), 24 * 60);
        assert_eq!(whole.cut(), None);
        let mut cut = Calls::new(&callers, span, 60 * (CALL + SEARCH));
        assert_eq!(cut.by_ref().count(), 60);
        assert_eq!(cut.cut(), Some(at("2026-11-24T01:00:00Z")));
    }

    #[test]
    fn only_schedules_that_tick_alike_share_a_search() {
        let schedules = [
            schedule("a", "0 9 * * *", "UTC"),
            schedule("b", "0 9 * * *", "UTC"),
            schedule("c", "0 9 * * *", "Europe/Berlin"),
            schedule("d", "H 9 * * *", "UTC"),
            schedule("e", "H 9 * * *", "UTC"),
        ];
        let callers = schedules.each_ref().map(|schedule| Caller {
            schedule,
            spread: Spread::new("a", Duration::ZERO),
        });
        let groups = alike(&callers);
        assert_eq!(groups, [vec![0, 1], vec![2], vec![3], vec![4]]);
    }
}

//! The schedule's search against brute force.
//!
//! The oracle is written from the rules alone and shares nothing with the implementation but the
//! text of the expression and the zone's offsets: it walks real minutes one by one, asks of each
//! whether its local time matches, and knows gaps and repeated hours only by having seen a minute's
//! local time skipped or twice. Every random choice follows from `SEED`.

use std::collections::{BTreeMap, HashMap};

use funcron::domain::schedule::{Dst, DstGap, DstOverlap, Schedule, ScheduleSpec, Tick, TickKind};
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

const SEED: u64 = 20_261_124;
/// Schedules tried per window around a change of the clocks.
const DENSE: usize = 400;
/// Schedules tried over more than a year.
const LONG: usize = 600;
const DAY: i64 = 86_400;

/// Zones, and an instant that the window of three days to both sides is built around.
const CENTRES: [(&str, &str); 18] = [
    ("UTC", "2026-02-28T12:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("America/New_York", "2028-02-29T12:00:00Z"),
    ("Europe/London", "2026-03-29T01:00:00Z"),
    ("Europe/London", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Asia/Kolkata", "2026-05-31T12:00:00Z"),
    ("America/Santiago", "2026-04-05T03:00:00Z"),
    ("America/Santiago", "2026-09-06T04:00:00Z"),
    ("Pacific/Apia", "2011-04-02T14:00:00Z"),
    ("Pacific/Apia", "2011-09-24T14:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
];

#[test]
fn around_every_kind_of_change_of_the_clocks_the_first_five_ticks_are_brute_forces() {
    let mut random = Random(SEED);
    let mut tally = Tally::default();
    for (zone, centre) in CENTRES {
        let centre = second(centre);
        let window = Window::new(zone, centre - 3 * DAY, centre + 3 * DAY);
        for _ in 0..DENSE {
            let before = if random.one_in(5) { 2 * DAY } else { 6 * 3_600 };
            let after = if random.one_in(3) { 2 * 3_600 } else { 0 };
            let start = centre - before + random.below_i64(before + after);
            tally.compare(&window, &Case::random(&mut random), start, &mut random);
        }
    }
    tally.assert_telling(CENTRES.len() * DENSE);
    assert!(tally.skipped > DENSE / 10, "{} skipped", tally.skipped);
}

#[test]
fn over_more_than_a_year_with_a_leap_day_the_first_five_ticks_are_brute_forces() {
    let mut random = Random(SEED + 1);
    let mut tally = Tally::default();
    for zone in ["America/New_York", "Australia/Lord_Howe", "UTC"] {
        let from = second("2027-12-25T00:00:00Z");
        let window = Window::new(zone, from, from + 400 * DAY);
        for _ in 0..LONG / 3 {
            let start = from + DAY + random.below_i64(100 * DAY);
            tally.compare(&window, &Case::random(&mut random), start, &mut random);
        }
    }
    tally.assert_telling(LONG / 3 * 3);
}

/// Guards against a test that compares nothing with nothing.
#[derive(Default)]
struct Tally {
    compared: usize,
    ticks: usize,
    skipped: usize,
    impossible: usize,
}

impl Tally {
    fn assert_telling(&self, cases: usize) {
        assert_eq!(self.compared + self.impossible, cases);
        assert!(
            self.impossible < cases / 5,
            "{} impossible",
            self.impossible
        );
        assert!(self.ticks > 2 * cases, "{} ticks", self.ticks);
    }

    fn compare(&mut self, window: &Window, case: &Case, start: i64, random: &mut Random) {
        let told = format!("seed {SEED}: {case:?} in {} from {start}", window.zone);
        let parsed = Schedule::parse(&ScheduleSpec {
            expressions: &case.expressions,
            timezone: window.zone,
            dst: case.dst,
            starts_at: None,
            ends_at: None,
            job: &case.job,
        });
        let schedule = match parsed {
            Ok(schedule) => schedule,
            Err(errors) => {
                for error in errors {
                    assert!(
                        error.message.ends_with("can never match"),
                        "{told}: {error}"
                    );
                    let index = error
                        .expression
                        .unwrap_or_else(|| panic!("{told}: {error}"));
                    assert!(
                        Matcher::new(&case.expressions[index], &case.job).is_impossible(),
                        "{told}"
                    );
                }
                self.impossible += 1;
                return;
            }
        };
        let expected = window.ticks(case, start);
        // A part of a second does not matter.
        let t = Timestamp::new(
            start,
            i32::try_from(random.below(1_000)).unwrap_or(0) * 1_000_000,
        )
        .unwrap_or_else(|error| panic!("{told}: {error}"));
        let found: Vec<(i64, TickKind)> = schedule
            .ticks(t, at(window.end))
            .take(5)
            .map(|Tick { at, kind }| (at.as_second(), kind))
            .collect();
        assert_eq!(found, expected, "{told}");
        self.compared += 1;
        self.ticks += found.len();
        self.skipped += found
            .iter()
            .filter(|(_, kind)| *kind == TickKind::SkippedByGap)
            .count();
    }
}

/// Every minute of a span of real time, with its local time.
struct Window {
    zone: &'static str,
    end: i64,
    minutes: Vec<Minute>,
}

struct Minute {
    at: i64,
    wall: i64,
    /// The same local time was an earlier minute's, is a later one's.
    seen_before: bool,
    seen_after: bool,
}

impl Window {
    fn new(zone: &'static str, start: i64, end: i64) -> Self {
        let tz = TimeZone::get(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
        let walls: Vec<(i64, i64)> = (start..=end)
            .step_by(60)
            .map(|second| {
                (
                    second,
                    second + i64::from(tz.to_offset(at(second)).seconds()),
                )
            })
            .collect();
        let mut first_and_last: HashMap<i64, (i64, i64)> = HashMap::new();
        for (second, wall) in &walls {
            first_and_last.entry(*wall).or_insert((*second, *second)).1 = *second;
        }
        let minutes = walls
            .iter()
            .map(|(at, wall)| {
                let (first, last) = first_and_last[wall];
                Minute {
                    at: *at,
                    wall: *wall,
                    seen_before: first < *at,
                    seen_after: last > *at,
                }
            })
            .collect();
        Self { zone, end, minutes }
    }

    /// The first five ticks after `start`: of each expression, then their union.
    fn ticks(&self, case: &Case, start: i64) -> Vec<(i64, TickKind)> {
        let mut union: BTreeMap<i64, TickKind> = BTreeMap::new();
        for expression in &case.expressions {
            let mut matcher = Matcher::new(expression, &case.job);
            let mut found = 0;
            // The minute that `start` lies in may have seconds left.
            let first = self.minutes.partition_point(|minute| minute.at <= start) - 1;
            for index in first..self.minutes.len() {
                for (second, kind) in self.minute(index, &mut matcher, case.dst) {
                    if second > start && second <= self.end {
                        found += 1;
                        let known = union.entry(second).or_insert(kind);
                        if kind == TickKind::Fire {
                            *known = kind;
                        }
                    }
                }
                // One instant is found twice at most, as skipped and as real; so there are five.
                if found > 10 {
                    break;
                }
            }
        }
        union.into_iter().take(5).collect()
    }

    fn minute(&self, index: usize, matcher: &mut Matcher, dst: Dst) -> Vec<(i64, TickKind)> {
        let (before, minute) = (&self.minutes[index - 1], &self.minutes[index]);
        let mut ticks = Vec::new();
        if matcher.fixed {
            let mut lost = before.wall + 60;
            while lost < minute.wall {
                if !matcher.seconds(lost).is_empty() {
                    let kind = match dst.gap {
                        DstGap::RunAfter => TickKind::Fire,
                        DstGap::Skip => TickKind::SkippedByGap,
                    };
                    ticks.push((minute.at, kind));
                    break;
                }
                lost += 60;
            }
            let wrong_pass = match dst.overlap {
                DstOverlap::First => minute.seen_before,
                DstOverlap::Last => minute.seen_after,
                DstOverlap::Both => false,
            };
            if wrong_pass {
                return ticks;
            }
        }
        let seconds = matcher.seconds(minute.wall);
        ticks.extend(seconds.iter().map(|s| (minute.at + s, TickKind::Fire)));
        ticks
    }
}

/// What an expression's text says of a local time.
struct Matcher {
    fixed: bool,
    seconds: Vec<i64>,
    minutes: Vec<bool>,
    hours: Vec<bool>,
    days: Vec<String>,
    months: Vec<bool>,
    weekdays: Vec<String>,
    years: Vec<bool>,
    hash: HashMap<&'static str, u64>,
    /// The last date asked for, and the answer.
    date: Option<(i64, bool)>,
}

impl Matcher {
    fn new(text: &str, job: &str) -> Self {
        let mut fields: Vec<&str> = text.split(' ').collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        if fields.len() == 6 {
            fields.push("*");
        }
        let hash: HashMap<&'static str, u64> = [
            "second",
            "minute",
            "hour",
            "day_of_month",
            "month",
            "day_of_week",
        ]
        .into_iter()
        .map(|field| (field, hash_of(field, job)))
        .collect();
        let all = |field: &str, low: i64, high: i64, h: &str| -> Vec<bool> {
            let h = hash.get(h).copied().unwrap_or(0);
            (0..=high)
                .map(|v| {
                    v >= low
                        && field
                            .split(',')
                            .any(|item| says(item, v, (low, high), (low, high), h))
                })
                .collect()
        };
        Self {
            fixed: !fields[1].starts_with('*') && !fields[2].starts_with('*'),
            seconds: (0..60)
                .zip(all(fields[0], 0, 59, "second"))
                .filter_map(|(second, named)| named.then_some(second))
                .collect(),
            minutes: all(fields[1], 0, 59, "minute"),
            hours: all(fields[2], 0, 23, "hour"),
            days: fields[3].split(',').map(str::to_owned).collect(),
            months: all(fields[4], 1, 12, "month"),
            weekdays: fields[5].split(',').map(str::to_owned).collect(),
            years: all(fields[6], 1970, 2100, ""),
            hash,
            date: None,
        }
    }

    /// The seconds of the local minute that begins at `wall` which match.
    fn seconds(&mut self, wall: i64) -> &[i64] {
        let of_day = wall.rem_euclid(DAY);
        let index = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        if !self.minutes[index(of_day / 60 % 60)] || !self.hours[index(of_day / 3_600)] {
            return &[];
        }
        let day = wall.div_euclid(DAY);
        let matches = match self.date {
            Some((known, matches)) if known == day => matches,
            _ => self.date(Offset::UTC.to_datetime(at(day * DAY)).date()),
        };
        self.date = Some((day, matches));
        if matches { &self.seconds } else { &[] }
    }

    fn date(&self, date: Date) -> bool {
        let index = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        if !self.months[index(i64::from(date.month()))]
            || !self.years[index(i64::from(date.year()))]
        {
            return false;
        }
        let of_month = self.days.iter().any(|item| self.day_of_month(item, date));
        let of_week = self
            .weekdays
            .iter()
            .any(|item| self.day_of_week(item, date));
        let open = |field: &[String]| field[0].starts_with('*') || field[0] == "?";
        if open(&self.days) || open(&self.weekdays) {
            of_month && of_week
        } else {
            of_month || of_week
        }
    }

    fn day_of_month(&self, item: &str, date: Date) -> bool {
        let length = i64::from(date.days_in_month());
        let day = i64::from(date.day());
        let working: Vec<i64> = (1..=length)
            .filter(|d| {
                let weekday = (sunday_zero(date) + d - day).rem_euclid(7);
                (1..=5).contains(&weekday)
            })
            .collect();
        if item == "?" {
            true
        } else if item == "LW" {
            working.last() == Some(&day)
        } else if item == "L" {
            day == length
        } else if let Some(n) = item.strip_prefix("L-") {
            day == length - number(n)
        } else if let Some(n) = item.strip_suffix('W') {
            let n = number(n);
            let nearest = working.iter().min_by_key(|d| (**d - n).abs());
            n <= length && nearest == Some(&day)
        } else {
            says(item, day, (1, 31), (1, 28), self.hash["day_of_month"])
        }
    }

    fn day_of_week(&self, item: &str, date: Date) -> bool {
        let weekday = sunday_zero(date);
        let day = i64::from(date.day());
        if item == "?" {
            true
        } else if let Some(d) = item.strip_suffix('L') {
            number(d) % 7 == weekday && day + 7 > i64::from(date.days_in_month())
        } else if let Some((d, k)) = item.split_once('#') {
            let nth = (1..=day).filter(|d| (day - d) % 7 == 0).count();
            number(d) % 7 == weekday && i64::try_from(nth) == Ok(number(k))
        } else {
            let h = self.hash["day_of_week"];
            let says = |v| says(item, v, (0, 6), (0, 6), h);
            says(weekday) || (weekday == 0 && !item.starts_with(['*', 'H']) && says(7))
        }
    }

    /// Whether no date of all years matches.
    fn is_impossible(&self) -> bool {
        // Weekdays and leap days come round in 28 years, where no century year lies between.
        let years = if self.years[1970..].iter().all(|year| *year) {
            2000..=2027
        } else {
            1970..=2100
        };
        let first = Date::constant(*years.start(), 1, 1);
        !first
            .series(1.day())
            .take_while(|date| date.year() <= *years.end())
            .any(|date| self.date(date))
    }
}

/// Whether an item without `L`, `W`, `#` names `v`. `alone` is the range of a bare `H`.
fn says(item: &str, v: i64, (low, high): (i64, i64), alone: (i64, i64), h: u64) -> bool {
    let (body, step) = item
        .split_once('/')
        .map_or((item, None), |(b, n)| (b, Some(number(n))));
    if let Some(range) = body.strip_prefix('H') {
        let (a, b) = match range.trim_matches(['(', ')']).split_once('-') {
            Some((a, b)) => (number(a), number(b)),
            None if step.is_some() => (low, high),
            None => alone,
        };
        let within = |n: i64| i64::try_from(h % u64::try_from(n).unwrap_or(1)).unwrap_or(0);
        return match step {
            Some(n) => v <= b && v >= a + within(n) && (v - a - within(n)) % n == 0,
            None => v == a + within(b - a + 1),
        };
    }
    let (a, b) = match body.split_once('-') {
        _ if body == "*" => (low, high),
        Some((a, b)) => (number(a), number(b)),
        None => (number(body), number(body)),
    };
    a <= v && v <= b && (v - a) % step.unwrap_or(1) == 0
}

fn number(text: &str) -> i64 {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    match NAMES.iter().position(|name| *name == text) {
        Some(day) => i64::try_from(day).unwrap_or(0),
        None => text
            .parse()
            .unwrap_or_else(|_| panic!("the generator wrote `{text}`")),
    }
}

fn hash_of(field: &str, job: &str) -> u64 {
    let digest = Sha256::digest(format!("cron:{field}\0{job}"));
    digest
        .iter()
        .take(8)
        .fold(0, |h, byte| h << 8 | u64::from(*byte))
}

fn sunday_zero(date: Date) -> i64 {
    i64::from(date.weekday().to_sunday_zero_offset())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_else(|error| panic!("{second}: {error}"))
}

fn second(text: &str) -> i64 {
    let t: Timestamp = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    t.as_second()
}

#[derive(Debug)]
struct Case {
    expressions: Vec<String>,
    dst: Dst,
    job: String,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let count = if random.one_in(4) {
            2 + random.below(2)
        } else {
            1
        };
        Self {
            expressions: (0..count).map(|_| expression(random)).collect(),
            dst: Dst {
                gap: *random.pick(&[DstGap::RunAfter, DstGap::Skip]),
                overlap: *random.pick(&[DstOverlap::First, DstOverlap::Last, DstOverlap::Both]),
            },
            job: format!("job-{}", random.below(1_000)),
        }
    }
}

fn expression(random: &mut Random) -> String {
    let mut fields = vec![
        // Where the minutes are few, five ticks reach further.
        match random.below(3) {
            0 => (*random.pick(&["0", "30", "0,30", "15,45"])).to_owned(),
            _ => field(random, 0, 59, 3),
        },
        // The clocks change at night; so a third of the hours are of the night.
        match random.below(3) {
            0 => (*random.pick(&[
                "0", "1", "2", "0-3", "1,2", "2,3", "0,1", "23", "2-3", "*/2", "H(0-3)",
            ]))
            .to_owned(),
            _ => field(random, 0, 23, 2),
        },
        day_of_month(random),
        if random.one_in(5) {
            field(random, 1, 12, 4)
        } else {
            "*".to_owned()
        },
        day_of_week(random),
    ];
    if random.one_in(4) {
        let seconds = field(random, 0, 59, 3);
        fields.insert(0, seconds);
        if random.one_in(4) {
            fields.push(
                random
                    .pick(&["*", "2011-2028", "*/2", "2026", "2011,2028", "1970-2100/3"])
                    .to_string(),
            );
        }
    }
    fields.join(" ")
}

/// A field of plain items; one in `stars` is a bare `*`.
fn field(random: &mut Random, low: i64, high: i64, stars: u64) -> String {
    if random.one_in(stars) {
        return "*".to_owned();
    }
    if random.one_in(6) {
        return format!("*/{}", 1 + random.below_i64(high - low + 1));
    }
    let items = 1 + random.below(3) / 2;
    let mut text: Vec<String> = (0..=items).map(|_| item(random, low, high)).collect();
    if random.one_in(2) {
        text.truncate(1);
    }
    text.join(",")
}

fn item(random: &mut Random, low: i64, high: i64) -> String {
    let count = high - low + 1;
    let a = low + random.below_i64(count);
    let b = a + random.below_i64(high - a + 1);
    let n = 1 + random.below_i64(b - a + 1);
    match random.below(12) {
        0 => "H".to_owned(),
        1 => format!("H/{}", 1 + random.below_i64(count)),
        2 => format!("H({a}-{b})"),
        3 => format!("H({a}-{b})/{n}"),
        4 | 5 => format!("{a}-{b}/{n}"),
        6 | 7 => format!("{a}-{b}"),
        // A star that does not stand first.
        8 if random.one_in(3) => format!("{a},*/{n}"),
        _ => a.to_string(),
    }
}

fn day_of_month(random: &mut Random) -> String {
    match random.below(10) {
        0..=4 => "*".to_owned(),
        5 => "?".to_owned(),
        6 => "L".to_owned(),
        7 => {
            let n = 1 + random.below_i64(31);
            let last = random.below(4);
            match random.below(5) {
                0 => "LW".to_owned(),
                1 => format!("L-{}", last + 1),
                2 => format!("{}W", last + 1),
                3 => format!("L,{n}W"),
                _ => format!("{n}W"),
            }
        }
        _ => field(random, 1, 31, 6),
    }
}

fn day_of_week(random: &mut Random) -> String {
    let day = *random.pick(&["0", "1", "2", "3", "4", "5", "6", "7", "sun", "tue", "sat"]);
    match random.below(10) {
        0..=4 => "*".to_owned(),
        5 => "?".to_owned(),
        6 => format!("{day}L"),
        7 => format!("{day}#{}", 1 + random.below(5)),
        8 => random
            .pick(&["mon-fri", "5-7", "0-7/3", "sun,7", "sat,1#1", "1-5/2"])
            .to_string(),
        _ => field(random, 0, 6, 6),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn below_i64(&mut self, n: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(n).unwrap_or(1)).unwrap_or(0)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let count = u64::try_from(of.len()).unwrap_or(1);
        &of[usize::try_from(self.below(count)).unwrap_or(0)]
    }
}

//! iCalendar files (RFC 5545): the days of their all-day events.
//!
//! Read are DTSTART, DTEND or DURATION, EXDATE, and an RRULE that repeats an event yearly on its
//! date. What else decides on which days an event is (times of day, other rules, single occurrences
//! that are moved) is refused, never ignored. The text is parsed by the crate `icalendar`, of which
//! the parser alone is used: its own recurrence brings in a second database of time zones.

use icalendar::parser::{Component, read_components, unfold};
use jiff::ToSpan;
use jiff::civil::Date;

use super::error::Problem;
use crate::domain::calendar::{DateRange, Dates, YEARS};

/// Largest file. What is parsed of it takes many times its size.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Most ranges of days that a file may come to; every job that names it carries them.
const MAX_RANGES: usize = 5_000;

/// Components within components: a calendar holds events, and these alarms. The parser recurses.
const MAX_DEPTH: usize = 8;

/// Longest event, in days.
const MAX_DAYS: i32 = 366;

/// Something wrong, and the line of its event; 0 where the file as a whole is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: u32,
    pub(super) problem: Problem,
}

/// The days of all events. Cancelled ones have none.
pub(super) fn read(text: &str) -> Result<Dates, Vec<Fault>> {
    let whole = |problem| vec![Fault { line: 0, problem }];
    let text = text.replace("\r\n", "\n");
    if is_deep(&text) {
        let problem = Problem::new(format!(
            "components within components, over {MAX_DEPTH} deep"
        ));
        return Err(whole(problem.hint("export the calendar anew")));
    }
    let unfolded = unfold(&text);
    let unfolded = unfolded.trim_end();
    let calendar = read_components(unfolded).ok();
    let calendar = calendar.as_deref().and_then(<[_]>::first);
    let Some(calendar) = calendar.filter(|root| root.name.as_str() == "VCALENDAR") else {
        let problem = Problem::new("is no iCalendar file");
        return Err(whole(problem.hint(
            "export it anew: it begins with BEGIN:VCALENDAR, and every BEGIN has its END",
        )));
    };
    let mut lines = lines_of_events(&text);
    let (mut ranges, mut faults) = (Vec::new(), Vec::new());
    for event in &calendar.components {
        if event.name.as_str() != "VEVENT" {
            continue;
        }
        let line = lines.next().unwrap_or(0);
        match days(event) {
            Ok(days) => ranges.extend(days),
            Err(problem) => faults.push(Fault { line, problem }),
        }
        if ranges.len() > MAX_RANGES {
            let problem = Problem::new(format!("the events come to more than {MAX_RANGES}"));
            faults.push(Fault {
                line,
                problem: problem.hint("leave out the past"),
            });
            break;
        }
    }
    if faults.is_empty() {
        Ok(Dates::new(ranges))
    } else {
        Err(faults)
    }
}

fn is_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.lines().any(|line| {
        if line.starts_with("BEGIN:") {
            depth += 1;
        } else if line.starts_with("END:") {
            depth = depth.saturating_sub(1);
        }
        depth > MAX_DEPTH
    })
}

/// Where events begin. The parser does not say; it keeps their order.
fn lines_of_events(text: &str) -> impl Iterator<Item = u32> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.trim_end() == "BEGIN:VEVENT")
        .map(|(number, _)| number)
}

/// The days of one event and of its repetitions.
fn days(event: &Component<'_>) -> Result<Vec<DateRange>, Problem> {
    if value(event, "STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
        return Ok(Vec::new());
    }
    for (name, what) in [
        (
            "RECURRENCE-ID",
            "the event changes one occurrence of another",
        ),
        ("RDATE", "the event is repeated on a list of dates"),
        ("EXRULE", "the event has an EXRULE"),
    ] {
        if value(event, name).is_some() {
            let problem = Problem::new(format!("{what}, which is not supported"));
            return Err(problem.hint("write each date as an event of its own"));
        }
    }
    let first = value(event, "DTSTART").map(all_day);
    let first = first.ok_or_else(|| Problem::new("the event has no DTSTART"))??;
    let length = length(event, first)?;
    let repeated = match value(event, "RRULE") {
        Some(rule) => Yearly::read(rule, first)?.dates(first),
        None => vec![first],
    };
    let mut left_out = Vec::new();
    for dates in values(event, "EXDATE") {
        for date in dates.split(',') {
            left_out.push(all_day(date)?);
        }
    }
    let kept = repeated.into_iter().filter(|date| !left_out.contains(date));
    let end = |first: Date| first.checked_add((length - 1).days()).ok();
    // Beyond these years there are no ticks, and no items of lists either.
    let has_ticks = |range: &DateRange| {
        YEARS.contains(&range.first().year()) && YEARS.contains(&range.last().year())
    };
    Ok(kept
        .filter_map(|first| DateRange::new(first, end(first)?))
        .filter(has_ticks)
        .collect())
}

/// How many days an event lasts. DTEND is the day after the last; some programs write the only day
/// twice.
fn length(event: &Component<'_>, first: Date) -> Result<i32, Problem> {
    let days = if let Some(end) = value(event, "DTEND") {
        let until = first.until(all_day(end)?);
        until
            .map_or(0, |span| span.get_days())
            .max(i32::from(value(event, "DTEND") == value(event, "DTSTART")))
    } else if let Some(duration) = value(event, "DURATION") {
        whole_days(duration).ok_or_else(|| {
            let problem = Problem::new("the event's DURATION is not of whole days");
            problem.hint("make it an all-day event")
        })?
    } else {
        1
    };
    match days {
        1..=MAX_DAYS => Ok(days),
        ..=0 => Err(Problem::new("the event ends before it begins")),
        _ => Err(Problem::new(format!(
            "the event is longer than {MAX_DAYS} days"
        ))),
    }
}

/// `P3D` and `P1W`.
fn whole_days(text: &str) -> Option<i32> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (number, scale) = match text.strip_suffix('W') {
        Some(weeks) => (weeks, 7),
        None => (text.strip_suffix('D')?, 1),
    };
    number.parse::<u16>().ok().map(|n| i32::from(n) * scale)
}

/// A date without a time of day: `20261001`.
fn all_day(text: &str) -> Result<Date, Problem> {
    let problem = || {
        let problem = Problem::new("the event has a time of day, or no legal date");
        problem.hint("make it an all-day event (DTSTART;VALUE=DATE:20261001)")
    };
    date(text).ok_or_else(problem)
}

fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i8>().ok();
    Date::new(text.get(..4)?.parse().ok()?, part(4..6)?, part(6..8)?).ok()
}

fn value<'c>(event: &'c Component<'_>, name: &str) -> Option<&'c str> {
    values(event, name).next()
}

fn values<'c>(event: &'c Component<'_>, name: &str) -> impl Iterator<Item = &'c str> {
    let named = event.properties.iter();
    named
        .filter(move |property| property.name.as_str().eq_ignore_ascii_case(name))
        .map(|property| property.val.as_str().trim())
}

/// An RRULE that repeats an event on its date, every year or every few years.
struct Yearly {
    interval: i16,
    count: usize,
    until: Date,
}

impl Yearly {
    fn read(rule: &str, first: Date) -> Result<Self, Problem> {
        let refused = || {
            let problem = Problem::new("the event is repeated by a rule that is not supported");
            problem.hint("only FREQ=YEARLY on the event's own date is; write the dates as events")
        };
        let mut yearly = None;
        let (mut interval, mut count, mut until) = (1, usize::MAX, Date::MAX);
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(refused)?;
            let is_own = |part: i8| value.parse() == Ok(part);
            let fits = match name.to_ascii_uppercase().as_str() {
                "FREQ" => {
                    yearly = Some(value.eq_ignore_ascii_case("YEARLY"));
                    yearly == Some(true)
                }
                "INTERVAL" => {
                    interval = value.parse().unwrap_or(0);
                    interval > 0
                }
                "COUNT" => {
                    count = value.parse().unwrap_or(0);
                    count > 0
                }
                // Of an instant, which some programs write, the date counts.
                "UNTIL" => {
                    let date = value.get(..8).and_then(date);
                    until = date.unwrap_or(until);
                    date.is_some()
                }
                "BYMONTH" => is_own(first.month()),
                "BYMONTHDAY" => is_own(first.day()),
                // Decides nothing where whole years are counted.
                "WKST" => true,
                _ => false,
            };
            if !fits {
                return Err(refused());
            }
        }
        yearly.ok_or_else(refused)?;
        Ok(Self {
            interval,
            count,
            until,
        })
    }

    /// The dates of the repetitions. 29 February comes in leap years only.
    fn dates(&self, first: Date) -> Vec<Date> {
        let years =
            std::iter::successors(Some(first.year()), |year| year.checked_add(self.interval));
        years
            .take_while(|year| year <= YEARS.end())
            .filter_map(|year| Date::new(year, first.month(), first.day()).ok())
            .take_while(|date| *date <= self.until)
            .take(self.count)
            .collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calendar(events: &[&str]) -> String {
        let events: Vec<String> = events
            .iter()
            .map(|event| {
                format!(
                    "BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n",
                    event.replace(' ', "\r\n")
                )
            })
            .collect();
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{}END:VCALENDAR\r\n",
            events.concat()
        )
    }

    fn ranges(events: &[&str]) -> Vec<String> {
        let dates = read(&calendar(events)).unwrap();
        dates.iter().map(ToString::to_string).collect()
    }

    fn refusal(event: &str) -> String {
        let faults = read(&calendar(&["DTSTART:20260101", event])).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].line, 7, "the second event");
        faults[0].problem.message.clone()
    }

    #[test]
    fn an_event_lasts_to_the_day_before_its_end_or_for_a_day() {
        for (event, range) in [
            ("DTSTART;VALUE=DATE:20261001", "2026-10-01"),
            ("DTSTART:20261001 DTEND:20261002", "2026-10-01"),
            ("DTSTART:20261001 DTEND:20261001", "2026-10-01"),
            (
                "DTSTART:20261001 DTEND;VALUE=DATE:20261008",
                "2026-10-01/2026-10-07",
            ),
            ("DTSTART:20261231 DURATION:P2D", "2026-12-31/2027-01-01"),
            ("DTSTART:20261001 DURATION:P1W", "2026-10-01/2026-10-07"),
        ] {
            assert_eq!(ranges(&[event]), [range], "{event}");
        }
    }

    #[test]
    fn an_event_is_repeated_yearly_within_its_bounds() {
        for (rule, expected) in [
            (
                "FREQ=YEARLY;COUNT=3",
                vec!["2024-02-29", "2028-02-29", "2032-02-29"],
            ),
            (
                "FREQ=YEARLY;INTERVAL=2;UNTIL=20320228",
                vec!["2024-02-29", "2028-02-29"],
            ),
            (
                "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=20280229T000000Z",
                vec!["2024-02-29", "2028-02-29"],
            ),
        ] {
            assert_eq!(
                ranges(&[&format!("DTSTART:20240229 RRULE:{rule}")]),
                expected,
                "{rule}"
            );
        }
        let for_ever =
            ranges(&["DTSTART:20251225 DTEND:20251227 RRULE:FREQ=YEARLY EXDATE:20271225,20281225"]);
        assert_eq!(for_ever.len(), 2100 - 2025 + 1 - 2);
        assert_eq!(
            for_ever[1..3],
            ["2026-12-25/2026-12-26", "2029-12-25/2029-12-26"]
        );
        assert_eq!(for_ever.last().unwrap(), "2100-12-25/2100-12-26");
    }

    #[test]
    fn cancelled_events_tasks_and_alarms_have_no_days() {
        let text = calendar(&[
            "DTSTART:20260101 STATUS:CANCELLED",
            "DTSTART:20260202 BEGIN:VALARM TRIGGER:-PT1H END:VALARM",
        ]);
        let text = text.replace(
            "END:VCALENDAR",
            "BEGIN:VTODO\r\nDTSTART:20260303\r\nEND:VTODO\r\nEND:VCALENDAR",
        );
        let dates = read(&text).unwrap();
        assert_eq!(
            dates.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-02-02"]
        );
    }

    #[test]
    fn what_decides_on_days_and_cannot_be_read_is_refused_at_its_event() {
        for (event, what) in [
            ("DTSTART:20261001T090000Z", "time of day"),
            ("DTSTART;TZID=Asia/Shanghai:20261001T090000", "time of day"),
            ("DTSTART:20260230", "no legal date"),
            ("SUMMARY:x", "no DTSTART"),
            ("DTSTART:20261002 DTEND:20261001", "ends before"),
            ("DTSTART:20261002 DTEND:20281001", "longer than 366 days"),
            ("DTSTART:20261002 DURATION:PT5H", "whole days"),
            ("DTSTART:20261002 RRULE:FREQ=WEEKLY", "rule"),
            ("DTSTART:20261002 RRULE:FREQ=YEARLY;BYDAY=1MO", "rule"),
            ("DTSTART:20261002 RRULE:FREQ=YEARLY;BYMONTH=3", "rule"),
            ("DTSTART:20261002 RRULE:INTERVAL=2", "rule"),
            ("DTSTART:20261002 RDATE:20261003", "list of dates"),
            ("DTSTART:20261002 RECURRENCE-ID:20261001", "one occurrence"),
        ] {
            let told = refusal(event);
            assert!(told.contains(what), "{event}: {told}");
        }
    }

    #[test]
    fn folded_lines_and_either_end_of_line_are_read() {
        let folded =
            calendar(&["DTSTART:20261001 DTEND:20261003"]).replace("2026100", "2026\r\n 100");
        for text in [
            folded.clone(),
            folded.replace("\r\n", "\n"),
            format!("{folded}\r\n\r\n"),
        ] {
            let dates = read(&text).unwrap();
            assert_eq!(
                dates.iter().next().unwrap().to_string(),
                "2026-10-01/2026-10-02"
            );
        }
    }

    #[test]
    fn what_is_no_calendar_is_told_and_depth_does_not_overflow_the_stack() {
        let deep = "BEGIN:A\n".repeat(100_000) + &"END:A\n".repeat(100_000);
        for text in [
            "",
            "BEGIN:",
            "jobs: []",
            "BEGIN:VEVENT\nEND:VEVENT\n",
            "BEGIN:VCALENDAR\n",
            &deep,
        ] {
            let faults = read(text).unwrap_err();
            assert_eq!(faults[0].line, 0, "{:?}", faults[0]);
        }
    }

    #[test]
    fn a_flood_of_days_is_refused() {
        let event = "DTSTART:19700101 RRULE:FREQ=YEARLY";
        let faults = read(&calendar(&[event; 100])).unwrap_err();
        assert!(faults[0].problem.message.contains("5000"), "{faults:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_panic(lines in proptest::collection::vec(
            prop_oneof![
                Just("BEGIN:VEVENT".to_owned()), Just("END:VEVENT".to_owned()),
                Just("END:VCALENDAR".to_owned()), "(DTSTART|DTEND|RRULE|EXDATE|DURATION)[:;=0-9TZPDW,]{0,20}",
                "RRULE:FREQ=YEARLY;(INTERVAL|COUNT|UNTIL)=-?[0-9]{0,10}", "DTSTART:[0-9]{8}", "\\PC{0,20}",
            ], 0..12)) {
            let _ = read(&format!("BEGIN:VCALENDAR\n{}", lines.join("\n")));
        }
    }
}

//! The working days of China: `holidays-cn` and `workdays-cn`.
//!
//! Once a year, in autumn, the General Office of the State Council announces the next year's public
//! holidays and the weekend days that are worked in exchange (国务院办公厅关于…年部分节假日安排的通知).
//! `holidays-cn` is the days off that a notice names, ordinary weekends left out; `workdays-cn` is
//! Monday to Friday without those, and with the weekend days that are worked.
//!
//! A year whose notice is not here is told by its weekdays alone: no holidays, and Monday to Friday
//! are worked. A guess by the fixed dates would be right for some days and silently wrong for the
//! rest; `funcron validate` and the daemon warn where a job comes near such a year.
//!
//! To add a year: its two rows here, from the notice, and its rows in
//! `tests/fixtures/calendar/china.csv`, from another source.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Weekday, date};

use super::{Calendar, DateRange, Dates, Weekdays};

/// The names of the calendars that funcron has of its own.
pub const BUILT_IN: [&str; 2] = ["holidays-cn", "workdays-cn"];

/// The days whose notices are known, from the first to the last.
pub const COVERED: RangeInclusive<Date> = date(2024, 1, 1)..=date(2026, 12, 31);

/// From one day of a year to another, both included.
type Span = (Date, Date);

const fn days(year: i16, first: (i8, i8), last: (i8, i8)) -> Span {
    (date(year, first.0, first.1), date(year, last.0, last.1))
}

const fn day(year: i16, month: i8, day: i8) -> Span {
    days(year, (month, day), (month, day))
}

const HOLIDAYS: [Span; 20] = [
    // 2024: 国办发明电〔2023〕7号, 25 October 2023.
    day(2024, 1, 1),
    days(2024, (2, 10), (2, 17)),
    days(2024, (4, 4), (4, 6)),
    days(2024, (5, 1), (5, 5)),
    day(2024, 6, 10),
    days(2024, (9, 15), (9, 17)),
    days(2024, (10, 1), (10, 7)),
    // 2025: 国办发明电〔2024〕12号, 12 November 2024.
    day(2025, 1, 1),
    days(2025, (1, 28), (2, 4)),
    days(2025, (4, 4), (4, 6)),
    days(2025, (5, 1), (5, 5)),
    days(2025, (5, 31), (6, 2)),
    days(2025, (10, 1), (10, 8)),
    // 2026: the notice of 4 November 2025.
    days(2026, (1, 1), (1, 3)),
    days(2026, (2, 15), (2, 23)),
    days(2026, (4, 4), (4, 6)),
    days(2026, (5, 1), (5, 5)),
    days(2026, (6, 19), (6, 21)),
    days(2026, (9, 25), (9, 27)),
    days(2026, (10, 1), (10, 7)),
];

/// Saturdays and Sundays that are worked, from the same notices.
const WORKED_WEEKENDS: [Span; 19] = [
    day(2024, 2, 4),
    day(2024, 2, 18),
    day(2024, 4, 7),
    day(2024, 4, 28),
    day(2024, 5, 11),
    day(2024, 9, 14),
    day(2024, 9, 29),
    day(2024, 10, 12),
    day(2025, 1, 26),
    day(2025, 2, 8),
    day(2025, 4, 27),
    day(2025, 9, 28),
    day(2025, 10, 11),
    day(2026, 1, 4),
    day(2026, 2, 14),
    day(2026, 2, 28),
    day(2026, 5, 9),
    day(2026, 9, 20),
    day(2026, 10, 10),
];

/// The built-in calendar of that name.
pub fn built_in(name: &str) -> Option<Calendar> {
    match name {
        "holidays-cn" => Some(Calendar {
            dates: dates(&HOLIDAYS),
            ..Calendar::default()
        }),
        "workdays-cn" => Some(Calendar {
            weekdays: Weekdays::between(Weekday::Monday, Weekday::Friday),
            without: dates(&HOLIDAYS),
            dates: dates(&WORKED_WEEKENDS),
        }),
        _ => None,
    }
}

fn dates(spans: &[Span]) -> Dates {
    let ranges = spans.iter();
    Dates::new(
        ranges
            .filter_map(|(first, last)| DateRange::new(*first, *last))
            .collect(),
    )
}

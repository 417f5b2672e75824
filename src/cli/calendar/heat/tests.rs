//! The map at several widths, with and without colours.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;
use crate::cli::terminal;
use crate::domain::forecast::hours;

/// A month in Berlin whose hours hold as many calls as `calls` says, where 1200 fit.
fn month(month: i8, calls: impl Fn(&Hour) -> u64) -> Month {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let first = date(2026, month, 1);
    let end = first.saturating_add(jiff::Span::new().months(1));
    let load = |hour: &Hour| {
        let calls = calls(hour);
        Load {
            calls: Some(calls),
            limit: Some(1_200),
            share: Some(calls as f64 / 1_200.0),
        }
    };
    let hours = hours(first, end, &zone).into_iter();
    Month {
        first,
        timezone: "Europe/Berlin".to_owned(),
        hours: hours.map(|hour| (hour, load(&hour))).collect(),
    }
}

/// As many at each hour as it says, the 29th of March left alone.
fn steps(hour: &Hour) -> u64 {
    if hour.date.day() == 29 {
        7
    } else {
        hour.hour.unsigned_abs().into()
    }
}

/// The title, the hours, some days, and what stands below.
fn excerpt(lines: &[String], days: std::ops::RangeInclusive<usize>) -> String {
    let (first, last) = (days.start() + 2, days.end() + 3);
    let below = lines.len() - 3;
    [&lines[..3], &lines[first..last], &lines[below..]]
        .concat()
        .join("\n")
}

#[test]
fn eighty_columns_hold_a_month_of_counts_of_two_digits() {
    let lines = month(3, steps).render(Some(80), false);
    insta::assert_snapshot!(excerpt(&lines, 28..=30), @"
    2026-03, Europe/Berlin: 8441 calls

       00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23  sum
    28  .  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23  276
    29  7  7     7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  161
    30  .  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23  276

    Calls an hour; the quota lets 1200 through.
    2026-03-29 has no 02:00: the clocks jump over it.
    ");
    assert_eq!(lines[3..34].iter().map(String::len).max(), Some(80 - 1));
}

#[test]
fn where_there_is_room_the_days_have_their_weekdays() {
    let lines = month(3, steps).render(Some(120), false);
    insta::assert_snapshot!(excerpt(&lines, 28..=30), @"
    2026-03, Europe/Berlin: 8441 calls

           00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23  sum
    Sat 28  .  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23  276
    Sun 29  7  7     7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  161
    Mon 30  .  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23  276

    Calls an hour; the quota lets 1200 through.
    2026-03-29 has no 02:00: the clocks jump over it.
    ");
    assert_eq!(lines, month(3, steps).render(None, false));
}

#[test]
fn where_counts_do_not_fit_tenths_of_the_quota_do() {
    let calls = |hour: &Hour| u64::from(hour.hour.unsigned_abs()) * 70;
    let shown = |width| excerpt(&month(3, calls).render(Some(width), false), 28..=30);
    insta::assert_snapshot!(shown(80), @"
    2026-03, Europe/Berlin: 598780 calls

          00          06          12          18              sum
    Sat 28 . 1 2 2 3 3 4 5 5 6 6 7 7 8 9 9 # # ! ! ! ! ! !  19320
    Sun 29 . 1   2 3 3 4 5 5 6 6 7 7 8 9 9 # # ! ! ! ! ! !  19180
    Mon 30 . 1 2 2 3 3 4 5 5 6 6 7 7 8 9 9 # # ! ! ! ! ! !  19320
    Calls an hour; the quota lets 1200 through.
    Shown in tenths of the quota, rounded up: # is all of it, ! is more.
    2026-03-29 has no 02:00: the clocks jump over it.
    ");
    insta::assert_snapshot!(shown(40), @"
    2026-03, Europe/Berlin: 598780 calls

       00    06    12    18        sum
    28 .122334556677899##!!!!!!  19320
    29 .1 2334556677899##!!!!!!  19180
    30 .122334556677899##!!!!!!  19320
    Calls an hour; the quota lets 1200 through.
    Shown in tenths of the quota, rounded up: # is all of it, ! is more.
    2026-03-29 has no 02:00: the clocks jump over it.
    ");
}

#[test]
fn a_repeated_hour_is_one_cell_with_the_calls_of_both() {
    let lines = month(10, |_| 7).render(Some(120), false);
    insta::assert_snapshot!(excerpt(&lines, 24..=26), @"
    2026-10, Europe/Berlin: 5215 calls

           00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23  sum
    Sat 24  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  168
    Sun 25  7  7 14  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  175
    Mon 26  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  7  168

    Calls an hour; the quota lets 1200 through.
    2026-10-25 has 02:00 twice; its number is that of both.
    ");
}

#[test]
fn more_than_the_quota_is_marked_in_the_number_itself() {
    let calls = |hour: &Hour| if hour.hour == 9 { 1_300 } else { 0 };
    let lines = month(11, calls).render(None, false);
    insta::assert_snapshot!(excerpt(&lines, 1..=2), @"
    2026-11, Europe/Berlin: 39000 calls

              00    01    02    03    04    05    06    07    08    09    10    11    12    13    14    15    16    17    18    19    20    21    22    23   sum
    Sun  1     .     .     .     .     .     .     .     .     . !1300     .     .     .     .     .     .     .     .     .     .     .     .     .     .  1300
    Mon  2     .     .     .     .     .     .     .     .     . !1300     .     .     .     .     .     .     .     .     .     .     .     .     .     .  1300

    Calls an hour; the quota lets 1200 through.
    ! marks more than that.
    ");
}

#[test]
fn what_is_not_known_is_not_shown_as_nothing() {
    let mut month = month(11, |_| 5);
    for (_, load) in &mut month.hours[30..] {
        load.calls = None;
        load.share = None;
    }
    let lines = month.render(Some(120), false);
    assert_eq!(lines[0], "2026-11, Europe/Berlin: more than 150 calls");
    assert!(lines[4].contains("5  5  5  5  5  5  ?  ?"), "{}", lines[4]);
    assert!(lines[4].ends_with(" >30"), "{}", lines[4]);
    assert!(lines[5].ends_with("   ?"), "{}", lines[5]);
}

#[test]
fn colours_take_no_columns_and_every_character_is_ascii() {
    let calls = |hour: &Hour| u64::from(hour.hour.unsigned_abs()) * 70;
    for width in [Some(40), Some(80), Some(120), None] {
        let plain = month(3, calls).render(width, false);
        let colored = month(3, calls).render(width, true);
        assert!(plain.iter().all(|line| line.is_ascii()));
        for (plain, colored) in plain.iter().zip(&colored).take(34) {
            assert_eq!(&stripped(colored), plain);
            assert!(width.is_none_or(|width| terminal::width(plain) <= usize::from(width)));
        }
    }
    let busy = &month(3, calls).render(Some(80), true)[3];
    for shade in ["[2m", "194m", "150m", "227m", "215m", "203m"] {
        assert!(busy.contains(shade), "{shade}: {busy}");
    }
}

/// The text without its escape sequences.
fn stripped(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.filter_map(|piece| piece.split_once('m').map(|(_, rest)| rest));
    std::iter::once(first).chain(rest).collect()
}

/// Sixty jobs at every full hour: what the quota proof is shown by.
#[test]
fn sixty_calls_an_hour_fit_into_eighty_columns_with_their_sums() {
    let shown = |width| {
        let lines = month(11, |_| 60).render(Some(width), false);
        let widest = lines[3..33].iter().map(String::len).max();
        assert!(
            widest.is_some_and(|widest| widest <= width.into()),
            "{widest:?}"
        );
        [&lines[2..4], &lines[33..]].concat().join("\n")
    };
    insta::assert_snapshot!(shown(80), @"
       00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23   sum
     1 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60  1440

    Calls an hour; the quota lets 1200 through.
    ");
    insta::assert_snapshot!(shown(120), @"
           00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23   sum
    Sun  1 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60 60  1440

    Calls an hour; the quota lets 1200 through.
    ");
}

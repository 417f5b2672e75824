//! Durations and sizes as text: `300ms`, `90s`, `15m`, `2h`, `7d`; `512KiB`, `8MiB`, `2GiB`.
//!
//! One number, one unit. A number alone has no meaning here, so that nobody has to guess whether
//! a `60` was seconds; compounds (`1h30m`) and fractions are refused with the sum to write.

use std::time::Duration;

use super::error::Problem;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads a duration.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Problem> {
    let wrong =
        || Problem::new("wants a duration").hint("write one such as 300ms, 90s, 15m, 2h, 7d");
    let (number, unit) = split(text);
    if unit.is_empty() && !number.is_empty() {
        return Err(unitless(number));
    }
    let Some(scale) = scale(&DURATION_UNITS, unit) else {
        return Err(match compound_seconds(text) {
            Some(seconds) => Problem::new("a duration has one number and one unit").hint(format!(
                "write {}",
                format_duration(Duration::from_secs(seconds))
            )),
            None => wrong(),
        });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(scale))
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

/// Writes a duration in the largest unit that leaves no rest: the one spelling it has in
/// definitions. Below a millisecond nothing is kept, and [`parse_duration`] reads nothing.
pub(super) fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    DURATION_UNITS
        .iter()
        .find(|(_, scale)| millis.is_multiple_of(*scale))
        .map_or_else(
            || format!("{millis}ms"),
            |(unit, scale)| format!("{}{unit}", millis / scale),
        )
}

/// Reads a size in bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, Problem> {
    let wrong = || Problem::new("wants a size").hint("write one such as 512KiB, 8MiB, 2GiB");
    let (number, unit) = split(text);
    let scale = scale(&SIZE_UNITS, unit).ok_or_else(|| {
        let folded = unit.to_ascii_lowercase();
        match folded.trim_end_matches("ib").trim_end_matches('b') {
            "" if folded.is_empty() && !number.is_empty() => {
                Problem::new("a number without a unit")
                    .hint(format!("write {number}B or, say, 8MiB"))
            }
            unit @ ("k" | "m" | "g") if !number.is_empty() => {
                wrong().hint(format!("write {number}{}iB", unit.to_ascii_uppercase()))
            }
            _ => wrong(),
        }
    })?;
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(scale))
        .ok_or_else(wrong)
}

/// Writes a size in the largest unit that leaves no rest.
pub(super) fn format_size(bytes: u64) -> String {
    SIZE_UNITS
        .iter()
        .find(|(_, scale)| bytes.is_multiple_of(*scale))
        .map_or_else(
            || format!("{bytes}B"),
            |(unit, scale)| format!("{}{unit}", bytes / scale),
        )
}

/// A bare number where a duration belongs.
pub(super) fn unitless(number: &str) -> Problem {
    let problem = Problem::new("a number without a unit");
    if number.len() <= 9 && number.bytes().all(|b| b.is_ascii_digit()) {
        return problem.hint(format!("write {number}s, if seconds are meant"));
    }
    problem.hint("write a duration such as 90s")
}

fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

fn scale(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, scale)| *scale)
}

/// What `1h30m` adds up to, in seconds; `None` where it is no such sum.
fn compound_seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, tail) = split(rest);
        let unit = tail.chars().next()?;
        let millis = scale(&DURATION_UNITS, tail.get(..unit.len_utf8())?)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(millis / 1000)?)?;
        rest = tail.get(unit.len_utf8()..)?;
    }
    Some(total)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_one_number_and_one_unit() {
        for (text, millis) in [
            ("300ms", 300),
            ("90s", 90_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "s",
            "60",
            "1.5h",
            "-5s",
            "5 s",
            "5S",
            "5min",
            "1h30m",
            "99999999999999999999s",
            "18446744073709551615d",
            "５s",
            "5w",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_number_and_a_sum_are_answered_with_what_to_write() {
        let hint = |text| parse_duration(text).unwrap_err().hint;
        assert_eq!(
            hint("60").as_deref(),
            Some("write 60s, if seconds are meant")
        );
        assert_eq!(hint("1h30m").as_deref(), Some("write 90m"));
    }

    #[test]
    fn a_size_counts_in_powers_of_1024_and_says_so() {
        assert_eq!(parse_size("8MiB"), Ok(8 << 20));
        assert_eq!(parse_size("512KiB"), Ok(512 << 10));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        for text in [
            "8MB",
            "8M",
            "8",
            "",
            "MiB",
            "1.5MiB",
            "99999999999999999999GiB",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(format_size(8 << 20), "8MiB");
    }

    proptest! {
        #[test]
        fn a_duration_written_is_read_back(millis in 0_u64..1_000_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}

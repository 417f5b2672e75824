//! Points in time on the command line and in tables.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// A point in time as a person gives it: an instant, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// Parses `24h` or `2026-12-24T18:00:00+08:00`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let begins_a_date = text.contains('-') || text.contains(':');
        if begins_a_date {
            return instant(text).map(Self::At);
        }
        span(text).map(Self::Ago)
    }

    /// The instant it means; the beginning of time where it lies before that.
    pub(super) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

/// Parses an instant of RFC 3339.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error: jiff::Error| {
        let what = if text.parse::<jiff::civil::DateTime>().is_ok() {
            "an instant wants its offset from UTC".to_owned()
        } else {
            error.to_string()
        };
        format!("{what}; write it like 2026-12-24T18:00:00+08:00 or 2026-12-24T10:00:00Z")
    })
}

/// Parses a duration of the configuration's kind: `300ms`, `90s`, `15m`, `2h`, `7d`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || {
        "write a span of time like 90s, 15m, 24h or 7d, or an instant like 2026-12-24T18:00:00+08:00".to_owned()
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| {
        if text.is_empty() {
            wrong()
        } else {
            format!("a number wants its unit: {text}s, {text}m, {text}h or {text}d")
        }
    })?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

/// RFC 3339 with milliseconds, in UTC: how instants are shown everywhere (contract, section 1).
pub(super) fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// [`shown`] of the ledger's microseconds; a number that is no instant is shown as it is.
pub(super) fn shown_us(us: i64) -> String {
    Timestamp::from_microsecond(us).map_or_else(|_| format!("{us} µs"), shown)
}

/// RFC 3339 with milliseconds, in a zone and with its offset.
pub(super) fn shown_in(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S.%3f%:z")
        .to_string()
}

/// A local time for people: weekday, date, time, offset.
pub(super) fn local(at: &ZonedDateTime) -> String {
    at.strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string()
}

/// How far apart two instants are, in its two largest units: `3h 12m`.
pub(super) fn apart(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.as_second().abs_diff(from.as_second());
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s:02}s"),
        (0, h, m, _) => format!("{h}h {m:02}m"),
        (d, h, _, _) => format!("{d}d {h:02}h"),
    }
}

/// A measured time for people: `41ms`, `1.24s`, `2m 05s`.
pub(super) fn took(milliseconds: i64) -> String {
    match milliseconds {
        ..1_000 => format!("{milliseconds}ms"),
        1_000..60_000 => {
            let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000 / 10);
            format!("{seconds}.{rest:02}s")
        }
        _ => {
            let seconds = milliseconds / 1_000;
            format!("{}m {:02}s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_instant_or_how_long_ago() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let at = |text: &str| shown(Moment::parse(text).unwrap().resolve(now));
        assert_eq!(at("24h"), "2026-11-23T10:00:00.000Z");
        assert_eq!(at("300ms"), "2026-11-24T09:59:59.700Z");
        assert_eq!(at("2026-11-24T18:00:00+08:00"), "2026-11-24T10:00:00.000Z");
        assert_eq!(
            Moment::parse("99999999999d").unwrap().resolve(now),
            Timestamp::MIN
        );
    }

    #[test]
    fn what_is_no_moment_is_told_what_one_looks_like() {
        for (text, word) in [
            ("", "write a span"),
            ("24", "24h or 24d"),
            ("h", "write a span"),
            ("24x", "write a span"),
            ("yesterday", "write a span"),
            ("99999999999999999999d", "write a span"),
            ("2026-11-24T10:00:00", "offset"),
            ("2026-11-24", "offset"),
            ("2026-02-30T00:00:00Z", "day"),
        ] {
            let error = Moment::parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (seconds, text) in [
            (5, "5s"),
            (65, "1m 05s"),
            (3_600 * 3 + 720, "3h 12m"),
            (86_400 * 5 + 3_600, "5d 01h"),
        ] {
            assert_eq!(apart(at(0), at(seconds)), text);
            assert_eq!(apart(at(seconds), at(0)), text);
        }
        for (milliseconds, text) in [(41, "41ms"), (1_246, "1.24s"), (125_000, "2m 05s")] {
            assert_eq!(took(milliseconds), text);
        }
    }
}

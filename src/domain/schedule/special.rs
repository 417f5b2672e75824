//! Expressions that begin with `@`.

use jiff::Timestamp;

use super::error::Fault;

/// What an `@` expression means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// The five fields it stands for.
    Fields(&'static str),
    /// Seconds, at least 1.
    Every(i64),
    /// A whole second.
    At(Timestamp),
    /// Never.
    Manual,
}

const MACROS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Parses an expression that begins with `@` and has no blanks around it.
pub(super) fn parse(text: &str) -> Result<Special, Fault> {
    let (name, rest) = match text.split_once(|c: char| c.is_ascii_whitespace()) {
        Some((name, rest)) => (name, rest.trim_ascii()),
        None => (text, ""),
    };
    let alone = |special| {
        if rest.is_empty() {
            Ok(special)
        } else {
            Err(
                Fault::new(format!("`{name}` stands alone, `{rest}` follows it"))
                    .hint(format!("write `{name}`")),
            )
        }
    };
    if let Some((_, fields)) = MACROS.iter().find(|(known, _)| *known == name) {
        return alone(Special::Fields(fields));
    }
    match name {
        "@manual" => alone(Special::Manual),
        "@every" => every(rest).map(Special::Every),
        "@at" => at(rest).map(Special::At),
        "@reboot" => Err(
            Fault::new("`@reboot` has no meaning here: a daemon's start is no tick").hint(
                "write `@manual`, and call `funcron trigger JOB` from a unit that runs at boot",
            ),
        ),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Fault {
    let names = MACROS.iter().map(|(known, _)| *known);
    let near = names
        .chain(["@every", "@at", "@manual"])
        .map(|known| {
            (
                strsim::damerau_levenshtein(known, &name.to_ascii_lowercase()),
                known,
            )
        })
        .min();
    Fault::new(format!("`{name}` is unknown")).hint(match near {
        Some((0..=2, known)) => format!("did you mean `{known}`?"),
        _ => "there are @yearly @annually @monthly @weekly @daily @midnight @hourly, `@every 5m`, `@at 2026-12-24T18:00:00Z` and @manual".to_owned(),
    })
}

/// `90s`, `15m`, `2h`, `7d`.
fn every(text: &str) -> Result<i64, Fault> {
    let malformed = |hint: String| {
        Err(Fault::new(format!("`@every` wants an interval, not `{text}`")).hint(hint))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        _ if number.is_empty() => return malformed("write `@every 5m`".to_owned()),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "" => return malformed(format!("a number wants its unit, `{number}s`")),
        "ms" => return malformed("the shortest interval is 1s".to_owned()),
        _ => {
            return malformed("write one number and one of s, m, h, d, as in `90m`".to_owned());
        }
    };
    // Beyond the last instant there is no tick.
    let last = Timestamp::MAX.as_second();
    match number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(seconds))
    {
        Some(0) => malformed("the shortest interval is 1s".to_owned()),
        Some(interval) if interval <= last => Ok(interval),
        _ => Err(Fault::new(format!(
            "`@every {text}` can never match: its first tick is beyond the year 9999"
        ))),
    }
}

/// An RFC 3339 instant, whole seconds.
fn at(text: &str) -> Result<Timestamp, Fault> {
    let malformed = || Fault::new(format!("`@at` wants an instant, not `{text}`"));
    if !is_rfc3339(text) {
        return Err(malformed()
            .hint("write it with its offset, `@at 2026-12-24T18:00:00+08:00` or `…T10:00:00Z`"));
    }
    let at: Timestamp = text
        .parse()
        .map_err(|_| malformed().hint("there is no such date or time"))?;
    if at.subsec_nanosecond() != 0 {
        return Err(malformed().hint("ticks are whole seconds, leave the fraction out"));
    }
    Ok(at)
}

/// The shape alone. jiff reads more than RFC 3339: basic formats, missing seconds, zones in
/// brackets, whose place is `timezone`.
fn is_rfc3339(text: &str) -> bool {
    let like = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(b, s)| match s {
                b'0' => b.is_ascii_digit(),
                _ => b.eq_ignore_ascii_case(&s),
            })
    };
    let Some((seconds, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else {
        return false;
    };
    let offset = match rest.strip_prefix('.') {
        Some(rest) => {
            let offset = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if offset.len() == rest.len() {
                return false;
            }
            offset
        }
        None => rest,
    };
    like(seconds, "0000-00-00T00:00:00")
        && (like(offset, "Z") || like(offset, "+00:00") || like(offset, "-00:00"))
}

//! One field of an expression: text in, a set of values out, or words about every item that is
//! wrong with it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::days::DayRule;
use super::error::{Fault, ScheduleError};
use super::hash::stable;
use super::unit::Unit;

/// A parsed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// By its text, whatever the values: what makes an expression an interval.
    pub(super) begins_with_star: bool,
    /// It begins with `*`, or is `?`: the other day field decides.
    pub(super) unrestricted: bool,
    pub(super) values: BTreeSet<u16>,
    /// Days that no number names.
    pub(super) rules: Vec<DayRule>,
}

impl Field {
    /// `*`.
    pub(super) fn every(unit: Unit) -> Self {
        let (low, high) = unit.range();
        Self {
            begins_with_star: true,
            unrestricted: true,
            values: (low..=high).collect(),
            rules: Vec::new(),
        }
    }

    /// One value alone.
    pub(super) fn only(value: u16) -> Self {
        Self {
            begins_with_star: false,
            unrestricted: false,
            values: BTreeSet::from([value]),
            rules: Vec::new(),
        }
    }
}

/// Parses `text`, which stands at byte `start` of expression `expression`. Every item that is wrong
/// becomes an error of its own.
pub(super) fn parse(
    unit: Unit,
    text: &str,
    (expression, start): (usize, usize),
    job: &str,
    errors: &mut Vec<ScheduleError>,
) -> Field {
    if text == "?" && matches!(unit, Unit::DayOfMonth | Unit::DayOfWeek) {
        return Field {
            begins_with_star: false,
            ..Field::every(unit)
        };
    }
    let begins_with_star = text.starts_with('*');
    let mut field = Field {
        begins_with_star,
        unrestricted: begins_with_star,
        values: BTreeSet::new(),
        rules: Vec::new(),
    };
    let mut start = start;
    for item in text.split(',') {
        let span = start..start + item.len();
        start = span.end + 1;
        match parse_item(unit, item, job) {
            Ok(Item::Values(values)) => field.values.extend(values),
            Ok(Item::Rule(rule)) => field.rules.push(rule),
            Err(mut fault) => {
                // An empty item has no text of its own to show.
                let shown = if item.is_empty() { text } else { item };
                fault.message = format!("{unit} field `{shown}`: {}", fault.message);
                errors.push(fault.at(Some(expression), Some(span)));
            }
        }
    }
    field
}

enum Item {
    Values(Vec<u16>),
    Rule(DayRule),
}

fn parse_item(unit: Unit, item: &str, job: &str) -> Result<Item, Fault> {
    if item.is_empty() {
        return Err(Fault::new("a comma with nothing beside it")
            .hint("lists are written without blanks, as in `1,2`"));
    }
    let (low, high) = unit.range();
    if let Some(rest) = item.strip_prefix('*') {
        let step = match rest.strip_prefix('/') {
            Some(step) => parse_step(unit, step, high - low + 1)?,
            None if rest.is_empty() => 1,
            None => {
                return Err(Fault::new("`*` stands alone or with a step")
                    .hint("write `*`, or `*/2` for every second value"));
            }
        };
        return Ok(Item::Values(every_nth(low..=high, step)));
    }
    if let Some(rest) = item.strip_prefix('H') {
        return hashed(unit, rest, job).map(Item::Values);
    }
    match unit {
        Unit::DayOfMonth if item.starts_with('L') || item.ends_with('W') => {
            day_of_month_rule(item).map(Item::Rule)
        }
        Unit::DayOfWeek if item.ends_with('L') || item.contains('#') => {
            day_of_week_rule(item).map(Item::Rule)
        }
        _ => numbers(unit, item).map(Item::Values),
    }
}

/// `a`, `a-b`, `a-b/n`.
fn numbers(unit: Unit, item: &str) -> Result<Vec<u16>, Fault> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let Some((first, last)) = range.split_once('-') else {
        let value = parse_value(unit, range)?;
        return match step {
            None => Ok(vec![wrap_sunday(unit, value)]),
            Some(step) => Err(step_of_one_value(unit, range, value, step)),
        };
    };
    let (low, high) = (parse_value(unit, first)?, parse_value(unit, last)?);
    let (unit_low, unit_high) = unit.range();
    let step = match step {
        Some(step) => parse_step(unit, step, unit_high - unit_low + 1)?,
        None => 1,
    };
    if low > high {
        return Err(backwards(unit, (first, low), (last, high), step));
    }
    let values = every_nth(low..=high, step);
    Ok(values.into_iter().map(|v| wrap_sunday(unit, v)).collect())
}

/// `H`, without it: ``, `/n`, `(a-b)`, `(a-b)/n`.
fn hashed(unit: Unit, rest: &str, job: &str) -> Result<Vec<u16>, Fault> {
    let Some((purpose, alone)) = unit.hashed() else {
        return Err(Fault::new("`H` does not work for years").hint("name the years"));
    };
    let form = || Fault::new("not a form of `H`").hint("write `H`, `H/n`, `H(a-b)` or `H(a-b)/n`");
    let (range, step) = match rest.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (rest, None),
    };
    let (low, high) = if range.is_empty() {
        if step.is_some() { unit.range() } else { alone }
    } else {
        let inner = range.strip_prefix('(').and_then(|r| r.strip_suffix(')'));
        let (first, last) = inner.and_then(|r| r.split_once('-')).ok_or_else(form)?;
        let (low, high) = (parse_value(unit, first)?, parse_value(unit, last)?);
        if low > high {
            return Err(Fault::new(format!("{first} is after {last}"))
                .hint("a range of `H` does not go over the end of the field"));
        }
        (low, high)
    };
    let h = stable(purpose, job);
    let values = match step {
        None => vec![low + below(h, high - low + 1)],
        Some(step) => {
            let step = parse_step(unit, step, high - low + 1)?;
            every_nth(low + below(h, step)..=high, step)
        }
    };
    Ok(values.into_iter().map(|v| wrap_sunday(unit, v)).collect())
}

/// `h % n`.
fn below(h: u64, n: u16) -> u16 {
    u16::try_from(h % u64::from(n.max(1))).unwrap_or(0)
}

/// `L`, `L-n`, `LW`, `nW`.
fn day_of_month_rule(item: &str) -> Result<DayRule, Fault> {
    match item {
        "L" => return Ok(DayRule::FromEnd(0)),
        "LW" => return Ok(DayRule::LastWeekday),
        _ => {}
    }
    if let Some(n) = item.strip_prefix("L-") {
        return match small_number(n) {
            Some(n @ 1..=30) => Ok(DayRule::FromEnd(n)),
            _ => Err(
                Fault::new(format!("`{n}` is no number of days before the last"))
                    .hint("write `L-1` to `L-30`"),
            ),
        };
    }
    match item.strip_suffix('W').and_then(small_number) {
        Some(n @ 1..=31) => Ok(DayRule::NearestWeekday(n)),
        _ => Err(Fault::new("not a form of `L` or `W`")
            .hint("write `L` for the last day, `L-2` for the second before it, `LW` for the last weekday, `15W` for the weekday nearest to the 15th")),
    }
}

/// `dL`, `d#k`.
fn day_of_week_rule(item: &str) -> Result<DayRule, Fault> {
    const FORMS: &str =
        "write `5L` or `friL` for the month's last Friday, `5#2` or `fri#2` for its second";
    let day = |text| {
        let value = parse_value(Unit::DayOfWeek, text)?;
        // At most 6 after wrapping.
        Ok::<_, Fault>(u8::try_from(wrap_sunday(Unit::DayOfWeek, value)).unwrap_or(0))
    };
    if item == "L" {
        return Err(Fault::new("`L` wants a day before it").hint(FORMS));
    }
    match item.split_once('#') {
        Some(("", _)) => Err(Fault::new("`#` wants a day before it").hint(FORMS)),
        Some((weekday, nth)) => {
            let weekday = day(weekday)?;
            match small_number(nth) {
                Some(nth @ 1..=5) => Ok(DayRule::NthOf(weekday, nth)),
                _ => Err(Fault::new(format!("no month has a `#{nth}` of a day"))
                    .hint("write `#1` to `#5`")),
            }
        }
        None => day(item.strip_suffix('L').unwrap_or(item)).map(DayRule::LastOf),
    }
}

/// A number, or a name where the field has names; Sunday may still be 7.
fn parse_value(unit: Unit, text: &str) -> Result<u16, Fault> {
    let (low, high) = (unit.range().0, unit.last_written());
    if text.is_empty() {
        return Err(
            Fault::new("a value is missing").hint("ranges are written without blanks, as in `1-5`")
        );
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for a u16 are too large for any field.
        return match text.parse::<u16>() {
            Ok(value) if value < low => Err(Fault::new(format!("{text} is below {low}"))),
            Ok(value) if value <= high => Ok(value),
            _ => Err(Fault::new(format!("{text} is above {high}"))),
        };
    }
    let lower = text.to_ascii_lowercase();
    let named = unit
        .names()
        .iter()
        .position(|name| lower == *name || lower == name[..3]);
    match named {
        // At most 12 names.
        Some(index) => Ok(low + u16::try_from(index).unwrap_or(0)),
        None => Err(no_value(unit, text)),
    }
}

/// Words about a text that is neither a number nor a name.
fn no_value(unit: Unit, text: &str) -> Fault {
    let fault = Fault::new(format!("`{text}` is no {unit}"));
    if text.contains('?') {
        return fault
            .hint("`?` stands alone, as the day-of-month or the day-of-week; elsewhere write `*`");
    }
    if matches!(text, "l" | "h" | "w" | "lw") || text.starts_with("h/") || text.starts_with("h(") {
        return fault.hint("`L`, `W` and `H` are capitals");
    }
    if text.contains('~') {
        return fault.hint("for a stable value of the job's own write `H` or `H(a-b)`");
    }
    let (low, high) = (unit.range().0, unit.last_written());
    fault.hint(match unit {
        Unit::Month => format!("months are {low} to {high} or `jan` to `dec`"),
        Unit::DayOfWeek => {
            format!("days are {low} to {high} or `sun` to `sat`, with Sunday 0 and 7")
        }
        _ => format!("values are {low} to {high}"),
    })
}

/// A step of a range with `count` values.
fn parse_step(unit: Unit, text: &str, count: u16) -> Result<u16, Fault> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::new(format!("the step `{text}` is no number")));
    }
    match text.parse::<u16>() {
        Ok(0) => Err(Fault::new("a step of 0 never moves").hint("write 1 or more")),
        Ok(step) if step <= count => Ok(step),
        _ => {
            let fault = Fault::new(format!(
                "a step of {text} never repeats, there are {count} values"
            ));
            Err(match unit.every() {
                Some(letter) => fault.hint(format!(
                    "for a plain interval write `@every {text}{letter}`"
                )),
                None => fault,
            })
        }
    }
}

/// `a/n`: some engines read `a-MAX/n`, some `a`.
fn step_of_one_value(unit: Unit, first: &str, value: u16, step: &str) -> Fault {
    let last = match (unit, first.bytes().all(|b| b.is_ascii_digit())) {
        (Unit::Month, false) => "dec".to_owned(),
        (Unit::DayOfWeek, false) => "sat".to_owned(),
        _ => unit.range().1.max(value).to_string(),
    };
    Fault::new("a step wants a range, engines disagree on what it means here")
        .hint(format!("write `{first}-{last}/{step}`"))
}

/// `22-2`: the hint is the same without going over the end.
fn backwards(unit: Unit, first: (&str, u16), last: (&str, u16), step: u16) -> Fault {
    let (low, high) = unit.range();
    let fault = Fault::new(format!("{} is after {}", first.0, last.0));
    if step > 1 {
        let values = (first.1..=high).chain(low..=last.1);
        let list: Vec<String> = values
            .step_by(usize::from(step))
            .map(|value| value.to_string())
            .collect();
        return fault.hint(format!("write `{}`", list.join(",")));
    }
    let named = |value: u16, written: &str| {
        let name = unit.names().get(usize::from(value - low));
        match name.filter(|_| !written.bytes().all(|b| b.is_ascii_digit())) {
            Some(name) => name[..3].to_owned(),
            None => value.to_string(),
        }
    };
    let span = |from: u16, to: u16, from_text: String, to_text: String| {
        if from == to {
            from_text
        } else {
            format!("{from_text}-{to_text}")
        }
    };
    let tail = span(low, last.1, named(low, last.0), last.0.to_owned());
    // Sunday as 7 is the first day again.
    let hint = if first.1 > high {
        tail
    } else {
        let head = span(first.1, high, first.0.to_owned(), named(high, first.0));
        format!("{head},{tail}")
    };
    fault.hint(format!("write `{hint}`"))
}

fn small_number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn wrap_sunday(unit: Unit, value: u16) -> u16 {
    if unit == Unit::DayOfWeek {
        value % 7
    } else {
        value
    }
}

fn every_nth(range: RangeInclusive<u16>, step: u16) -> Vec<u16> {
    range.step_by(usize::from(step.max(1))).collect()
}

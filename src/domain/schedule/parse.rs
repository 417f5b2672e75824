//! A whole schedule from its texts: the list, each expression, the zone, the bounds.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::super::calendar::DayRules;
use super::error::{Fault, ScheduleError};
use super::field::{self, Field};
use super::search::{Calendar, Fields};
use super::special::{self, Special};
use super::unit::Unit;
use super::zone::Wall;
use super::{Inner, Rule, ScheduleSpec};

/// Longest expression, in bytes. The parser is linear; what it feeds to the search is not small.
pub const MAX_EXPRESSION: usize = 256;

/// Most expressions of one schedule; each costs a search per tick.
pub const MAX_EXPRESSIONS: usize = 64;

pub(super) fn schedule(spec: &ScheduleSpec<'_>) -> Result<Inner, Vec<ScheduleError>> {
    let mut errors = Vec::new();
    let mut rules = Vec::new();
    let count = spec.expressions.len();
    if count == 0 {
        let fault = Fault::new("the schedule is empty");
        errors.push(
            fault
                .hint("write `@manual` for a job that only people start")
                .at(None, None),
        );
    } else if count > MAX_EXPRESSIONS {
        let fault = Fault::new(format!(
            "the schedule has {count} expressions, the limit is {MAX_EXPRESSIONS}"
        ));
        errors.push(fault.hint("split the job").at(None, None));
    } else {
        for (index, text) in spec.expressions.iter().enumerate() {
            rules.extend(expression(text, index, spec, &mut errors));
        }
    }
    let timezone = zone(spec.timezone).map_err(|fault| errors.push(fault.at(None, None)));
    if let (Some(start), Some(end)) = (spec.starts_at, spec.ends_at)
        && start > end
    {
        let fault = Fault::new(format!("`starts_at` {start} is after `ends_at` {end}"));
        errors.push(fault.hint("exchange them").at(None, None));
    }
    match timezone {
        Ok(timezone) if errors.is_empty() => Ok(Inner {
            expressions: spec.expressions.into(),
            rules: rules.into(),
            timezone_name: timezone.iana_name().unwrap_or(spec.timezone).into(),
            timezone,
            dst: spec.dst,
            starts_at: spec.starts_at,
            ends_at: spec.ends_at,
            days: DayRules::default(),
        }),
        _ => Err(errors),
    }
}

/// The rule of one expression; `None` for `@manual`, and where something is wrong.
fn expression(
    text: &str,
    index: usize,
    spec: &ScheduleSpec<'_>,
    errors: &mut Vec<ScheduleError>,
) -> Option<Rule> {
    if text.len() > MAX_EXPRESSION {
        let fault = Fault::new(format!(
            "the expression has {} bytes, the limit is {MAX_EXPRESSION}",
            text.len()
        ));
        errors.push(
            fault
                .hint("split it into a list of expressions")
                .at(Some(index), None),
        );
        return None;
    }
    let trimmed = text.trim_ascii();
    let start = text.len() - text.trim_ascii_start().len();
    let whole = start..start + trimmed.len();
    let built = if trimmed.starts_with('@') {
        special::parse(trimmed).and_then(|special| match special {
            Special::Fields(fields) => Ok(calendar(fields, index, whole.clone(), spec, errors)),
            Special::Every(interval) => Ok(Some(Rule::Every(interval))),
            Special::At(at) => Ok(Some(Rule::At(at))),
            Special::Manual if spec.expressions.len() == 1 => Ok(None),
            Special::Manual => Err(Fault::new(
                "`@manual` stands alone, other expressions are beside it",
            )
            .hint("leave it out, every job can be started by hand")),
        })
    } else {
        Ok(calendar(text, index, whole.clone(), spec, errors))
    };
    built.unwrap_or_else(|fault| {
        errors.push(fault.at(Some(index), Some(whole)));
        None
    })
}

/// The rule of an expression of fields.
fn calendar(
    text: &str,
    index: usize,
    whole: Range<usize>,
    spec: &ScheduleSpec<'_>,
    errors: &mut Vec<ScheduleError>,
) -> Option<Rule> {
    let before = errors.len();
    let built = fields(text, index, spec.job, errors).and_then(|fields| {
        if errors.len() > before {
            return Ok(None);
        }
        let calendar = Calendar::new(&fields)?;
        if calendar.first_from(Wall::FIRST).is_none() {
            return Err(
                Fault::new(format!("`{}` can never match", text.trim_ascii()))
                    .hint("no date from 1970 to 2100 has such a day, month, day of week and year"),
            );
        }
        Ok(Some(Rule::Calendar(calendar)))
    });
    built.unwrap_or_else(|fault| {
        errors.push(fault.at(Some(index), Some(whole)));
        None
    })
}

/// The fields of an expression. An error is one of their number; one within a field goes to
/// `errors`, so that the others are looked at as well.
fn fields(
    text: &str,
    index: usize,
    job: &str,
    errors: &mut Vec<ScheduleError>,
) -> Result<Fields, Fault> {
    let words = words(text);
    let (second, rest) = match words.as_slice() {
        rest @ [_, _, _, _, _] => (None, rest),
        [second, rest @ ..] if matches!(rest.len(), 5 | 6) => (Some(second), rest),
        _ => return Err(field_count(&words)),
    };
    let [minute, hour, day_of_month, month, day_of_week, year @ ..] = rest else {
        return Err(field_count(&words));
    };
    let mut field =
        |unit, word: &(usize, &str)| field::parse(unit, word.1, (index, word.0), job, errors);
    Ok(Fields {
        second: second.map_or_else(|| Field::only(0), |word| field(Unit::Second, word)),
        minute: field(Unit::Minute, minute),
        hour: field(Unit::Hour, hour),
        day_of_month: field(Unit::DayOfMonth, day_of_month),
        month: field(Unit::Month, month),
        day_of_week: field(Unit::DayOfWeek, day_of_week),
        year: year
            .first()
            .map_or_else(|| Field::every(Unit::Year), |word| field(Unit::Year, word)),
    })
}

fn field_count(words: &[(usize, &str)]) -> Fault {
    let found = match words.len() {
        0 => "the expression is empty".to_owned(),
        1 => "the expression has 1 field".to_owned(),
        n => format!("the expression has {n} fields"),
    };
    let blank_in_list = words
        .iter()
        .any(|(_, word)| word.starts_with(',') || word.ends_with(','));
    Fault::new(found).hint(if blank_in_list {
        "lists are written without blanks, as in `1,2`"
    } else {
        "write 5: minute hour day-of-month month day-of-week; or 6 with leading seconds, 7 with a trailing year"
    })
}

/// The words of `text` between ASCII blanks, each with the byte it begins at.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let mut words = Vec::new();
    for word in text.split(|c: char| c.is_ascii_whitespace()) {
        if !word.is_empty() {
            words.push((at, word));
        }
        // Every blank split at is one byte.
        at += word.len() + 1;
    }
    words
}

fn zone(name: &str) -> Result<TimeZone, Fault> {
    match TimeZone::get(name) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => Err(unknown_zone(name)),
    }
}

fn unknown_zone(name: &str) -> Fault {
    let lower = name.to_ascii_lowercase();
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).to_ascii_lowercase();
    let near = jiff::tz::db()
        .available()
        .map(|known| {
            let known = known.as_str();
            let whole = strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &lower);
            // `Shanghai` or `China/Shanghai` for `Asia/Shanghai`; worse than a slip of the keys.
            let by_city = if city(known) == city(&lower) {
                2
            } else {
                usize::MAX
            };
            (whole.min(by_city), known.to_owned())
        })
        .min();
    Fault::new(format!("the time zone `{name}` is unknown")).hint(match near {
        Some((0..=2, known)) if name.len() > 3 => format!("did you mean `{known}`?"),
        _ => "write a name of the IANA database, like `Asia/Shanghai`; `Etc/GMT-8` is 8 hours ahead of UTC".to_owned(),
    })
}

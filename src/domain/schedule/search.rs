//! The search on the wall clock: the `cron` crate, given explicit sets.
//!
//! The crate's traps, each closed here: it wants six or seven fields and counts days of the week
//! from Sunday = 1, so it is fed from parsed sets, days of the week by name; it joins the two day
//! fields by AND, so an OR is two searches ("arms"); it knows no `L`, `W`, `#`, so it searches a
//! superset of days and [`super::days`] picks; its handling of zones loses ticks and goes back in
//! time, so it sees the wall clock as UTC and nothing else. Its years are 1970 to 2100.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::days::{DaySet, DayTest};
use super::error::Fault;
use super::field::Field;
use super::unit::Unit;
use super::zone::Wall;

/// No more days in a row are looked at and rejected than the crate has years for.
const MAX_REJECTED_DAYS: u32 = 131 * 366;

/// The wall clock's times that a fields expression matches.
pub(super) struct Calendar {
    /// Neither its minute nor its hour field begins with `*`.
    pub(super) fixed: bool,
    arms: Box<[Arm]>,
}

/// The fields of an expression; seconds are 0 and years all where it has none.
pub(super) struct Fields {
    pub(super) second: Field,
    pub(super) minute: Field,
    pub(super) hour: Field,
    pub(super) day_of_month: Field,
    pub(super) month: Field,
    pub(super) day_of_week: Field,
    pub(super) year: Field,
}

impl Calendar {
    /// # Errors
    /// Where the crate refuses what it is fed, which would be a bug here.
    pub(super) fn new(fields: &Fields) -> Result<Self, Fault> {
        let (of_month, of_week) = (&fields.day_of_month, &fields.day_of_week);
        let both = of_month.unrestricted || of_week.unrestricted;
        let arms = if both {
            vec![Arm::new(fields, of_month, of_week)?]
        } else {
            vec![
                Arm::new(fields, of_month, &Field::every(Unit::DayOfWeek))?,
                Arm::new(fields, &Field::every(Unit::DayOfMonth), of_week)?,
            ]
        };
        Ok(Self {
            fixed: !fields.minute.begins_with_star && !fields.hour.begins_with_star,
            arms: arms.into(),
        })
    }

    /// The first match at or after `from`.
    pub(super) fn first_from(&self, from: Wall) -> Option<Wall> {
        self.arms
            .iter()
            .filter_map(|arm| arm.first_from(from))
            .min()
    }
}

/// One search: a date must match both day fields.
struct Arm {
    cron: cron::Schedule,
    /// Where a day field has a rule: the crate's sets are a superset then.
    days: Option<Box<DayTest>>,
}

impl Arm {
    fn new(fields: &Fields, of_month: &Field, of_week: &Field) -> Result<Self, Fault> {
        let mut days = of_month.values.clone();
        days.extend(of_month.rules.iter().flat_map(|rule| rule.days()));
        let mut weekdays = of_week.values.clone();
        weekdays.extend(of_week.rules.iter().filter_map(|rule| rule.weekday()));
        let text = [
            numbers(Unit::Second, &fields.second.values),
            numbers(Unit::Minute, &fields.minute.values),
            numbers(Unit::Hour, &fields.hour.values),
            numbers(Unit::DayOfMonth, &days),
            numbers(Unit::Month, &fields.month.values),
            weekday_names(&weekdays),
            numbers(Unit::Year, &fields.year.values),
        ]
        .join(" ");
        let cron = cron::Schedule::from_str(&text).map_err(|error| {
            Fault::new(format!(
                "the search engine refuses `{text}`, which is a bug in funcron: {error}"
            ))
        })?;
        let has_rules = !of_month.rules.is_empty() || !of_week.rules.is_empty();
        let days = has_rules.then(|| {
            Box::new(DayTest::new(
                DaySet::new(&of_month.values, &of_month.rules),
                DaySet::new(&of_week.values, &of_week.rules),
            ))
        });
        Ok(Self { cron, days })
    }

    fn first_from(&self, from: Wall) -> Option<Wall> {
        let mut after = DateTime::<Utc>::from_timestamp(from.0.max(Wall::FIRST.0) - 1, 0)?;
        for _ in 0..MAX_REJECTED_DAYS {
            let found = self.cron.after(&after).next()?;
            match &self.days {
                Some(days) if !days.matches(found.date_naive()) => {
                    after = found.date_naive().and_hms_opt(23, 59, 59)?.and_utc();
                }
                _ => return Some(Wall(found.timestamp())),
            }
        }
        None
    }
}

/// A set as the crate reads it: `*` where it is whole (which it keeps without a set), else runs.
fn numbers(unit: Unit, set: &BTreeSet<u16>) -> String {
    let (low, high) = unit.range();
    if (low..=high).all(|n| set.contains(&n)) {
        return "*".to_owned();
    }
    let mut text = String::new();
    let mut rest = set.iter().copied().peekable();
    while let Some(start) = rest.next() {
        let mut end = start;
        while let Some(next) = rest.next_if_eq(&(end + 1)) {
            end = next;
        }
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = if start == end {
            write!(text, "{comma}{start}")
        } else {
            write!(text, "{comma}{start}-{end}")
        };
    }
    text
}

fn weekday_names(set: &BTreeSet<u16>) -> String {
    let names = Unit::DayOfWeek.names();
    if set.len() == names.len() {
        return "*".to_owned();
    }
    let named: Vec<&str> = set
        .iter()
        .filter_map(|n| names.get(usize::from(*n)))
        .map(|name| &name[..3])
        .collect();
    named.join(",")
}

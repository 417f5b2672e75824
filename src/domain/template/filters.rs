//! The time that templates work on, and the three filters for it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, ZonedDateTime};
use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Value};

/// A point in time with the zone it is shown in: RFC 3339 with the zone's offset and, like every
/// time that funcron shows, fixed-width milliseconds, so that a tick and a manual start look
/// alike to what parses them.
#[derive(Debug)]
pub(super) struct Instant(pub(super) ZonedDateTime);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z"))
    }
}

impl Object for Instant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        Some(self.0.timestamp().cmp(&other.0.timestamp()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The time a filter works on; `None` for null, which every filter passes on.
fn instant<'v>(value: &'v Value, filter: &str) -> Result<Option<&'v ZonedDateTime>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    match value.downcast_object_ref::<Instant>() {
        Some(instant) => Ok(Some(&instant.0)),
        None => Err(refuse(format!(
            "`{filter}` wants a time, such as scheduled_at or previous_success_at"
        ))),
    }
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

pub(super) fn date(value: &Value, format: &str) -> Result<Value, Error> {
    let Some(zoned) = instant(value, "date")? else {
        return Ok(Value::from(()));
    };
    jiff::fmt::strtime::format(format, zoned)
        .map(Value::from)
        .map_err(|error| refuse(format!("bad format '{format}': {error}")))
}

pub(super) fn shift(value: &Value, by: &str) -> Result<Value, Error> {
    // read first: a bad shift is found in the trial without a previous success, too
    let shift = parse_shift(by).ok_or_else(|| {
        refuse(format!(
            "bad shift '{by}'; write a number and one of ms, s, m, h, d, such as '-1d' or '+90m'"
        ))
    })?;
    let Some(zoned) = instant(value, "shift")? else {
        return Ok(Value::from(()));
    };
    let shifted = match shift {
        Shift::Days(span) => zoned.checked_add(span),
        Shift::Elapsed(duration) => zoned.checked_add(duration),
    };
    shifted
        .map(|zoned| Value::from_object(Instant(zoned)))
        .map_err(|_| refuse(format!("the shift '{by}' leaves the calendar")))
}

pub(super) fn tz(value: &Value, zone: &str) -> Result<Value, Error> {
    let zone = TimeZone::get(zone).map_err(|_| {
        refuse(format!(
            "unknown time zone '{zone}'; write a name such as 'Asia/Shanghai' or 'UTC'"
        ))
    })?;
    Ok(match instant(value, "tz")? {
        Some(zoned) => Value::from_object(Instant(zoned.timestamp().to_zoned_datetime(zone))),
        None => Value::from(()),
    })
}

enum Shift {
    /// Calendar days: the wall clock stays, whatever daylight saving does in between.
    Days(Span),
    Elapsed(SignedDuration),
}

fn parse_shift(text: &str) -> Option<Shift> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let number: i64 = number.parse().ok()?;
    Some(match unit {
        "d" => Shift::Days(Span::new().try_days(number).ok()?),
        "h" => Shift::Elapsed(SignedDuration::from_secs(number.checked_mul(3_600)?)),
        "m" => Shift::Elapsed(SignedDuration::from_secs(number.checked_mul(60)?)),
        "s" => Shift::Elapsed(SignedDuration::from_secs(number)),
        "ms" => Shift::Elapsed(SignedDuration::from_millis(number)),
        _ => return None,
    })
}

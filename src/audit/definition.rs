//! What the auditor takes from a definition's JSON text: what decides its ticks, and what becomes of
//! them.

use std::fmt;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::days::ExcludedDays;
use super::expression::{Expression, instant, interval};
use super::policy::Policy;

/// A definition, read from the ledger.
#[derive(Debug)]
pub struct Definition {
    /// Whose it says it is.
    pub name: String,
    /// A disabled job has no ticks.
    pub enabled: bool,
    pub(super) expressions: Vec<Expression>,
    pub(super) zone: TimeZone,
    pub(super) gap: Gap,
    pub(super) overlap: Overlap,
    /// The bounds, inclusive, in microseconds since the epoch.
    pub(super) starts_us: Option<i64>,
    pub(super) ends_us: Option<i64>,
    pub(super) excluded: ExcludedDays,
    /// No run is due later after its tick than this; zero: each is due at its tick.
    pub(super) spread_us: i64,
    pub(super) policy: Policy,
}

/// What becomes of a fixed time that the wall clock jumps over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gap {
    /// It fires at the jump's end.
    RunAfter,
    /// It is skipped there, with a row that says so.
    Skip,
}

/// Which of the two instants that show a fixed time fires.
#[derive(Clone, Copy, Debug)]
pub(super) enum Overlap {
    First,
    Last,
    Both,
}

/// Why a definition cannot be read, in words that end a sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable(pub(super) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Definition {
    /// Reads the text of a row of `job_versions`.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Unreadable(format!("its text is no JSON ({error})")))?;
        let name = string(&json, "name")?;
        let zone = string(&json, "timezone")?;
        let expressions = json["schedule"]
            .as_array()
            .ok_or_else(|| lacks("schedule"))?
            .iter()
            .map(|expression| {
                Expression::read(expression.as_str().ok_or_else(|| lacks("schedule"))?, name)
            })
            .collect::<Result<_, _>>()?;
        let bound = |key| match &json[key] {
            Value::Null => Ok(None),
            Value::String(text) => instant(text).map(Some),
            _ => Err(lacks(key)),
        };
        Ok(Self {
            enabled: json["enabled"].as_bool().ok_or_else(|| lacks("enabled"))?,
            expressions,
            zone: TimeZone::get(zone)
                .map_err(|_| Unreadable(format!("no zone `{zone}` is known here")))?,
            gap: match string(&json["dst"], "gap")? {
                "run_after" => Gap::RunAfter,
                "skip" => Gap::Skip,
                other => return Err(Unreadable(format!("`dst.gap` is `{other}`"))),
            },
            overlap: match string(&json["dst"], "overlap")? {
                "first" => Overlap::First,
                "last" => Overlap::Last,
                "both" => Overlap::Both,
                other => return Err(Unreadable(format!("`dst.overlap` is `{other}`"))),
            },
            starts_us: bound("starts_at")?,
            ends_us: bound("ends_at")?,
            excluded: ExcludedDays::read(&json)?,
            spread_us: match &json["spread"] {
                Value::Null => 0,
                Value::String(text) => interval(text)?,
                _ => return Err(lacks("spread")),
            },
            policy: Policy::read(&json)?,
            name: name.to_owned(),
        })
    }

    /// Whether new zone data can move its ticks: not where the offset is fixed by definition.
    pub(super) fn depends_on_zone_data(&self) -> bool {
        self.zone.to_fixed_offset().is_err()
    }
}

fn string<'a>(json: &'a Value, key: &str) -> Result<&'a str, Unreadable> {
    json[key].as_str().ok_or_else(|| lacks(key))
}

fn lacks(key: &str) -> Unreadable {
    Unreadable(format!("its `{key}` is missing or of the wrong type"))
}

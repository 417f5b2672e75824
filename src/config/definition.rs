//! A job's definition as one canonical JSON text: what the ledger keeps, and hashes.
//!
//! Keys are those of `jobs.yaml`, in a fixed order, with every default filled in; secrets are
//! references. The text is read back by the planner, which closes an old definition's past by
//! the old definition, and by the auditor. So a change of meaning needs a new key, never a new
//! meaning of an old one, and an unknown key is refused: it may bear on the ticks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::quantity::{format_duration, parse_duration};
use crate::domain::calendar::{Calendar, Dates, DayList, DayRules, Item};
use crate::domain::expect::Expectation;
use crate::domain::job::{Catchup, DefinitionHash, Job, JobName, Overlap, RetryPolicy, ReturnType};
use crate::domain::json::Json;
use crate::domain::outcome::Outcome;
use crate::domain::schedule::{Dst, DstGap, DstOverlap, Schedule, ScheduleError, ScheduleSpec};
use crate::domain::secret::SecretRef;
use crate::domain::template::KwargsTemplate;
use crate::domain::workspace::WorkspaceName;

/// The default of `max_catchup`.
pub(super) const MAX_CATCHUP: u32 = 100;

/// A definition, every default filled in, in the order of its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) labels: serde_json::Map<String, serde_json::Value>,
    pub(super) enabled: bool,
    pub(super) workspace: String,
    pub(super) func_id: String,
    pub(super) kwargs: KwargsText,
    pub(super) secret_kwargs: serde_json::Map<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) return_type: Option<String>,
    pub(super) schedule: Vec<String>,
    pub(super) timezone: String,
    pub(super) dst: DstText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) starts_at: Option<InstantText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends_at: Option<InstantText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) except: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) only_on: Vec<String>,
    /// The calendars that the two lists name, so that nothing but this text is needed to know the
    /// job's ticks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) calendars: BTreeMap<String, CalendarText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) spread: Option<DurationText>,
    pub(super) overlap: OverlapText,
    pub(super) catchup: CatchupText,
    pub(super) catchup_window: DurationText,
    /// Absent where it is [`MAX_CATCHUP`]: the first definitions had no such key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_catchup: Option<u32>,
    pub(super) start_deadline: DurationText,
    pub(super) timeout: DurationText,
    pub(super) deadline: DurationText,
    pub(super) idempotent: bool,
    pub(super) retry: RetryText,
    pub(super) expect: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DstText {
    pub(super) gap: GapText,
    pub(super) overlap: RepeatText,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GapText {
    RunAfter,
    Skip,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RepeatText {
    First,
    Last,
    Both,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OverlapText {
    Skip,
    QueueOne,
    QueueAll,
    Allow,
    CancelRunning,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CatchupText {
    None,
    Latest,
    All,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryText {
    pub(super) max_attempts: u32,
    pub(super) initial_delay: DurationText,
    pub(super) multiplier: f64,
    pub(super) max_delay: DurationText,
    pub(super) jitter: f64,
    pub(super) on: Vec<String>,
    pub(super) into_next_tick: bool,
}

/// A named calendar: its weekdays without some dates, and with some more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CalendarText {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weekdays: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    without: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dates: Vec<String>,
}

impl From<&Calendar> for CalendarText {
    fn from(calendar: &Calendar) -> Self {
        let texts = |dates: &Dates| dates.iter().map(ToString::to_string).collect();
        Self {
            weekdays: calendar.weekdays.names().map(str::to_owned).collect(),
            without: texts(&calendar.without),
            dates: texts(&calendar.dates),
        }
    }
}

impl CalendarText {
    fn read(&self) -> Result<Calendar, &'static str> {
        let none = |_: &str| None;
        let list = |texts: &[String]| day_list(texts, none);
        Ok(Calendar {
            weekdays: list(&self.weekdays)?.weekdays,
            without: list(&self.without)?.dates,
            dates: list(&self.dates)?.dates,
        })
    }
}

fn day_list(
    texts: &[String],
    named: impl Fn(&str) -> Option<Calendar>,
) -> Result<DayList, &'static str> {
    let items: Result<Vec<Item>, _> = texts.iter().map(|text| Item::parse(text)).collect();
    let items = items.map_err(|error| error.message)?;
    DayList::new(&items, named).map_err(|_| "names a calendar that is not among its calendars")
}

/// A duration in its one spelling.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct DurationText(pub(super) Duration);

impl From<DurationText> for String {
    fn from(DurationText(duration): DurationText) -> Self {
        format_duration(duration)
    }
}

impl TryFrom<String> for DurationText {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text)
            .map(Self)
            .map_err(|problem| problem.message)
    }
}

/// An instant in RFC 3339, in UTC.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct InstantText(pub(super) Timestamp);

impl From<InstantText> for String {
    fn from(InstantText(instant): InstantText) -> Self {
        instant.to_string()
    }
}

impl TryFrom<String> for InstantText {
    type Error = jiff::Error;
    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

/// The arguments, their templates as they were written.
#[derive(Clone, Debug)]
pub(super) struct KwargsText(pub(super) Json);

impl Serialize for KwargsText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonText(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KwargsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(|value| Self(from_serde(&value)))
    }
}

struct JsonText<'a>(&'a Json);

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Int(value) => serializer.serialize_i64(*value),
            Json::UInt(value) => serializer.serialize_u64(*value),
            Json::Float(value) => serializer.serialize_f64(*value),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => serializer.collect_seq(items.iter().map(JsonText)),
            Json::Object(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, JsonText(value))))
            }
        }
    }
}

/// A reference's part of a definition: `{"env": "NAME"}`.
pub(super) fn reference(secret: &SecretRef) -> serde_json::Value {
    match secret {
        SecretRef::Env(name) => serde_json::json!({ "env": name }),
        SecretRef::File(path) => serde_json::json!({ "file": path.to_string_lossy() }),
        SecretRef::Credential(name) => serde_json::json!({ "credential": name }),
    }
}

impl Definition {
    /// The canonical text.
    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// What the schedule follows from, in words: those that have the same have equal schedules. `None`
    /// where the job's name may be part of it (`H`).
    pub(super) fn schedule_words(&self) -> Option<String> {
        // `THU` has an `H` too, and is taken for one: that costs memory, never truth.
        if self.schedule.iter().any(|text| text.contains('H')) {
            return None;
        }
        let Self {
            schedule,
            timezone,
            dst,
            starts_at,
            ends_at,
            except,
            only_on,
            calendars,
            ..
        } = self;
        let (bounds, days) = ((starts_at, ends_at), (except, only_on, calendars));
        serde_json::to_string(&(schedule, timezone, dst, bounds, days)).ok()
    }

    /// On which days it is due.
    pub(super) fn days(&self) -> Result<DayRules, &'static str> {
        let mut calendars = BTreeMap::new();
        for (name, text) in &self.calendars {
            calendars.insert(name.as_str(), text.read()?);
        }
        let list = |texts: &[String]| day_list(texts, |name| calendars.get(name).cloned());
        Ok(DayRules {
            except: list(&self.except)?,
            only_on: match self.only_on.as_slice() {
                [] => None,
                texts => Some(list(texts)?),
            },
        })
    }

    /// When the job is due.
    pub(super) fn schedule(&self, days: DayRules) -> Result<Schedule, Vec<ScheduleError>> {
        let spec = ScheduleSpec {
            expressions: &self.schedule,
            timezone: &self.timezone,
            dst: Dst {
                gap: match self.dst.gap {
                    GapText::RunAfter => DstGap::RunAfter,
                    GapText::Skip => DstGap::Skip,
                },
                overlap: match self.dst.overlap {
                    RepeatText::First => DstOverlap::First,
                    RepeatText::Last => DstOverlap::Last,
                    RepeatText::Both => DstOverlap::Both,
                },
            },
            starts_at: self.starts_at.map(|instant| instant.0),
            ends_at: self.ends_at.map(|instant| instant.0),
            job: &self.name,
        };
        Schedule::parse_on(&spec, days)
    }

    /// How much later than its tick a run may be due.
    pub(super) fn spread(&self) -> Duration {
        self.spread.map_or(Duration::ZERO, |spread| spread.0)
    }

    /// What becomes of ticks nobody was there for.
    pub(super) const fn catchup(&self) -> Catchup {
        match self.catchup {
            CatchupText::None => Catchup::None,
            CatchupText::Latest => Catchup::Latest,
            CatchupText::All => Catchup::All,
        }
    }

    /// How many ticks are caught up under `all`.
    pub(super) fn max_catchup(&self) -> u32 {
        self.max_catchup.unwrap_or(MAX_CATCHUP)
    }

    /// What a live tick does that meets an earlier live run.
    pub(super) const fn overlap(&self) -> Overlap {
        match self.overlap {
            OverlapText::Skip => Overlap::Skip,
            OverlapText::QueueOne => Overlap::QueueOne,
            OverlapText::QueueAll => Overlap::QueueAll,
            OverlapText::Allow => Overlap::Allow,
            OverlapText::CancelRunning => Overlap::CancelRunning,
        }
    }
}

/// A definition's text in two: what is the job's own, and what jobs may have alike, from the schedule on.
///
/// What stands in a text has its quotes escaped, and no later key has a key of this name and a list below
/// it: the last one is the definition's own. Cut elsewhere it would be shared less, and be the same text.
pub(super) fn halves(text: &str) -> (&str, &str) {
    let cut = text.rfind(r#","schedule":["#).unwrap_or(text.len());
    text.split_at(cut)
}

/// The hash that a definition's text is known by.
pub fn hash(definition: &str) -> DefinitionHash {
    DefinitionHash(super::secrets::hex(&Sha256::digest(definition)).into())
}

/// A stored definition that this version cannot go by.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not the text of a definition, or one with keys that this version does not know.
    #[error("a stored definition cannot be read: {0}; a newer funcron may have written it")]
    Text(#[from] serde_json::Error),
    /// A value of it is no longer one: its time zone may be gone from the zone data.
    #[error("a stored definition's {key} cannot be read: {why}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a stored definition back: waiting runs keep the definition that they were planned with,
/// and an old definition's past is closed by its own schedule.
///
/// # Errors
/// See [`Unreadable`]; the ledger holds a definition that this version did not write.
pub fn read(text: &str) -> Result<Job, Unreadable> {
    let definition: Definition = serde_json::from_str(text)?;
    let days = definition
        .days()
        .map_err(|why| unreadable("except or only_on", why))?;
    let schedule = definition.schedule(days).map_err(|errors| {
        let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
        unreadable("schedule", messages.join("; "))
    })?;
    let kwargs = KwargsTemplate::parse(&definition.kwargs.0).map_err(|errors| {
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        unreadable("kwargs", messages.join("; "))
    })?;
    let expect: Result<Arc<[Expectation]>, _> = definition
        .expect
        .iter()
        .map(|text| Expectation::parse(text))
        .collect();
    let (overlap, catchup) = (definition.overlap(), definition.catchup());
    let max_catchup = definition.max_catchup();
    let spread = definition.spread();
    Ok(Job {
        name: JobName::parse(&definition.name)
            .ok_or_else(|| unreadable("name", definition.name.clone()))?,
        description: definition.description,
        labels: texts(&definition.labels),
        enabled: definition.enabled,
        workspace: WorkspaceName(definition.workspace.into()),
        func_id: definition.func_id.into(),
        kwargs,
        secret_kwargs: secret_kwargs(&definition.secret_kwargs)?,
        return_type: definition
            .return_type
            .as_deref()
            .map(return_type)
            .transpose()?,
        schedule,
        spread,
        overlap,
        catchup,
        catchup_window: definition.catchup_window.0,
        max_catchup,
        start_deadline: definition.start_deadline.0,
        timeout: definition.timeout.0,
        deadline: definition.deadline.0,
        idempotent: definition.idempotent,
        retry: Arc::new(retry(&definition.retry)?),
        expect: expect.map_err(|error| unreadable("expect", error.to_string()))?,
        hash: hash(text),
        definition: text.into(),
    })
}

fn unreadable(key: &'static str, why: impl Into<String>) -> Unreadable {
    Unreadable::Value {
        key,
        why: why.into(),
    }
}

fn texts(map: &serde_json::Map<String, serde_json::Value>) -> BTreeMap<String, String> {
    map.iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn secret_kwargs(
    map: &serde_json::Map<String, serde_json::Value>,
) -> Result<Vec<(String, SecretRef)>, Unreadable> {
    let source = |value: &serde_json::Value| {
        let (way, place) = value.as_object()?.iter().next()?;
        let place = place.as_str()?.to_owned();
        match way.as_str() {
            "env" => Some(SecretRef::Env(place)),
            "file" => Some(SecretRef::File(place.into())),
            "credential" => Some(SecretRef::Credential(place)),
            _ => None,
        }
    };
    let read = |(name, value): (&String, &serde_json::Value)| {
        let source = source(value).ok_or_else(|| unreadable("secret_kwargs", name.as_str()))?;
        Ok((name.clone(), source))
    };
    map.iter().map(read).collect()
}

fn return_type(text: &str) -> Result<ReturnType, Unreadable> {
    [
        ReturnType::All,
        ReturnType::Raw,
        ReturnType::Repr,
        ReturnType::JsonDumps,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == text)
    .ok_or_else(|| unreadable("return_type", text))
}

fn retry(text: &RetryText) -> Result<RetryPolicy, Unreadable> {
    let on: Option<Vec<Outcome>> = text.on.iter().map(|name| Outcome::parse(name)).collect();
    Ok(RetryPolicy {
        max_attempts: text.max_attempts,
        initial_delay: text.initial_delay.0,
        multiplier: text.multiplier,
        max_delay: text.max_delay.0,
        jitter: text.jitter,
        on: on.ok_or_else(|| unreadable("retry.on", text.on.join(", ")))?,
        into_next_tick: text.into_next_tick,
    })
}

/// Numbers keep their kind: integers stay integers.
pub(super) fn from_serde(value: &serde_json::Value) -> Json {
    use serde_json::Value;
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Json::Int(int),
            (None, Some(uint)) => Json::UInt(uint),
            (None, None) => Json::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(from_serde).collect()),
        Value::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), from_serde(value)))
                .collect(),
        ),
    }
}

//! What a definition says of its late and its overlapping ticks. Definitions that do not say it are
//! not held to it: the file has outlived what wrote it.

use serde_json::Value;

use super::definition::Unreadable;
use super::expression::interval;

/// How many of an outage's ticks are caught up where the definition names no number: the contract's.
const MAX_CATCHUP: u64 = 100;

/// The policies of a definition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policy {
    /// Whether a live tick is skipped that meets an earlier live run.
    pub(super) skips: bool,
    /// What is caught up; `None` where the definition does not say.
    pub(super) catch_up: Option<CatchUp>,
    /// How late after its due time a live run may begin, in microseconds.
    pub(super) start_deadline_us: Option<i64>,
}

/// What of an outage's ticks is caught up.
#[derive(Clone, Copy, Debug)]
pub(super) struct CatchUp {
    /// At most so many, the newest.
    pub(super) most: u64,
    /// None that is older than this when it is planned, in microseconds.
    pub(super) window_us: i64,
}

impl Policy {
    /// Reads a definition's text.
    pub(super) fn read(json: &Value) -> Result<Self, Unreadable> {
        let duration = |key: &str| match json[key].as_str() {
            // Nothing is written as `0s`, which is no duration for a schedule.
            Some("0s") => Ok(Some(0)),
            Some(text) => interval(text).map(Some),
            None => Ok(None),
        };
        let window_us = duration("catchup_window")?;
        let most = match json["catchup"].as_str() {
            Some("none") => Some(0),
            Some("latest") => Some(1),
            Some("all") => Some(json["max_catchup"].as_u64().unwrap_or(MAX_CATCHUP)),
            _ => None,
        };
        let catch_up = most.zip(window_us);
        Ok(Self {
            skips: json["overlap"].as_str() == Some("skip"),
            catch_up: catch_up.map(|(most, window_us)| CatchUp { most, window_us }),
            start_deadline_us: duration("start_deadline")?,
        })
    }
}

//! A run: what became of one tick, or of one manual start.
//!
//! States and reasons are closed sets with one spelling each (contract, section 4); the migration
//! repeats them as CHECKs. A final state is written once.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::job::{DefinitionHash, JobName};
use super::outcome::Outcome;
use super::workspace::WorkspaceName;

/// A run's identity: a UUIDv7, so that ids sort by their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the row of a tick is worth that was planned before the tick had come, by a wall clock that was
/// ahead and has been set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ahead {
    /// Nothing was sent: it stands for no tick any more, and the tick is planned anew when it comes.
    Void,
    /// It was sent, or a person ended it: it stands for the tick, which does not fire a second time.
    Kept,
}

impl Ahead {
    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Kept => "kept",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Void, Self::Kept]
            .into_iter()
            .find(|ahead| ahead.as_str() == text)
    }
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A tick, at its time.
    Schedule,
    /// A tick, later than its time.
    Catchup,
    /// A person.
    Manual,
    /// A person, for a range of the past.
    Backfill,
    /// A person, with a recorded request.
    Replay,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 5] = [
        Self::Schedule,
        Self::Catchup,
        Self::Manual,
        Self::Backfill,
        Self::Replay,
    ];

    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Catchup => "catchup",
            Self::Manual => "manual",
            Self::Backfill => "backfill",
            Self::Replay => "replay",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|trigger| trigger.as_str() == text)
    }

    /// Whether a person started it: being disabled does not end such a run.
    pub const fn is_by_hand(self) -> bool {
        matches!(self, Self::Manual | Self::Backfill | Self::Replay)
    }

    /// Whether the run waits in the first of the two lines (guarantee G5).
    pub const fn is_first_line(self) -> bool {
        matches!(self, Self::Schedule | Self::Manual | Self::Replay)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunState {
    /// To be opened when its reason for waiting has gone.
    Waiting,
    /// An attempt is open.
    Running,
    /// Final: the last attempt succeeded.
    Success,
    /// Final: attempts were made and none succeeded.
    Failed,
    /// Final: an attempt may or may not have taken effect.
    Unknown,
    /// Final: a policy said no; nothing was sent.
    Skipped,
    /// Final: it could not run in time; nothing was sent.
    Missed,
    /// Final: a person or a policy withdrew it; nothing was sent.
    Cancelled,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Unknown,
        Self::Skipped,
        Self::Missed,
        Self::Cancelled,
    ];

    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing will ever change it.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// Why a run is in its state, wherever that is neither `success` nor `running`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
            /// The last attempt's outcome, of a failed run.
            Outcome(Outcome),
        }

        impl Reason {
            const NAMED: &'static [(&'static str, Self)] = &[$(($text, Self::$variant)),+];

            /// The name in the ledger.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Outcome(outcome) => outcome.as_str(),
                }
            }

            /// Every name, the outcomes of failed runs among them.
            pub fn names() -> impl Iterator<Item = &'static str> {
                let outcomes = Outcome::ALL.into_iter().filter(|outcome| {
                    !matches!(outcome, Outcome::Success | Outcome::Unknown)
                });
                let named = Self::NAMED.iter().map(|(name, _)| *name);
                named.chain(outcomes.map(Outcome::as_str))
            }

            /// The reverse of [`Self::as_str`].
            pub fn parse(text: &str) -> Option<Self> {
                Self::NAMED
                    .iter()
                    .find(|(name, _)| *name == text)
                    .map(|(_, reason)| *reason)
                    .or_else(|| Outcome::parse(text).map(Self::Outcome))
            }
        }
    };
}

reasons! {
    /// waiting: the key's or the workspace's minute is full.
    Quota = "quota",
    /// waiting: the workspace has as many calls under way as it may.
    InFlight = "in_flight",
    /// waiting or skipped: another run of the job is not final.
    Overlap = "overlap",
    /// waiting: the next attempt's time has not come.
    Retry = "retry",
    /// waiting or missed: the server called the key invalid.
    KeyHeld = "key_held",
    /// waiting: the tick has come, its spread has not.
    Spread = "spread",
    /// failed or missed: a deadline passed.
    Deadline = "deadline",
    /// failed: the retry would have run into the next tick.
    NextTick = "next_tick",
    /// unknown: no whole reply in time.
    NoReply = "no_reply",
    /// unknown: the engine itself does not know.
    Engine = "engine",
    /// unknown: a reply that is none.
    BadReply = "bad_reply",
    /// unknown: a redirect, which is never followed.
    Redirect = "redirect",
    /// unknown: the daemon died with the attempt open.
    DaemonDied = "daemon_died",
    /// unknown: the daemon was stopped with the attempt open.
    Shutdown = "shutdown",
    /// unknown or cancelled: a person ended it.
    Operator = "operator",
    /// unknown or cancelled: a newer run took its place.
    Replaced = "replaced",
    /// skipped: the job was paused.
    Paused = "paused",
    /// skipped: the job was disabled or removed.
    Disabled = "disabled",
    /// skipped: a calendar excludes the tick.
    Excluded = "excluded",
    /// skipped: the wall clock jumped over the tick and `dst.gap` is `skip`.
    DstGap = "dst_gap",
    /// missed: no daemon ran, or it ran too late.
    DaemonDown = "daemon_down",
    /// missed: a later missed tick runs in its place.
    Catchup = "catchup",
    /// missed: the ledger could not be written.
    LedgerUnavailable = "ledger_unavailable",
    /// missed: the clock jumped over the tick.
    Clock = "clock",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run as planned, before it is a row.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Its identity.
    pub id: RunId,
    /// Whose.
    pub job: JobName,
    /// What started it.
    pub trigger: Trigger,
    /// The nominal tick, or the instant of the manual request.
    pub scheduled_at: Timestamp,
    /// When it should start: the tick plus the job's spread.
    pub due_at: Timestamp,
    /// Waiting: no attempt opens before it. `None`: at once.
    pub not_before: Option<Timestamp>,
    /// `Waiting`, or the final state that it has from the start.
    pub state: RunState,
    /// Why.
    pub reason: Option<Reason>,
    /// The definition it was planned with, and runs with.
    pub definition_hash: DefinitionHash,
    /// Where its calls go, by that definition.
    pub workspace: WorkspaceName,
    /// The function, by that definition.
    pub func_id: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Some(state));
        }
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::parse(trigger.as_str()), Some(trigger));
        }
        for (name, reason) in Reason::NAMED {
            assert_eq!(Reason::parse(name), Some(*reason));
        }
        for outcome in Outcome::ALL {
            assert_eq!(
                Reason::parse(outcome.as_str()),
                Some(Reason::Outcome(outcome))
            );
        }
        assert_eq!(Reason::parse("weather"), None);
    }
}

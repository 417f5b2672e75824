//! A job: a definition as the configuration gives it, with every default filled in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::expect::Expectation;
use super::outcome::Outcome;
use super::schedule::Schedule;
use super::secret::SecretRef;
use super::template::KwargsTemplate;
use super::workspace::WorkspaceName;

/// Longest name of a job, in bytes.
pub const MAX_JOB_NAME: usize = 128;

/// A job's name, its identity in the ledger: 1 to 128 of `[a-z0-9._-]`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Arc<str>);

impl JobName {
    /// Parses a name. `None` where it is empty, too long or has another character in it.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        (!text.is_empty() && text.len() <= MAX_JOB_NAME && text.bytes().all(legal))
            .then(|| Self(Arc::from(text)))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name itself, shared.
    pub(crate) fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a definition's canonical text, in hex: what a run points at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionHash(pub Arc<str>);

impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical JSON text of a definition. Cheap to clone.
///
/// In two parts, of which jobs that differ in their own matters alone (name, function, arguments) share
/// the second: of a hundred thousand jobs it is most of the text.
#[derive(Clone, Debug)]
pub struct DefinitionText {
    own: Arc<str>,
    alike: Arc<str>,
}

impl DefinitionText {
    /// The text of which these are the halves.
    pub fn new(own: &str, alike: Arc<str>) -> Self {
        Self {
            own: Arc::from(own),
            alike,
        }
    }

    /// What it may share with others.
    pub const fn alike(&self) -> &Arc<str> {
        &self.alike
    }
}

impl From<&str> for DefinitionText {
    fn from(whole: &str) -> Self {
        Self::new(whole, Arc::default())
    }
}

impl fmt::Display for DefinitionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.own)?;
        f.write_str(&self.alike)
    }
}

/// A job, ready to be planned and called. Its secrets are references still. What many jobs have alike
/// is shared among those of a configuration: there may be a hundred thousand.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its identity.
    pub name: JobName,
    /// Free text for people.
    pub description: Option<String>,
    /// For filters.
    pub labels: BTreeMap<String, String>,
    /// A disabled job has no ticks.
    pub enabled: bool,
    /// Where its calls go.
    pub workspace: WorkspaceName,
    /// The function: `<set>__<script>.<function>`.
    pub func_id: Arc<str>,
    /// What is sent as `funcBody.kwargs`, with its templates compiled.
    pub kwargs: KwargsTemplate,
    /// Joined to `kwargs` when the request is sent; stored and shown as `"***"`.
    pub secret_kwargs: Vec<(String, SecretRef)>,
    /// `funcBody.options.returnType`; absent from the request where absent here.
    pub return_type: Option<ReturnType>,
    /// When it is due.
    pub schedule: Schedule,
    /// No run is due later after its tick than this; zero: each is due at its tick.
    pub spread: Duration,
    /// What a live tick does that meets an earlier live run.
    pub overlap: Overlap,
    /// What happens to ticks nobody was there for.
    pub catchup: Catchup,
    /// How far back catch-up reaches, from tick to planning.
    pub catchup_window: Duration,
    /// How many ticks of one outage are caught up under [`Catchup::All`]; at least 1.
    pub max_catchup: u32,
    /// From `due_at` to the first attempt; a live run that is later is `missed`.
    pub start_deadline: Duration,
    /// One attempt: connect, head and body.
    pub timeout: Duration,
    /// From the first attempt's opening, retries included.
    pub deadline: Duration,
    /// Whether a call may be repeated whose effect is not known.
    pub idempotent: bool,
    /// When a failed attempt is followed by another.
    pub retry: Arc<RetryPolicy>,
    /// What a success must satisfy.
    pub expect: Arc<[Expectation]>,
    /// The hash of [`Self::definition`].
    pub hash: DefinitionHash,
    /// The canonical JSON text of this definition, secrets as references, defaults filled in.
    pub definition: DefinitionText,
}

impl Job {
    /// How many ticks of a span that nobody planned in time are caught up.
    pub const fn ticks_caught_up(&self) -> usize {
        match self.catchup {
            Catchup::None => 0,
            Catchup::Latest => 1,
            Catchup::All => self.max_catchup as usize,
        }
    }
}

/// `funcBody.options.returnType`. The document lists four; engines from 3.0 on take two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnType {
    /// `ALL`, refused by engines from 3.0 on.
    All,
    /// `raw`, the engine's default.
    Raw,
    /// `repr`, refused by engines from 3.0 on.
    Repr,
    /// `jsonDumps`: the result is a string that holds JSON.
    JsonDumps,
}

impl ReturnType {
    /// The spelling of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Raw => "raw",
            Self::Repr => "repr",
            Self::JsonDumps => "jsonDumps",
        }
    }
}

/// What a live tick does that meets an earlier live run of its job which is not final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It is `skipped/overlap`.
    Skip,
    /// The first that comes waits for its turn; later ones are `skipped/overlap`.
    QueueOne,
    /// All wait for their turn, up to [`super::overlap::BUFFER`] of them.
    QueueAll,
    /// It runs beside the others.
    Allow,
    /// It takes the place of the earlier ones: their calls are cut off.
    CancelRunning,
}

/// What happens to the ticks that passed while no daemon ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catchup {
    /// All are `missed/daemon_down`.
    None,
    /// The newest within the window runs; the others are `missed`.
    Latest,
    /// The newest within the window run, up to the job's `max_catchup`; the others are `missed`.
    All,
}

/// When a failed attempt is followed by another (contract, section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, throttled ones not counted; at least 1.
    pub max_attempts: u32,
    /// Before the second attempt.
    pub initial_delay: Duration,
    /// Each further delay is the one before times this; at least 1.
    pub multiplier: f64,
    /// No delay is longer.
    pub max_delay: Duration,
    /// The share of a delay that is drawn at random, 0 to 1: `0.2` is ± 20 %.
    pub jitter: f64,
    /// The outcomes that are retried, `on` and `not_on` applied.
    pub on: Vec<Outcome>,
    /// Whether a retry may open at or after the next tick.
    pub into_next_tick: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_letters_digits_dots_dashes_and_underscores() {
        for good in ["a", "nightly-report", "a.b_c-9", &"x".repeat(MAX_JOB_NAME)] {
            assert!(JobName::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "A",
            "a b",
            "ä",
            "a/b",
            "a\n",
            &"x".repeat(MAX_JOB_NAME + 1),
        ] {
            assert!(JobName::parse(bad).is_none(), "{bad}");
        }
    }
}

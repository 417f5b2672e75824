//! Values that are one of a few words.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::error::Problem;
use super::read::{Context, Read, text};
use super::tree::Node;
use super::value::inline_schema;
use crate::domain::nearest::nearest;
use crate::domain::outcome::Outcome;

/// Reads one of a closed set of words.
fn word<T: Copy>(
    node: Node<'_>,
    what: &str,
    words: &[(&'static str, T)],
    cx: &mut Context<'_>,
) -> Option<T> {
    let names = || words.iter().map(|(name, _)| *name);
    let written = text(
        node,
        &format!("{what}: {}", names().collect::<Vec<_>>().join(", ")),
        cx,
    )?;
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == written) {
        return Some(*value);
    }
    let problem = Problem::new(format!("is no {what}"));
    let hint = match nearest(written, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", names().collect::<Vec<_>>().join(", ")),
    };
    cx.error(node, problem.hint(hint));
    None
}

/// A closed set of words as a type.
macro_rules! words {
    ($(#[doc = $doc:expr])+ $name:ident($what:literal) {
        $($(#[doc = $variant_doc:expr])+ $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($(#[doc = $variant_doc])+ $variant),+ }

        impl $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }

        impl Read for $name {
            fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
                word(node, $what, Self::WORDS, cx)
            }
        }

        impl JsonSchema for $name {
            inline_schema!($what, json_schema!({ "enum": [$($word),+] }));
        }
    };
}

words! {
    /// `overlap`
    OverlapWord("overlap policy") {
        /// The tick is skipped.
        Skip = "skip",
        /// One waits.
        QueueOne = "queue_one",
        /// All wait.
        QueueAll = "queue_all",
        /// They run beside each other.
        Allow = "allow",
        /// The earlier one is given up.
        CancelRunning = "cancel_running",
    }
}

words! {
    /// `catchup`
    CatchupWord("catch-up policy") {
        /// None is caught up.
        None = "none",
        /// The newest is.
        Latest = "latest",
        /// All are.
        All = "all",
    }
}

words! {
    /// `dst.gap`
    GapWord("policy for a gap") {
        /// Right after it.
        RunAfter = "run_after",
        /// Not at all.
        Skip = "skip",
    }
}

words! {
    /// `dst.overlap`
    RepeatWord("policy for a repeated hour") {
        /// The first time.
        First = "first",
        /// The second time.
        Last = "last",
        /// Twice.
        Both = "both",
    }
}

words! {
    /// `return_type`, in the API's spelling.
    ReturnTypeWord("return type") {
        /// The engine's default.
        Raw = "raw",
        /// The result as text that holds JSON.
        JsonDumps = "jsonDumps",
        /// Old engines only.
        All = "ALL",
        /// Old engines only.
        Repr = "repr",
    }
}

words! {
    /// `notify.on`
    NotifyWord("event") {
        /// A run failed.
        Failed = "failed",
        /// A run did not start in time.
        Missed = "missed",
        /// Nobody knows.
        Unknown = "unknown",
        /// A success after one of these.
        Recovered = "recovered",
    }
}

words! {
    /// `server.tokens.role`
    RoleWord("role") {
        /// Looks.
        Read = "read",
        /// Looks and acts.
        Operate = "operate",
    }
}

/// An outcome by its name.
impl Read for Outcome {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let words = Self::ALL.map(|outcome| (outcome.as_str(), outcome));
        word(node, "outcome", &words, cx)
    }
}

impl JsonSchema for Outcome {
    inline_schema!(
        "Outcome",
        json_schema!({ "enum": Self::ALL.map(Self::as_str) })
    );
}

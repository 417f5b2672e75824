//! What jobs have alike, made once and shared by all of them.
//!
//! A configuration of a hundred thousand jobs has a few schedules, policies and expectations. Each is
//! tried once, which is most of the time that reading takes, and kept once, which is most of the memory
//! that a job takes. What has a fault is not kept: each job that has it is told of it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::expect::{ExpectError, Expectation};
use crate::domain::job::{DefinitionText, RetryPolicy};
use crate::domain::schedule::Schedule;

/// Everything that has been made so far.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// By what a definition says of it.
    schedules: HashMap<String, Schedule>,
    /// By their text.
    expectations: HashMap<String, Expectation>,
    /// By the part of a definition's text that says all of it.
    policies: HashMap<Arc<str>, Policies>,
}

/// What the second half of a definition's text says beside the schedule.
#[derive(Clone, Debug)]
pub(super) struct Policies {
    pub(super) retry: Arc<RetryPolicy>,
    pub(super) expect: Arc<[Expectation]>,
}

impl Alike {
    /// The schedule that was made of these words before.
    pub(super) fn schedule(&self, words: &str) -> Option<Schedule> {
        self.schedules.get(words).cloned()
    }

    /// Keeps a schedule for the next job of the same words.
    pub(super) fn keep_schedule(&mut self, words: String, schedule: &Schedule) {
        self.schedules.insert(words, schedule.clone());
    }

    /// The expectation of that text.
    ///
    /// # Errors
    /// As [`Expectation::parse`].
    pub(super) fn expectation(&mut self, text: &str) -> Result<Expectation, ExpectError> {
        if let Some(known) = self.expectations.get(text) {
            return Ok(known.clone());
        }
        let made = Expectation::parse(text)?;
        self.expectations.insert(text.to_owned(), made.clone());
        Ok(made)
    }

    /// A definition's text and what its second half says, shared with those whose second half is the
    /// same. `make` makes it of the first of them.
    pub(super) fn policies(
        &mut self,
        (own, alike): (&str, &str),
        make: impl FnOnce() -> Policies,
    ) -> (DefinitionText, Policies) {
        let (shared, policies) = match self.policies.get_key_value(alike) {
            Some((shared, policies)) => (shared.clone(), policies.clone()),
            None => {
                let (shared, policies) = (Arc::<str>::from(alike), make());
                self.policies.insert(shared.clone(), policies.clone());
                (shared, policies)
            }
        };
        (DefinitionText::new(own, shared), policies)
    }
}

//! What is wrong with a schedule, for the person who wrote it.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError {
    /// Which expression of the list, from 0; `None` where it is the list, the zone or the bounds.
    pub expression: Option<usize>,
    /// The bytes of the expression that are meant; on the boundaries of characters.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// `message; hint`, without the position.
impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ScheduleError {}

/// A [`ScheduleError`] that does not know yet where it stands.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn at(self, expression: Option<usize>, span: Option<Range<usize>>) -> ScheduleError {
        ScheduleError {
            expression,
            span,
            message: self.message,
            hint: self.hint,
        }
    }
}

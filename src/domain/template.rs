//! `{{ … }}` in kwargs.

/// The kwargs of a job with their templates compiled.
#[derive(Clone, Debug)]
pub struct KwargsTemplate;

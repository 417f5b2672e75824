//! `expect`: what a job demands of a successful reply.

/// One compiled `expect` expression.
#[derive(Clone, Debug)]
pub struct Expectation;

//! `expect`: what a job demands of a successful reply. A stand-in.

use super::template::TemplateError;

/// One compiled `expect` expression.
#[derive(Clone, Debug)]
pub struct Expectation {
    source: String,
}

impl Expectation {
    /// Compiles an expression.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.trim().is_empty() || text.contains("((") {
            return Err(TemplateError {
                path: String::new(),
                message: "no expression".to_owned(),
                hint: None,
            });
        }
        Ok(Self {
            source: text.to_owned(),
        })
    }

    /// What it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

//! `{{ … }}` in kwargs. A stand-in.

use super::json::Json;

/// The kwargs of a job with their templates compiled.
#[derive(Clone, Debug)]
pub struct KwargsTemplate {
    source: Json,
}

/// What is wrong with a template.
#[derive(Clone, Debug)]
pub struct TemplateError {
    /// `kwargs.data.title`
    pub path: String,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl KwargsTemplate {
    /// Compiles the templates.
    pub fn parse(source: &Json) -> Result<Self, Vec<TemplateError>> {
        let mut errors = Vec::new();
        check(source, "kwargs", &mut errors);
        if errors.is_empty() {
            Ok(Self {
                source: source.clone(),
            })
        } else {
            Err(errors)
        }
    }

    /// What it was parsed from.
    pub fn source(&self) -> &Json {
        &self.source
    }
}

fn check(json: &Json, path: &str, errors: &mut Vec<TemplateError>) {
    match json {
        Json::String(text) if text.matches("{{").count() != text.matches("}}").count() => {
            errors.push(TemplateError {
                path: path.to_owned(),
                message: "an expression is not closed".to_owned(),
                hint: None,
            });
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(item, &format!("{path}[{index}]"), errors);
            }
        }
        Json::Object(entries) => {
            for (key, value) in entries {
                check(value, &format!("{path}.{key}"), errors);
            }
        }
        _ => {}
    }
}

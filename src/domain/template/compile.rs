//! From kwargs as written to kwargs that can be rendered; whatever can be wrong is found here.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Error, ErrorKind};

use super::evaluate::{ENVIRONMENT, Source, evaluate, to_json, values, words};
use super::{NAMES, Node, PREVIOUS_SUCCESS, Piece, Problem, TemplateContext, TemplateError, below};
use crate::domain::json::Json;
use crate::domain::nearest::nearest;
use crate::domain::repetition::{REFUSAL, may_repeat_a_list};

const FILTERS: [&str; 3] = ["date", "shift", "tz"];

pub(super) fn compile(json: &Json, path: &mut String, errors: &mut Vec<TemplateError>) -> Node {
    match json {
        Json::String(text) if text.contains("{{") || text.contains("{%") => {
            match compile_text(text) {
                Ok(node) => node,
                Err(problem) => {
                    errors.push(problem.at(path));
                    Node::Plain(Json::Null)
                }
            }
        }
        Json::Array(items) => {
            let nodes: Vec<_> = items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    below(path, &format!("[{index}]"), |path| {
                        compile(item, path, errors)
                    })
                })
                .collect();
            if nodes.iter().all(|node| matches!(node, Node::Plain(_))) {
                return Node::Plain(json.clone());
            }
            Node::Array(nodes)
        }
        Json::Object(entries) => {
            let nodes: Vec<_> = entries
                .iter()
                .map(|(key, value)| {
                    let node = below(path, key, |path| compile(value, path, errors));
                    (key.clone(), node)
                })
                .collect();
            if nodes.iter().all(|(_, node)| matches!(node, Node::Plain(_))) {
                return Node::Plain(json.clone());
            }
            Node::Object(nodes)
        }
        plain => Node::Plain(plain.clone()),
    }
}

fn compile_text(text: &str) -> Result<Node, Problem> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let open = rest.find("{{");
        let literal = &rest[..open.unwrap_or(rest.len())];
        if literal.contains("{%") {
            return Err(Problem::new(
                "statements (`{% … %}`) are not supported, only expressions (`{{ … }}`)",
                Some("to send the characters themselves, write `{{ '{%' }}`".to_owned()),
            ));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        let Some(open) = open else { break };
        let inside = &rest[open + 2..];
        let Some(close) = end_of_expression(inside) else {
            return Err(Problem::new(
                "`{{` without its `}}`",
                Some("to send the characters themselves, write `{{ '{{' }}`".to_owned()),
            ));
        };
        pieces.push(Piece::Expression(compile_expression(&inside[..close])?));
        rest = &inside[close + 2..];
    }
    Ok(match <[Piece; 1]>::try_from(pieces) {
        Ok([Piece::Expression(only)]) => Node::Value(only),
        Ok(pieces) => Node::Text(pieces.into()),
        Err(pieces) => Node::Text(pieces),
    })
}

/// Where the `}}` lies that ends an expression: not in a string, and not of a map's own braces.
fn end_of_expression(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut braces = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'{') => braces += 1,
            (None, b'}') if braces > 0 => braces -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

fn compile_expression(source: &str) -> Result<Source, Problem> {
    if source.starts_with('-') || source.ends_with('-') {
        return Err(Problem::new(
            "`{{-` and `-}}` are not supported: a template leaves the text around it alone",
            Some("write `{{` and `}}`; for a negative number leave a blank".to_owned()),
        ));
    }
    let source = source.trim();
    if may_repeat_a_list(source) {
        return Err(Problem::new(format!("`{source}`: {REFUSAL}"), None));
    }
    let expression = ENVIRONMENT
        .compile_expression(source)
        .map_err(|error| Problem::new(format!("`{source}`: {}", words(&error)), None))?;
    let names = expression.undeclared_variables(false);
    let mut undefined: Vec<_> = names
        .iter()
        .filter(|name| !NAMES.contains(&name.as_str()))
        .collect();
    undefined.sort();
    if let Some(name) = undefined.first() {
        return Err(Problem::new(
            format!("`{name}` is not defined"),
            Some(match nearest(name, NAMES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("defined are {}", NAMES.join(", ")),
            }),
        ));
    }
    for previous_success_at in [None, Some(SAMPLE)] {
        let sample = TemplateContext {
            scheduled_at: SAMPLE,
            zone: TimeZone::UTC,
            run_id: "00000000-0000-7000-8000-000000000000".to_owned(),
            job: "job".to_owned(),
            attempt: 1,
            trigger: "schedule",
            previous_success_at,
        };
        let value = evaluate(&expression, &values(&sample)).map_err(|error| {
            Problem::new(format!("`{source}`: {}", words(&error)), hint(&error))
        })?;
        to_json(&value).map_err(|why| Problem::new(format!("`{source}` {why}"), None))?;
    }
    Ok(Source {
        text: source.into(),
        uses_previous_success: names.contains(PREVIOUS_SUCCESS),
    })
}

/// The instant of the trial: any will do, since shifts by years stay within the calendar.
const SAMPLE: Timestamp = Timestamp::UNIX_EPOCH;

fn hint(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownFilter {
        return None;
    }
    // "filter dat is unknown"
    let name = error.detail()?.split_whitespace().nth(1)?;
    Some(match nearest(name, FILTERS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", FILTERS.join(", ")),
    })
}

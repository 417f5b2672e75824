//! The ledger that a configuration names, without the rest of it.
//!
//! A command that looks into the ledger needs nothing else, and of thousands of jobs the rest takes
//! longer than the look.

use std::cell::Cell;
use std::path::Path;

use saphyr_parser::{Event, Parser};

use super::build::{MAX_LOOKAHEAD, Metered};
use super::error::{ConfigErrors, Position, Report};
use super::file::{self, Reading};
use super::load;
use super::url::DatabaseUrl;

/// The ledger that a configuration names. Where it names none the whole of it is read after all: the key
/// may be misspelt, and the usual ledger is then not the one that is meant.
///
/// # Errors
/// As [`load`], except that what stands after the name is not looked at.
pub fn database(path: &Path) -> Result<DatabaseUrl, ConfigErrors> {
    match named(path) {
        Some(database) => Ok(database),
        None => load(path).map(|loaded| loaded.config.database),
    }
}

/// `None` where something is not as expected, which a whole reading explains.
fn named(path: &Path) -> Option<DatabaseUrl> {
    let (mut reading, mut report) = (Reading::default(), Report::default());
    let text = file::read(path, Position::default(), &mut reading, &mut report)?;
    let text = file::clean(&text, Position::default(), &mut report)?;
    DatabaseUrl::parse(&value_of("database", text)?, path).ok()
}

/// The text of a key at the top, as far as the file is YAML up to there.
fn value_of(key: &str, text: &str) -> Option<String> {
    let left = Cell::new(0);
    let mut parser = Parser::new_from_iter(Metered {
        chars: text.chars(),
        left: &left,
    });
    let mut depth = 0_u32;
    let mut is_key = true;
    let mut is_found = false;
    loop {
        left.set(MAX_LOOKAHEAD);
        let (event, _) = parser.next_event()?.ok()?;
        if left.get() == 0 {
            return None;
        }
        match event {
            Event::Scalar(value, _, _, None) if is_found => return Some(value.into_owned()),
            _ if is_found => return None,
            Event::Scalar(text, ..) if depth == 1 => {
                is_found = is_key && text == key;
                is_key = !is_key;
            }
            Event::SequenceStart(..) if depth == 0 => return None,
            Event::Alias(_) if depth == 1 => is_key = !is_key,
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => {
                depth = depth.checked_sub(1)?;
                if depth == 1 {
                    is_key = !is_key;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_at_the_top_alone() {
        let of = |text: &str| value_of("database", text);
        for text in [
            "database: sqlite:x",
            "version: 1\ndatabase: 'sqlite:x'\njobs: [",
            "{jobs: [{database: y}], database: sqlite:x}",
            "jobs: &j [database, y]\n? *j\n: database\ndefaults: *j\ndatabase: sqlite:x",
            "labels: {database: y}\n[a, b]: database\ndatabase: sqlite:x",
        ] {
            assert_eq!(of(text).as_deref(), Some("sqlite:x"), "{text}");
        }
        for text in [
            "",
            "- database\n- y",
            "jobs: [{database: y}]",
            "a: database\nb: y",
            "jobs: {\ndatabase: y",
            "database: [y]",
            "database: !t y",
            "database: *y",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}

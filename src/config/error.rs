//! What is wrong with a configuration, where, and what to do about it.
//!
//! Nothing stops at the first fault: the reader goes on with what it can read and the [`Report`]
//! collects. A message never quotes a value that is not already a known word, a number or a name:
//! a secret may stand in any place it does not belong.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::sources::Sources;

/// Most errors that are told of one configuration; a hostile file has a million.
const MAX_TOLD: usize = 1000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It works, and probably not as meant.
    Warning,
}

/// One thing that is wrong. Shown as `file:line:col: path: what is wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named or found.
    pub file: PathBuf,
    /// Counted from 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// In characters, counted from 1; 0 where the file as a whole is meant.
    pub column: u32,
    /// The key, such as `jobs.nightly.schedule`; empty at the top.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Why a configuration was refused: every error found, one per line.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    /// By file and place; never empty.
    pub errors: Vec<Diagnostic>,
    /// What was seen besides, by file and place.
    pub warnings: Vec<Diagnostic>,
    /// How many more there were than are kept.
    pub omitted: usize,
    /// What was looked for while it was read: a change of it may put things right.
    pub sources: Sources,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        match self.omitted {
            0 => Ok(()),
            n => write!(f, "\n… and {n} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// A place in one of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Position {
    /// Index into the report's files.
    pub(super) file: u16,
    /// Counted from 1; 0 is the whole file.
    pub(super) line: u32,
    /// Counted from 1, in characters.
    pub(super) column: u32,
    /// Whether it lies in `defaults`: a job that inherits from there is not at fault itself.
    pub(super) in_defaults: bool,
}

/// What is wrong and what to do, before it is known where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    /// What is wrong.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// What to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Collects what is wrong while the reading goes on.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<PathBuf>,
    told: Vec<(Position, Diagnostic)>,
    seen: HashSet<(Position, String)>,
    errors: usize,
    omitted: usize,
}

impl Report {
    /// Makes a file known; positions refer to it by the number returned.
    pub(super) fn add_file(&mut self, path: &Path) -> u16 {
        self.files.push(path.to_path_buf());
        // The loader refuses to open as many.
        u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX)
    }

    /// Every file read so far, the main one first.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The name of the file that `at` lies in.
    pub(super) fn file_of(&self, at: Position) -> &Path {
        self.files
            .get(usize::from(at.file))
            .map_or(Path::new(""), PathBuf::as_path)
    }

    /// Adds an error.
    pub(super) fn error(&mut self, at: Position, path: impl Into<String>, problem: Problem) {
        self.errors += 1;
        self.tell(Severity::Error, at, path.into(), problem);
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, at: Position, path: impl Into<String>, problem: Problem) {
        self.tell(Severity::Warning, at, path.into(), problem);
    }

    /// Whether anything has been refused.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether more would not be kept: no need to look for suggestions.
    pub(super) fn is_full(&self) -> bool {
        self.told.len() >= MAX_TOLD
    }

    /// One fault in `defaults` would otherwise be told once per job.
    fn tell(&mut self, severity: Severity, at: Position, path: String, problem: Problem) {
        if self.is_full() {
            self.omitted += 1;
            return;
        }
        if !self.seen.insert((at, problem.message.clone())) {
            return;
        }
        let diagnostic = Diagnostic {
            file: self.file_of(at).to_path_buf(),
            line: at.line,
            column: at.column,
            path: printable(&path),
            message: printable(&problem.message),
            hint: problem.hint.as_deref().map(printable),
            severity,
        };
        self.told.push((at, diagnostic));
    }

    /// Ends the collecting: the warnings, or why the configuration is refused.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, ConfigErrors> {
        self.told
            .sort_by_key(|(at, _)| (at.file, at.line, at.column));
        let (errors, warnings): (Vec<_>, Vec<_>) = self
            .told
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .partition(|diagnostic| diagnostic.severity == Severity::Error);
        if self.errors == 0 {
            return Ok(warnings);
        }
        Err(ConfigErrors {
            errors,
            warnings,
            omitted: self.omitted,
            sources: Sources::default(),
        })
    }
}

/// One line and no terminal escapes, whatever a file's keys consist of.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// The first characters of a name, quoted: enough to find it, short enough for a line.
pub(super) fn quoted(name: &str) -> String {
    const SHOWN: usize = 60;
    if name.chars().count() <= SHOWN {
        return format!("`{name}`");
    }
    let head: String = name.chars().take(SHOWN).collect();
    format!("`{head}…`")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::domain::nearest::nearest;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let keys = ["timeout", "timezone", "schedule", "func_id"];
        assert_eq!(nearest("tmeout", keys), Some("timeout"));
        assert_eq!(nearest("Schedule", keys), Some("schedule"));
        assert_eq!(nearest("func-id", keys), Some("func_id"));
        assert_eq!(nearest("weather", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"x".repeat(100_000), keys), None);
    }

    #[test]
    fn a_fault_seen_twice_in_one_place_is_told_once_and_a_flood_is_cut() {
        let mut report = Report::default();
        let file = report.add_file(Path::new("jobs.yaml"));
        let at = |line| Position {
            file,
            line,
            column: 1,
            in_defaults: false,
        };
        report.error(at(7), "jobs.a", Problem::new("bad"));
        report.error(at(7), "jobs.b", Problem::new("bad"));
        for line in 10..10 + 2 * MAX_TOLD as u32 {
            report.error(at(line), "x", Problem::new("bad"));
        }
        let refused = report.finish().unwrap_err();
        assert_eq!(refused.errors.len(), MAX_TOLD);
        assert_eq!(refused.omitted, MAX_TOLD + 1);
        assert_eq!(refused.errors[0].to_string(), "jobs.yaml:7:1: jobs.a: bad");
    }

    #[test]
    fn a_key_with_an_escape_sequence_cannot_paint_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
    }
}

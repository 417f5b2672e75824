//! Bars on standard error, where somebody looks at it.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// What a bar counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    /// Things, with a message of their own behind.
    Things,
    /// Bytes.
    Bytes,
}

/// A bar up to `length`; none where standard error is no terminal.
pub(super) fn bar(unit: Unit, length: u64) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let template = match unit {
        Unit::Things => "{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}",
        Unit::Bytes => "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
    };
    let bar = ProgressBar::new(length);
    Some(match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    })
}

//! Files: read whole within a limit, and found by `include`.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::error::{Position, Problem, Report};
use super::read::At;
use super::sources::Sources;

/// Largest file, and largest sum of all files of a configuration.
pub(super) const MAX_BYTES: u64 = 32 << 20;

/// Most files of one configuration.
const MAX_FILES: usize = 1000;

/// What reading has used up, and what it has seen.
#[derive(Debug)]
pub(super) struct Reading {
    /// What the files together may still hold, in bytes.
    left: u64,
    /// Whatever was looked for, found or not.
    pub(super) sources: Sources,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            left: MAX_BYTES,
            sources: Sources::default(),
        }
    }
}

/// Reads a file's text.
pub(super) fn read(
    path: &Path,
    at: Position,
    reading: &mut Reading,
    report: &mut Report,
) -> Option<String> {
    reading.sources.look_at(path);
    let bytes = match read_bytes(path, reading.left) {
        Ok(bytes) => bytes,
        Err(problem) => {
            report.error(at, "", problem);
            return None;
        }
    };
    reading.left -= bytes.len() as u64;
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let problem = Problem::new("the file is UTF-16").hint("save it as UTF-8");
        report.error(at, "", problem);
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let at = end_of(&String::from_utf8_lossy(before), at);
            report.error(
                at,
                "",
                Problem::new("not UTF-8 from here on").hint("save it as UTF-8"),
            );
            None
        }
    }
}

/// Whether there is such a file, a regular one of at most `most` bytes; `remedy` is for a larger one.
/// For files that a configuration names: told where it is named, and without its path, since a secret
/// may stand in any place it does not belong.
pub(super) fn look_at(path: &Path, most: u64, remedy: &str) -> Result<(), Problem> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let problem = Problem::new("there is no such file");
            Err(problem.hint("check the path; a relative one counts from this file's directory"))
        }
        Err(error) => Err(Problem::new(format!("the file cannot be read: {error}"))),
        Ok(file) if !file.is_file() => {
            Err(Problem::new("this is not a regular file").hint("name a file"))
        }
        Ok(file) if file.len() > most => {
            let limit = most >> 20;
            let problem = Problem::new(format!("the file is larger than {limit} MiB"));
            Err(problem.hint(remedy))
        }
        Ok(_) => Ok(()),
    }
}

/// Reads a regular file of at most `left` bytes.
pub(super) fn read_bytes(path: &Path, left: u64) -> Result<Vec<u8>, Problem> {
    let cannot = |error: std::io::Error| {
        let problem = Problem::new(match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            ErrorKind::PermissionDenied => "the file may not be read".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        });
        match error.kind() {
            ErrorKind::NotFound => problem.hint("check the path"),
            ErrorKind::PermissionDenied => problem.hint("make it readable for the daemon's user"),
            _ => problem,
        }
    };
    let metadata = fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        return Err(Problem::new("this is a directory").hint("name a file"));
    }
    // A pipe would block, a device never end.
    if !metadata.is_file() {
        return Err(Problem::new("this is not a regular file").hint("name a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(left + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    if bytes.len() as u64 > left {
        return Err(Problem::new(format!(
            "the configuration is larger than {} MiB",
            MAX_BYTES >> 20
        ))
        .hint("this can hardly be meant; check the path"));
    }
    Ok(bytes)
}

/// Strips a byte order mark and refuses what YAML has no place for: the parser takes a NUL for
/// the end, and would silently leave out what follows.
pub(super) fn clean<'t>(text: &'t str, at: Position, report: &mut Report) -> Option<&'t str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let illegal = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\x7f' | '\u{feff}');
    let Some((index, found)) = text.char_indices().find(|(_, c)| illegal(*c)) else {
        return Some(text);
    };
    let problem = Problem::new(format!("the control character U+{:04X}", u32::from(found)))
        .hint("remove it; in a quoted text write \\x… instead");
    report.error(end_of(&text[..index], at), "", problem);
    None
}

fn end_of(before: &str, at: Position) -> Position {
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: count(before.matches('\n').count() + 1),
        column: count(before[line_start..].chars().count() + 1),
        ..at
    }
}

/// The files that `include` names, in the order of its patterns and of their names, without
/// `main` itself and each once. Wildcards (`*`, `?`) are for the file's name alone; they match no
/// leading dot, which editors give their leftovers.
pub(super) fn included(
    main: &Path,
    patterns: &[At<String>],
    sources: &mut Sources,
    report: &mut Report,
) -> Vec<(PathBuf, Position)> {
    let mut files: Vec<(PathBuf, Position)> = Vec::new();
    for At { value, at } in patterns {
        match matching(main, value, sources) {
            Ok(found) if found.is_empty() => {
                let problem = Problem::new("no file matches").hint("check the pattern");
                report.warning(*at, "include", problem);
            }
            Ok(found) => {
                for path in found {
                    let is_known = path == main || files.iter().any(|(known, _)| *known == path);
                    if !is_known {
                        files.push((path, *at));
                    }
                }
            }
            Err(problem) => report.error(*at, "include", problem),
        }
        if files.len() > MAX_FILES {
            let problem = Problem::new(format!("more than {MAX_FILES} files are included"));
            report.error(*at, "include", problem.hint("join some of them"));
            files.truncate(MAX_FILES);
            break;
        }
    }
    files
}

fn matching(main: &Path, pattern: &str, sources: &mut Sources) -> Result<Vec<PathBuf>, Problem> {
    let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    if name.is_empty() {
        return Err(Problem::new("names no file").hint(format!("write {pattern}*.yaml")));
    }
    let is_wild = |text: &str| text.contains(['*', '?', '[', '{']);
    if is_wild(directory) || name.contains(['[', '{']) {
        return Err(
            Problem::new("only `*` and `?` are wildcards, and only in the file's name")
                .hint("write such as jobs.d/*.yaml"),
        );
    }
    // "/" alone is the root; any other directory came without its slash.
    let directory = match (directory, pattern.starts_with('/')) {
        ("", true) => Path::new("/"),
        _ => Path::new(directory),
    };
    let directory = main.parent().unwrap_or(Path::new("")).join(directory);
    if !is_wild(name) {
        return Ok(vec![directory.join(name)]);
    }
    let listed = list(&directory, name);
    sources.list(&directory, name, listed.as_deref().unwrap_or_default());
    match listed {
        Ok(names) => Ok(names.into_iter().map(|name| directory.join(name)).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let problem = Problem::new(format!("the directory cannot be read: {error}"));
            Err(problem.hint("make it readable for the daemon's user"))
        }
    }
}

/// The names in a directory that a pattern matches, sorted.
pub(super) fn list(directory: &Path, pattern: &str) -> io::Result<Vec<String>> {
    let entries = if directory.as_os_str().is_empty() {
        fs::read_dir(".")
    } else {
        fs::read_dir(directory)
    }?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| matches(pattern.as_bytes(), file.as_bytes()))
        .take(MAX_FILES + 1)
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// Whether a name matches a pattern of `*` and `?`. Greedy with one point to come back to, so the
/// time is bounded by the product of the lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b) if *b == b'?' || *b == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_part_of_a_name_but_no_leading_dot() {
        for (pattern, name, fits) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", ".a.yaml.swp", false),
            ("*.yaml", ".hidden.yaml", false),
            ("*.yaml", "a.yaml.bak", false),
            ("a?c*", "abc", true),
            ("a?c*", "abcdef", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("*", "anything", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                fits,
                "{pattern} {name}"
            );
        }
        let (pattern, name) = ("*a".repeat(40), "a".repeat(4000));
        assert!(!matches(format!("{pattern}b").as_bytes(), name.as_bytes()));
    }
}

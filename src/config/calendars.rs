//! `calendars`: iCalendar files by a name of the person's own choosing, for `except` and `only_on`.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{Position, Problem, Report, quoted};
use super::file::Reading;
use super::read::{At, Key, Named};
use super::{file, ics, raw};
use crate::domain::calendar::{BUILT_IN, Calendar, Item, built_in};

/// Most calendars of one configuration.
const MAX_CALENDARS: usize = 100;

/// The calendars that jobs may name.
#[derive(Debug, Default)]
pub(super) struct Calendars {
    /// By name; `None` where one could not be read, which was reported.
    own: BTreeMap<String, Option<Calendar>>,
}

/// What there is of a name.
pub(super) enum Known {
    /// It.
    Calendar(Calendar),
    /// Something that was reported.
    Bad,
    /// Nothing.
    Nothing,
}

impl Calendars {
    /// Reads the files. They count as files of the configuration: a change of one is a change of it.
    /// `main` is the file that names them.
    pub(super) fn read(
        main: &Path,
        written: &Key<Named<raw::CalendarFile>>,
        reading: &mut Reading,
        report: &mut Report,
    ) -> Self {
        let mut calendars = Self::default();
        let entries = written.value().map_or(&[][..], |named| &named.0);
        if entries.len() > MAX_CALENDARS
            && let Some(At { at, .. }) = written.given()
        {
            let problem = Problem::new(format!("more than {MAX_CALENDARS} calendars"));
            report.error(*at, "calendars", problem.hint("remove some"));
        }
        for (name, file) in entries.iter().take(MAX_CALENDARS) {
            let read = match file {
                Key::Given(file) if is_legal(name, report) => {
                    own(main, name, file, reading, report)
                }
                _ => None,
            };
            calendars.own.insert(name.value.clone(), read);
        }
        calendars
    }

    /// The calendar of that name.
    pub(super) fn find(&self, name: &str) -> Known {
        match (built_in(name), self.own.get(name)) {
            (Some(calendar), _) => Known::Calendar(calendar),
            (None, Some(Some(calendar))) => Known::Calendar(calendar.clone()),
            (None, Some(None)) => Known::Bad,
            (None, None) => Known::Nothing,
        }
    }

    /// The names of those that can be read.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.own.iter().filter(|(_, calendar)| calendar.is_some());
        BUILT_IN
            .into_iter()
            .chain(own.map(|(name, _)| name.as_str()))
    }
}

fn is_legal(name: &At<String>, report: &mut Report) -> bool {
    let problem = if BUILT_IN.contains(&name.value.as_str()) {
        Problem::new("funcron has a calendar of this name itself").hint("choose another name")
    } else if matches!(Item::parse(&name.value), Ok(Item::Calendar(_))) {
        return true;
    } else {
        Problem::new("is no name for a calendar")
            .hint("use a-z, 0-9, dot, dash and underscore, a letter first, and no weekday")
    };
    report.error(name.at, format!("calendars.{}", name.value), problem);
    false
}

fn own(
    main: &Path,
    name: &At<String>,
    file: &At<raw::CalendarFile>,
    reading: &mut Reading,
    report: &mut Report,
) -> Option<Calendar> {
    let path = format!("calendars.{}", name.value);
    let Some(At { value: ics, at }) = file.value.ics.given() else {
        if file.value.ics.is_absent() {
            let problem = Problem::new("names no file");
            report.error(file.at, path, problem.hint("write { ics: PATH }"));
        }
        return None;
    };
    let found = main.parent().unwrap_or(Path::new("")).join(ics);
    reading.sources.look_at(&found);
    if let Err(problem) = file::look_at(&found, ics::MAX_BYTES, "leave out the past") {
        report.error(*at, format!("{path}.ics"), problem);
        return None;
    }
    let number = report.add_file(&found);
    let whole = Position {
        file: number,
        ..Position::default()
    };
    // Should the file have grown since, it is cut off there, and refused as no calendar.
    let text = file::read(&found, whole, reading, report)?;
    match ics::read(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
        Ok(dates) => {
            if dates.is_empty() {
                let problem = Problem::new("the calendar has no days");
                report.warning(whole, path, problem.hint("check the file"));
            }
            Some(Calendar {
                dates,
                ..Calendar::default()
            })
        }
        Err(faults) => {
            for fault in faults {
                let at = Position {
                    line: fault.line,
                    column: u32::from(fault.line > 0),
                    ..whole
                };
                report.error(at, path.clone(), fault.problem);
            }
            None
        }
    }
}

/// What to do about a name that is none.
pub(super) fn hint(name: &str, calendars: &Calendars) -> String {
    match crate::domain::nearest::nearest(name, calendars.names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<String> = calendars.names().take(10).map(quoted).collect();
            format!(
                "there is {}; or add one under `calendars`",
                known.join(", ")
            )
        }
    }
}

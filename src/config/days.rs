//! `except` and `only_on` of a job: items looked at, the calendars they name taken along.

use std::collections::BTreeMap;

use super::calendars::{self, Known};
use super::definition::CalendarText;
use super::draft::Draft;
use super::error::{Position, Problem};
use super::jobs::Maker;
use super::read::{At, Key, List};
use crate::domain::calendar::{BUILT_IN, Item, ItemError};

/// Most items of a list.
const MAX_ITEMS: usize = 500;

/// Most ranges of dates in the calendars of all jobs together: each definition has its own.
const MAX_RANGES: usize = 500_000;

/// The days of a job as its definition has them.
#[derive(Debug, Default)]
pub(super) struct DayTexts {
    pub(super) except: Vec<String>,
    pub(super) only_on: Vec<String>,
    /// Those that the lists name.
    pub(super) calendars: BTreeMap<String, CalendarText>,
    /// Where a calendar of funcron's own is named, whose years come to an end.
    pub(super) built_in: Option<BuiltIn>,
}

/// A built-in calendar that a job names.
#[derive(Clone, Debug)]
pub(super) struct BuiltIn {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) path: String,
}

impl Maker<'_> {
    pub(super) fn days(&mut self, draft: &Draft<'_>) -> DayTexts {
        let mut texts = DayTexts::default();
        texts.except = self.day_list(draft, "except", &draft.raw.except, &mut texts);
        texts.only_on = self.day_list(draft, "only_on", &draft.raw.only_on, &mut texts);
        texts
    }

    fn day_list(
        &mut self,
        draft: &Draft<'_>,
        key: &str,
        list: &Key<List<String>>,
        texts: &mut DayTexts,
    ) -> Vec<String> {
        let Some(At { value: list, at }) = list.given() else {
            return Vec::new();
        };
        if list.0.len() > MAX_ITEMS {
            let problem = Problem::new(format!("more than {MAX_ITEMS} items"));
            let hint = "use ranges, or an iCalendar file under `calendars`";
            draft.error(self.report, *at, key, problem.hint(hint));
            return Vec::new();
        }
        let mut items = Vec::with_capacity(list.0.len());
        for (index, item) in list.0.iter().enumerate() {
            let key = format!("{key}[{index}]");
            match Item::parse(&item.value) {
                Ok(Item::Dates(range)) => items.push(range.to_string()),
                Ok(Item::Weekdays(_)) => items.push(item.value.to_ascii_lowercase()),
                Ok(Item::Calendar(name)) => {
                    if self.calendar(draft, &key, &name, item.at, texts) {
                        items.push(name.into());
                    }
                }
                Err(ItemError { message, hint }) => {
                    let problem = Problem::new(message).hint(hint);
                    draft.error(self.report, item.at, &key, problem);
                }
            }
        }
        items
    }

    /// Takes a calendar along; `false` where there is none.
    fn calendar(
        &mut self,
        draft: &Draft<'_>,
        key: &str,
        name: &str,
        at: Position,
        texts: &mut DayTexts,
    ) -> bool {
        let calendar = match self.calendars.find(name) {
            Known::Calendar(calendar) => calendar,
            Known::Bad => return false,
            Known::Nothing => {
                let problem = Problem::new("there is no calendar of this name")
                    .hint(calendars::hint(name, self.calendars));
                draft.error(self.report, at, key, problem);
                return false;
            }
        };
        if BUILT_IN.contains(&name) && texts.built_in.is_none() {
            texts.built_in = Some(BuiltIn {
                name: name.to_owned(),
                at,
                path: draft.path(key, at.in_defaults),
            });
        }
        if texts.calendars.contains_key(name) {
            return true;
        }
        self.ranges += calendar.ranges();
        if self.ranges > MAX_RANGES {
            let problem = Problem::new(format!(
                "with this job its calendars have more than {MAX_RANGES} ranges of dates"
            ));
            let hint = "leave the past out of the calendars";
            draft.error(self.report, at, key, problem.hint(hint));
            return false;
        }
        texts
            .calendars
            .insert(name.to_owned(), CalendarText::from(&calendar));
        true
    }
}

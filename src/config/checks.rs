//! The values of a job, one check each. All are made before any is given up on, so that all that
//! is wrong is told at once.

use jiff::civil::date;

use super::definition::Definition;
use super::draft::Draft;
use super::error::{Position, Problem, quoted};
use super::jobs::Maker;
use super::read::{At, Key};
use super::value::place;
use super::{kwargs, lint};
use crate::domain::calendar::YEARS;
use crate::domain::expect::{ExpectError, Expectation};
use crate::domain::nearest::nearest;
use crate::domain::schedule::Schedule;
use crate::domain::secret::SecretRef;
use crate::domain::template::{KwargsTemplate, TemplateError};
use crate::domain::workspace::WorkspaceName;

impl Maker<'_> {
    pub(super) fn workspace(&mut self, draft: &Draft<'_>) -> Option<WorkspaceName> {
        let At { value, at } = match &draft.raw.workspace {
            Key::Given(workspace) => workspace,
            Key::Bad => return None,
            Key::Absent => {
                let problem = Problem::new("the job names no workspace");
                let hint = match self.workspaces {
                    [] => "add a workspace under `workspaces` and name it here".to_owned(),
                    [only] => format!("add `workspace: {only}` to it or to `defaults`"),
                    _ => "add `workspace: …` to it or to `defaults`".to_owned(),
                };
                self.report
                    .error(draft.at, draft.path.clone(), problem.hint(hint));
                return None;
            }
        };
        let named = |known: &WorkspaceName| known.0.as_ref().cmp(value.as_str());
        if let Ok(found) = self.workspaces.binary_search_by(named) {
            return self.workspaces.get(found).cloned();
        }
        let known = || self.workspaces.iter().map(|name| &*name.0);
        let near = (!self.report.is_full()).then(|| nearest(value, known()));
        let hint = match near.flatten() {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.workspaces.is_empty() => "add one under `workspaces`".to_owned(),
            None => format!(
                "there is {}",
                known().take(10).map(quoted).collect::<Vec<_>>().join(", ")
            ),
        };
        let problem = Problem::new("there is no workspace of this name");
        draft.error(self.report, *at, "workspace", problem.hint(hint));
        None
    }

    pub(super) fn func_id(&mut self, draft: &Draft<'_>) -> Option<String> {
        /// As the engine's column is wide.
        const LONGEST: usize = 256;
        match &draft.raw.func_id {
            Key::Given(id @ At { value, at }) => {
                let legal = !value.is_empty()
                    && value.chars().count() <= LONGEST
                    && !value.contains(|c: char| c.is_whitespace() || c.is_control());
                if !legal {
                    let problem = Problem::new("is no function's id")
                        .hint("write set__script.function, such as guance__openapi.report_event");
                    draft.error(self.report, *at, "func_id", problem);
                    return None;
                }
                let path = draft.path("func_id", at.in_defaults);
                lint::func_id(id, path, self.report);
                Some(value.clone())
            }
            Key::Bad => None,
            Key::Absent => {
                let problem = Problem::new("the job names no function")
                    .hint("add func_id: set__script.function");
                self.report.error(draft.at, draft.path.clone(), problem);
                None
            }
        }
    }

    pub(super) fn expressions(&mut self, draft: &Draft<'_>) -> Option<(Vec<String>, Position)> {
        match &draft.raw.schedule {
            Key::Given(At { value, at }) if value.0.is_empty() => {
                let problem =
                    Problem::new("the list is empty").hint("name a time, or write \"@manual\"");
                draft.error(self.report, *at, "schedule", problem);
                None
            }
            Key::Given(At { value, at: list }) => {
                let texts = value.0.iter().map(|one| one.value.text.clone()).collect();
                Some((texts, *list))
            }
            Key::Bad => None,
            Key::Absent => {
                let problem = Problem::new("the job has no schedule")
                    .hint("add one, such as schedule: \"0 2 * * *\", or \"@manual\"");
                self.report.error(draft.at, draft.path.clone(), problem);
                None
            }
        }
    }

    /// The zone's name, looked up here for a suggestion the schedule's parser cannot give.
    pub(super) fn timezone(&mut self, draft: &Draft<'_>) -> Option<String> {
        let Some(At { value, at }) = draft.raw.timezone.given() else {
            let unreadable = matches!(draft.raw.timezone, Key::Bad);
            return (!unreadable).then(|| "UTC".to_owned());
        };
        if jiff::tz::TimeZone::get(value).is_ok() {
            return Some(value.clone());
        }
        let zones = self.zones.get_or_insert_with(|| {
            jiff::tz::db()
                .available()
                .map(|name| name.to_string())
                .collect()
        });
        let near = if self.report.is_full() {
            None
        } else {
            nearest(value, zones.iter().map(String::as_str))
        };
        let problem = Problem::new("there is no such time zone");
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write an IANA name, such as Asia/Shanghai or UTC".to_owned(),
        };
        draft.error(self.report, *at, "timezone", problem.hint(hint));
        None
    }

    pub(super) fn schedule(
        &mut self,
        draft: &Draft<'_>,
        definition: &Definition,
    ) -> Option<Schedule> {
        let words = definition.schedule_words();
        if let Some(known) = words
            .as_deref()
            .and_then(|words| self.alike.schedule(words))
        {
            return Some(known);
        }
        // What is wrong with the lists was told item by item.
        let days = definition.days().ok()?;
        let has_days = days.first_open_day(date(*YEARS.start(), 1, 1)).is_some();
        if !has_days {
            self.no_day(draft);
        }
        let errors = match definition.schedule(days) {
            Ok(schedule) => {
                if let Some(words) = words.filter(|_| has_days) {
                    self.alike.keep_schedule(words, &schedule);
                }
                return Some(schedule);
            }
            Err(errors) => errors,
        };
        let written = draft.raw.schedule.given()?;
        for error in errors {
            let (mut at, mut key) = (written.at, "schedule".to_owned());
            if let Some(index) = error.expression
                && let Some(expression) = written.value.0.get(index)
            {
                at = expression.at;
                // Of a list the item is named, of a single text the key.
                if at != written.at {
                    key = format!("schedule[{index}]");
                }
                if let (Some(offset), Some(span)) = (expression.value.offset, error.span) {
                    let before = expression.value.text.get(..span.start).unwrap_or("");
                    at.column += offset + u32::try_from(before.chars().count()).unwrap_or(0);
                }
            }
            let problem = Problem {
                message: error.message,
                hint: error.hint,
            };
            draft.error(self.report, at, &key, problem);
        }
        None
    }

    fn no_day(&mut self, draft: &Draft<'_>) {
        let raw = &draft.raw;
        let (key, list) = if raw.except.given().is_some() {
            ("except", &raw.except)
        } else {
            ("only_on", &raw.only_on)
        };
        let problem = Problem::new("except and only_on leave no day at all")
            .hint("leave some, or write enabled: false");
        draft.error(self.report, place(list, draft.at), key, problem);
    }

    pub(super) fn secret_kwargs(&mut self, draft: &Draft<'_>) -> Vec<(String, SecretRef)> {
        let mut secrets = Vec::new();
        let open = kwargs::names(&draft.kwargs);
        let entries = draft.raw.secret_kwargs.value().map(|named| &named.0);
        for (name, secret) in entries.into_iter().flatten() {
            let path = draft.path(
                &format!("secret_kwargs.{}", name.value),
                name.at.in_defaults,
            );
            if open.contains(name.value.as_str()) {
                let problem = Problem::new(format!("{} is in kwargs too", quoted(&name.value)));
                self.report
                    .error(name.at, path, problem.hint("keep one of the two"));
            }
            if let Some(secret) = secret.value() {
                secrets.push((name.value.clone(), secret.clone()));
            }
        }
        secrets
    }

    pub(super) fn expect(&mut self, draft: &Draft<'_>) -> Option<Vec<Expectation>> {
        let list = draft.raw.expect.value().map(|list| list.0.as_slice());
        let mut compiled = Vec::new();
        let mut whole = true;
        for (index, At { value, at }) in list.unwrap_or_default().iter().enumerate() {
            match self.alike.expectation(value) {
                Ok(expectation) => compiled.push(expectation),
                Err(error) => {
                    let key = format!("expect[{index}]");
                    let ExpectError { message, hint } = error;
                    draft.error(self.report, *at, &key, Problem { message, hint });
                    whole = false;
                }
            }
        }
        whole.then_some(compiled)
    }

    pub(super) fn template(&mut self, draft: &Draft<'_>) -> Option<KwargsTemplate> {
        let errors = match KwargsTemplate::parse(&draft.kwargs) {
            Ok(template) => return Some(template),
            Err(errors) => errors,
        };
        for error in errors {
            let path = match error.path.as_str() {
                "" => "kwargs".to_owned(),
                below => format!("kwargs.{below}"),
            };
            let found = draft.kwargs_nodes.iter().find_map(|(node, in_defaults)| {
                let node = kwargs::find(*node, &path)?;
                Some(Position {
                    in_defaults: *in_defaults,
                    ..node.at()
                })
            });
            let at = found.unwrap_or_else(|| place(&draft.raw.kwargs, draft.at));
            let TemplateError { message, hint, .. } = error;
            draft.error(self.report, at, &path, Problem { message, hint });
        }
        None
    }

    /// The bounds against each other. An end before its start is told here and taken out, so that the
    /// schedule does not tell it again.
    pub(super) fn bounds(&mut self, draft: &mut Draft<'_>) {
        if let (Some(start), Some(end)) = (draft.raw.starts_at.given(), draft.raw.ends_at.given())
            && start.value.0 > end.value.0
        {
            let problem = Problem::new("the end lies before the start, starts_at")
                .hint("exchange them, or remove one");
            draft.error(self.report, end.at, "ends_at", problem);
            draft.raw.ends_at = Key::Bad;
        }
    }
}

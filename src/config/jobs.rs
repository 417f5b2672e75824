//! Jobs as written → [`Job`]s: defaults merged, every value checked against the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::definition::{
    self, CatchupText, Definition, DstText, DurationText, GapText, InstantText, KwargsText,
    OverlapText, RepeatText,
};
use super::error::{Position, Problem, Report, nearest, quoted};
use super::read::{At, Key};
use super::tree::{Node, Tree};
use super::value::{CatchupWord, GapWord, RepeatWord, ReturnTypeWord, Subtree, place};
use super::{kwargs, lint, raw, retry, unsupported};
use crate::domain::expect::Expectation;
use crate::domain::job::{Job, JobName, Overlap, ReturnType};
use crate::domain::json::Json;
use crate::domain::secret::SecretRef;
use crate::domain::template::{KwargsTemplate, TemplateError};
use crate::domain::workspace::WorkspaceName;

/// Most schedules, templates and expectations of all jobs together: what is compiled of them is
/// a hundred times their text.
const MAX_COMPILED: usize = 50_000;

/// Longest expression of a schedule, in bytes; a full list of minutes has 170.
const MAX_EXPRESSION: usize = 1000;

const MINUTE: Duration = Duration::from_secs(60);

/// Makes jobs, one after another.
pub(super) struct Maker<'a> {
    /// By the file's number; a file that could not be parsed has none.
    pub(super) trees: &'a [Option<Tree>],
    /// Whether there is such a workspace; those with faults are among them.
    pub(super) workspaces: &'a [String],
    pub(super) defaults: raw::Defaults,
    pub(super) report: &'a mut Report,
    names: HashMap<String, Position>,
    compiled: usize,
    /// Looked up once, when the first zone is unknown.
    zones: Option<Vec<String>>,
}

/// A job and where its schedule stands, unless it is one of manual starts alone.
pub(super) struct Made {
    pub(super) job: Job,
    pub(super) schedule_at: Option<Position>,
}

/// One job while it is being made.
struct Draft<'t> {
    raw: raw::Job,
    at: Position,
    /// `jobs.nightly`, or `jobs[3]` where it has no name.
    path: String,
    kwargs: Json,
    /// Where kwargs are written, the job's own first: to find a template by its path.
    kwargs_nodes: Vec<(Node<'t>, bool)>,
    labels: BTreeMap<String, String>,
}

impl Draft<'_> {
    /// The path of one of its keys, which may have come from `defaults`.
    fn path(&self, key: &str, in_defaults: bool) -> String {
        if in_defaults {
            format!("defaults.{key}")
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn error(&self, report: &mut Report, at: Position, key: &str, problem: Problem) {
        report.error(at, self.path(key, at.in_defaults), problem);
    }
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        trees: &'a [Option<Tree>],
        workspaces: &'a [String],
        mut defaults: raw::Defaults,
        report: &'a mut Report,
    ) -> Self {
        unsupported::in_defaults(&mut defaults, report);
        unfold(
            &mut defaults.funcBody,
            &mut defaults.kwargs,
            &mut defaults.return_type,
            "defaults",
            report,
        );
        Self {
            trees,
            workspaces,
            defaults,
            report,
            names: HashMap::new(),
            compiled: 0,
            zones: None,
        }
    }

    /// Makes the job, or reports why not. `index` counts within its file.
    pub(super) fn make(
        &mut self,
        index: usize,
        At { value: raw, at }: At<raw::Job>,
    ) -> Option<Made> {
        let name = self.name(&raw.name, index, at);
        let path = match &raw.name {
            Key::Given(name) => format!("jobs.{}", name.value),
            Key::Absent | Key::Bad => format!("jobs[{index}]"),
        };
        let mut draft = self.draft(raw, at, path)?;
        if !self.can_compile(&draft) {
            return None;
        }
        let workspace = self.workspace(&draft);
        let func_id = self.func_id(&draft);
        let schedule = self.schedule_texts(&draft);
        let timezone = self.timezone(&draft);
        let secret_kwargs = self.secret_kwargs(&draft);
        let retry = retry::policy(&draft.raw, |key, d| draft.path(key, d), self.report);
        let expect = self.expect(&draft);
        let template = self.template(&draft);
        self.times(&draft);
        lint::job(&draft.raw, |key, d| draft.path(key, d), self.report);
        let (schedule_texts, schedule_at) = schedule?;
        let is_manual = schedule_texts.iter().all(|text| text.trim() == "@manual");
        let definition = Definition {
            name: name.as_ref().map_or("", JobName::as_str).to_owned(),
            description: draft.raw.description.value().cloned(),
            labels: draft
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().into()))
                .collect(),
            enabled: draft.raw.enabled.value().copied().unwrap_or(true),
            workspace: workspace.clone().unwrap_or_default(),
            func_id: func_id.clone().unwrap_or_default(),
            kwargs: KwargsText(Some(std::mem::replace(&mut draft.kwargs, Json::Null))),
            secret_kwargs: secret_kwargs
                .iter()
                .map(|(key, secret)| (key.clone(), definition::reference(secret)))
                .collect(),
            return_type: draft
                .raw
                .return_type
                .value()
                .map(|word| return_type(*word).as_str().to_owned()),
            schedule: schedule_texts,
            timezone: timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
            dst: dst(&draft.raw),
            starts_at: draft
                .raw
                .starts_at
                .value()
                .map(|instant| InstantText(instant.0)),
            ends_at: draft
                .raw
                .ends_at
                .value()
                .map(|instant| InstantText(instant.0)),
            overlap: OverlapText::Skip,
            catchup: match draft.raw.catchup.value() {
                Some(CatchupWord::None) => CatchupText::None,
                _ => CatchupText::Latest,
            },
            catchup_window: DurationText(
                draft
                    .raw
                    .catchup_window
                    .value()
                    .map_or(60 * MINUTE, |span| span.0),
            ),
            start_deadline: DurationText(
                draft
                    .raw
                    .start_deadline
                    .value()
                    .map_or(5 * MINUTE, |span| span.0),
            ),
            timeout: DurationText(draft.raw.timeout.value().map_or(MINUTE, |span| span.0)),
            deadline: DurationText(
                draft
                    .raw
                    .deadline
                    .value()
                    .map_or(15 * MINUTE, |span| span.0),
            ),
            idempotent: draft.raw.idempotent.value().copied().unwrap_or(false),
            retry: retry::text(&retry),
            expect: draft.raw.expect.value().map_or_else(Vec::new, |list| {
                list.0
                    .iter()
                    .map(|At { value, .. }| value.clone())
                    .collect()
            }),
        };
        let schedule = self.schedule(&draft, &definition)?;
        let text = self.definition_text(&draft, &definition)?;
        let hash = definition::hash(&text);
        let catchup = definition.catchup();
        let job = Job {
            name: name?,
            description: definition.description,
            labels: draft.labels,
            enabled: definition.enabled,
            workspace: WorkspaceName(workspace?.into()),
            func_id: func_id?.into(),
            kwargs: template?,
            secret_kwargs,
            return_type: draft.raw.return_type.value().map(|word| return_type(*word)),
            schedule,
            overlap: Overlap::Skip,
            catchup,
            catchup_window: definition.catchup_window.0,
            start_deadline: definition.start_deadline.0,
            timeout: definition.timeout.0,
            deadline: definition.deadline.0,
            idempotent: definition.idempotent,
            retry,
            expect: expect?,
            hash,
            definition: Arc::from(text),
        };
        timezone.is_some().then_some(Made {
            job,
            schedule_at: (!is_manual).then_some(schedule_at),
        })
    }

    fn name(&mut self, name: &Key<String>, index: usize, job: Position) -> Option<JobName> {
        let path = format!("jobs[{index}]");
        let At { value: name, at } = match name {
            Key::Given(name) => name,
            Key::Bad => return None,
            Key::Absent => {
                let problem = Problem::new("the job has no name");
                self.report
                    .error(job, path, problem.hint("add one: name: nightly-report"));
                return None;
            }
        };
        let Some(parsed) = JobName::parse(name) else {
            let problem = Problem::new("wants 1 to 128 of a-z, 0-9, dot, dash and underscore");
            let problem = match suggested_name(name) {
                Some(suggestion) => problem.hint(format!("write {suggestion}")),
                None => problem,
            };
            self.report.error(*at, format!("{path}.name"), problem);
            return None;
        };
        if let Some(first) = self.names.insert(name.clone(), *at) {
            let file = self.report.file_of(first).display().to_string();
            let problem = Problem::new(format!("there is another job {}", quoted(name)))
                .hint(format!("the first is at {file}:{}; rename one", first.line));
            self.report.error(*at, format!("jobs.{name}.name"), problem);
            return None;
        }
        Some(parsed)
    }

    /// Merges the defaults in and reads the kwargs. `None` where those could not be read.
    fn draft(&mut self, mut raw: raw::Job, at: Position, path: String) -> Option<Draft<'a>> {
        unsupported::in_job(&mut raw, &path, self.report);
        unfold(
            &mut raw.funcBody,
            &mut raw.kwargs,
            &mut raw.return_type,
            &path,
            self.report,
        );
        let (own_kwargs, own_labels) = (raw.kwargs.clone(), raw.labels.clone());
        if let (Key::Given(own), Key::Given(theirs)) = (&mut raw.retry, &self.defaults.retry) {
            retry::inherit(&mut own.value, &theirs.value);
        }
        if let (Key::Given(own), Key::Given(theirs)) = (&mut raw.dst, &self.defaults.dst) {
            own.value.gap.inherit(&theirs.value.gap);
            own.value.overlap.inherit(&theirs.value.overlap);
        }
        raw.inherit(&self.defaults);
        let mut draft = Draft {
            raw,
            at,
            path,
            kwargs: Json::Object(Vec::new()),
            kwargs_nodes: Vec::new(),
            labels: BTreeMap::new(),
        };
        let own = self.kwargs(&mut draft, &own_kwargs, false);
        let defaults = self.defaults.kwargs.clone();
        let theirs = self.kwargs(&mut draft, &defaults, true);
        draft.kwargs = kwargs::merge(own?, theirs?);
        for labels in [&self.defaults.labels, &own_labels] {
            for (name, value) in labels.value().iter().flat_map(|labels| &labels.0) {
                if let Some(value) = value.value() {
                    draft.labels.insert(name.value.clone(), value.clone());
                }
            }
        }
        Some(draft)
    }

    fn kwargs(
        &mut self,
        draft: &mut Draft<'a>,
        key: &Key<Subtree>,
        in_defaults: bool,
    ) -> Option<Json> {
        let Some(At { value, .. }) = key.given() else {
            return Some(Json::Object(Vec::new()));
        };
        let trees: &'a [Option<Tree>] = self.trees;
        let node = trees.get(usize::from(value.file))?.as_ref()?.node(value.id);
        draft.kwargs_nodes.push((node, in_defaults));
        kwargs::read(node, &draft.path("kwargs", in_defaults), self.report)
    }

    fn workspace(&mut self, draft: &Draft<'_>) -> Option<String> {
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
        if self.workspaces.iter().any(|known| known == value) {
            return Some(value.clone());
        }
        let known = || self.workspaces.iter().map(String::as_str);
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

    fn func_id(&mut self, draft: &Draft<'_>) -> Option<String> {
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

    fn schedule_texts(&mut self, draft: &Draft<'_>) -> Option<(Vec<String>, Position)> {
        match &draft.raw.schedule {
            Key::Given(At { value, at }) if value.0.is_empty() => {
                let problem =
                    Problem::new("the list is empty").hint("name a time, or write \"@manual\"");
                draft.error(self.report, *at, "schedule", problem);
                None
            }
            Key::Given(At { value, at: list }) => {
                let too_long = value
                    .0
                    .iter()
                    .find(|one| one.value.text.len() > MAX_EXPRESSION);
                if let Some(At { at, .. }) = too_long {
                    let problem = Problem::new(format!("longer than {MAX_EXPRESSION} bytes"))
                        .hint("use ranges and steps, or a list of expressions");
                    draft.error(self.report, *at, "schedule", problem);
                    return None;
                }
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
    fn timezone(&mut self, draft: &Draft<'_>) -> Option<String> {
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

    fn schedule(
        &mut self,
        draft: &Draft<'_>,
        definition: &Definition,
    ) -> Option<crate::domain::schedule::Schedule> {
        let errors = match definition.schedule() {
            Ok(schedule) => return Some(schedule),
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

    fn secret_kwargs(&mut self, draft: &Draft<'_>) -> Vec<(String, SecretRef)> {
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

    fn expect(&mut self, draft: &Draft<'_>) -> Option<Vec<Expectation>> {
        let list = draft.raw.expect.value().map(|list| list.0.as_slice());
        let mut compiled = Vec::new();
        let mut whole = true;
        for (index, At { value, at }) in list.unwrap_or_default().iter().enumerate() {
            match Expectation::parse(value) {
                Ok(expectation) => compiled.push(expectation),
                Err(error) => {
                    let key = format!("expect[{index}]");
                    draft.error(self.report, *at, &key, template_problem(error));
                    whole = false;
                }
            }
        }
        whole.then_some(compiled)
    }

    fn template(&mut self, draft: &Draft<'_>) -> Option<KwargsTemplate> {
        let errors = match KwargsTemplate::parse(&draft.kwargs) {
            Ok(template) => return Some(template),
            Err(errors) => errors,
        };
        for error in errors {
            let found = draft.kwargs_nodes.iter().find_map(|(node, in_defaults)| {
                let node = kwargs::find(*node, &error.path)?;
                Some(Position {
                    in_defaults: *in_defaults,
                    ..node.at()
                })
            });
            let at = found.unwrap_or_else(|| place(&draft.raw.kwargs, draft.at));
            let path = error.path.clone();
            draft.error(self.report, at, &path, template_problem(error));
        }
        None
    }

    /// The bounds and limits against each other.
    fn times(&mut self, draft: &Draft<'_>) {
        if let (Some(start), Some(end)) = (draft.raw.starts_at.given(), draft.raw.ends_at.given())
            && start.value.0 > end.value.0
        {
            let problem = Problem::new("the end lies before the start, starts_at")
                .hint("exchange them, or remove one");
            draft.error(self.report, end.at, "ends_at", problem);
        }
    }

    fn definition_text(&mut self, draft: &Draft<'_>, definition: &Definition) -> Option<String> {
        definition
            .to_json()
            .inspect_err(|error| {
                let problem = Problem::new(format!("cannot be written as JSON: {error}"));
                self.report.error(draft.at, draft.path.clone(), problem);
            })
            .ok()
    }

    /// Counts what is to be compiled for a job; `false` once it is too much.
    fn can_compile(&mut self, draft: &Draft<'_>) -> bool {
        self.compiled += draft.raw.schedule.value().map_or(0, |list| list.0.len())
            + draft.raw.expect.value().map_or(0, |list| list.0.len())
            + kwargs::count_templates(&draft.kwargs);
        if !self.is_exhausted() {
            return true;
        }
        let problem = Problem::new(format!(
            "with this job there are more than {MAX_COMPILED} schedules, templates and expectations"
        ));
        let hint = "share the jobs out among several daemons";
        self.report
            .error(draft.at, draft.path.clone(), problem.hint(hint));
        false
    }

    /// Whether making more is pointless.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.compiled > MAX_COMPILED
    }
}

/// Moves what stands in `funcBody` to the keys it stands for.
fn unfold(
    func_body: &mut Key<raw::FuncBody>,
    kwargs: &mut Key<Subtree>,
    return_type: &mut Key<ReturnTypeWord>,
    path: &str,
    report: &mut Report,
) {
    let Key::Given(At { value: body, .. }) = std::mem::take(func_body) else {
        return;
    };
    let options = match body.options {
        Key::Given(At { value, .. }) => value.returnType,
        Key::Absent | Key::Bad => Key::Absent,
    };
    take_over(
        kwargs,
        body.kwargs,
        &format!("{path}.funcBody.kwargs"),
        report,
    );
    take_over(
        return_type,
        options,
        &format!("{path}.funcBody.options.returnType"),
        report,
    );
}

fn take_over<T>(key: &mut Key<T>, from: Key<T>, path: &str, report: &mut Report) {
    match (&*key, &from) {
        (Key::Absent, _) => *key = from,
        (_, Key::Given(At { at, .. })) => {
            let problem = Problem::new("is given outside of funcBody too");
            report.error(*at, path, problem.hint("keep one of the two"));
        }
        (_, Key::Absent | Key::Bad) => {}
    }
}

fn dst(raw: &raw::Job) -> DstText {
    let written = raw.dst.value();
    DstText {
        gap: match written.and_then(|dst| dst.gap.value()) {
            Some(GapWord::Skip) => GapText::Skip,
            Some(GapWord::RunAfter) | None => GapText::RunAfter,
        },
        overlap: match written.and_then(|dst| dst.overlap.value()) {
            Some(RepeatWord::Last) => RepeatText::Last,
            Some(RepeatWord::Both) => RepeatText::Both,
            Some(RepeatWord::First) | None => RepeatText::First,
        },
    }
}

const fn return_type(word: ReturnTypeWord) -> ReturnType {
    match word {
        ReturnTypeWord::Raw => ReturnType::Raw,
        ReturnTypeWord::JsonDumps => ReturnType::JsonDumps,
        ReturnTypeWord::All => ReturnType::All,
        ReturnTypeWord::Repr => ReturnType::Repr,
    }
}

fn template_problem(error: TemplateError) -> Problem {
    Problem {
        message: error.message,
        hint: error.hint,
    }
}

/// A legal name near the one written.
fn suggested_name(name: &str) -> Option<String> {
    let near: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c == ' ' || c == '/' { '-' } else { c })
        .collect();
    JobName::parse(&near).map(|near| near.to_string())
}

//! Jobs as written → [`Job`]s: defaults merged, every value checked against the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::alike::{Alike, Policies};
use super::calendars::Calendars;
use super::days::{BuiltIn, DayTexts};
use super::definition::{
    self, CatchupText, Definition, DstText, DurationText, GapText, InstantText, KwargsText,
    OverlapText, RepeatText,
};
use super::draft::{Draft, unfold};
use super::error::{Position, Problem, Report, quoted};
use super::read::{At, Key};
use super::tree::Tree;
use super::value::{Instant, Span};
use super::words::{CatchupWord, GapWord, OverlapWord, RepeatWord, ReturnTypeWord};
use super::{RunningJobs, kwargs, lint, raw, retry, unsupported};
use crate::domain::expect::Expectation;
use crate::domain::job::{Job, JobName, RetryPolicy, ReturnType};
use crate::domain::json::Json;
use crate::domain::schedule::Schedule;
use crate::domain::secret::SecretRef;
use crate::domain::template::KwargsTemplate;
use crate::domain::workspace::WorkspaceName;

/// Most schedules, templates and expectations of all jobs together, three for each of the jobs that a
/// configuration may have: each is tried, which takes a hundred times as long as to read its text.
const MAX_COMPILED: usize = 300_000;

const MINUTE: Duration = Duration::from_secs(60);

/// Makes jobs, one after another.
pub(super) struct Maker<'a> {
    /// By the file's number; a file that could not be parsed has none.
    pub(super) trees: &'a [Option<Tree>],
    /// Whether there is such a workspace; those with faults are among them.
    pub(super) workspaces: &'a [WorkspaceName],
    pub(super) defaults: raw::Defaults,
    pub(super) calendars: &'a Calendars,
    running: &'a RunningJobs,
    pub(super) report: &'a mut Report,
    /// Ranges of dates in the calendars that jobs name, each counted with every job.
    pub(super) ranges: usize,
    names: HashMap<JobName, Position>,
    pub(super) alike: Alike,
    compiled: usize,
    /// Looked up once, when the first zone is unknown.
    pub(super) zones: Option<Vec<String>>,
}

/// A job and where its schedule stands, unless it is one of manual starts alone.
pub(super) struct Made {
    pub(super) job: Arc<Job>,
    pub(super) schedule_at: Option<Position>,
    /// Where it names a calendar of funcron's own.
    pub(super) built_in: Option<Box<BuiltIn>>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        trees: &'a [Option<Tree>],
        workspaces: &'a [WorkspaceName],
        calendars: &'a Calendars,
        mut defaults: raw::Defaults,
        running: &'a RunningJobs,
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
            calendars,
            running,
            report,
            ranges: 0,
            names: HashMap::new(),
            alike: Alike::default(),
            compiled: 0,
            zones: None,
        }
    }

    /// Makes the job, or reports why not.
    pub(super) fn make(&mut self, place: raw::JobPlace) -> Option<Made> {
        let At { value: raw, at } = place.read(self.trees, self.report)?;
        let index = place.index;
        let name = self.name(&raw.name, index, at);
        let path = match &raw.name {
            Key::Given(name) => format!("jobs.{}", name.value),
            Key::Absent | Key::Bad => format!("jobs[{index}]"),
        };
        let mut draft = self.draft(raw, at, path)?;
        if !self.can_compile(&draft) {
            return None;
        }
        self.bounds(&mut draft);
        let checked = self.check(name, &draft);
        let days = self.days(&draft);
        let built_in = days.built_in.clone().map(Box::new);
        let (expressions, schedule_at) = self.expressions(&draft)?;
        let is_manual = expressions.iter().all(|text| text.trim() == "@manual");
        let definition = fill(&mut draft, &checked, days, expressions);
        let schedule = self.schedule(&draft, &definition)?;
        let text = self.definition_text(&draft, &definition)?;
        let job = self.assemble(draft, checked, schedule, &definition, &text)?;
        let running = self.running.get(&job.name);
        let job = match running.filter(|running| running.hash == job.hash) {
            Some(running) => running.clone(),
            None => Arc::new(job),
        };
        Some(Made {
            job,
            schedule_at: (!is_manual).then_some(schedule_at),
            built_in,
        })
    }

    fn check(&mut self, name: Option<JobName>, draft: &Draft<'_>) -> Checked {
        let path = |key: &str, in_defaults: bool| draft.path(key, in_defaults);
        lint::job(&draft.raw, path, self.report);
        Checked {
            name,
            workspace: self.workspace(draft),
            func_id: self.func_id(draft),
            timezone: self.timezone(draft),
            secret_kwargs: self.secret_kwargs(draft),
            retry: retry::policy(&draft.raw, path, self.report),
            expect: self.expect(draft),
            template: self.template(draft),
        }
    }

    fn name(&mut self, name: &Key<String>, index: u32, job: Position) -> Option<JobName> {
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
        if let Some(first) = self.names.insert(parsed.clone(), *at) {
            let file = self.report.file_of(first).display().to_string();
            let problem = Problem::new(format!("there is another job {}", quoted(name)))
                .hint(format!("the first is at {file}:{}; rename one", first.line));
            self.report.error(*at, format!("jobs.{name}.name"), problem);
            return None;
        }
        Some(parsed)
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

    fn assemble(
        &mut self,
        draft: Draft<'_>,
        checked: Checked,
        schedule: Schedule,
        definition: &Definition,
        text: &str,
    ) -> Option<Job> {
        // Checked last because it has a stand-in above.
        checked.timezone?;
        let (name, workspace) = (checked.name?, checked.workspace?);
        let (func_id, kwargs, expect) = (checked.func_id?, checked.template?, checked.expect?);
        let halves = definition::halves(text);
        let (shared, policies) = self.alike.policies(halves, || Policies {
            retry: Arc::new(checked.retry),
            expect: expect.into(),
        });
        Some(Job {
            name,
            description: definition.description.clone(),
            labels: draft.labels,
            enabled: definition.enabled,
            workspace,
            func_id: func_id.into(),
            kwargs,
            secret_kwargs: checked.secret_kwargs,
            return_type: return_type(&draft.raw),
            schedule,
            spread: definition.spread(),
            overlap: definition.overlap(),
            catchup: definition.catchup(),
            catchup_window: definition.catchup_window.0,
            max_catchup: definition.max_catchup(),
            start_deadline: definition.start_deadline.0,
            timeout: definition.timeout.0,
            deadline: definition.deadline.0,
            idempotent: definition.idempotent,
            retry: policies.retry,
            expect: policies.expect,
            hash: definition::hash(text),
            definition: shared,
        })
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

/// The values of a job that had to be looked at; those with faults are missing.
struct Checked {
    name: Option<JobName>,
    workspace: Option<WorkspaceName>,
    func_id: Option<String>,
    timezone: Option<String>,
    secret_kwargs: Vec<(String, SecretRef)>,
    retry: RetryPolicy,
    expect: Option<Vec<Expectation>>,
    template: Option<KwargsTemplate>,
}

/// Fills every default in. What has a fault is empty: the definition then only serves to look at
/// the schedule. Takes the kwargs out of the draft, which may be large.
fn fill(
    draft: &mut Draft<'_>,
    checked: &Checked,
    days: DayTexts,
    schedule: Vec<String>,
) -> Definition {
    let kwargs = std::mem::replace(&mut draft.kwargs, Json::Null);
    let raw = &draft.raw;
    let instant = |key: &Key<Instant>| key.value().map(|instant| InstantText(instant.0));
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Definition {
        name: checked.name.as_ref().map_or("", JobName::as_str).to_owned(),
        description: raw.description.value().cloned(),
        labels: draft
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect(),
        enabled: raw.enabled.value().copied().unwrap_or(true),
        workspace: checked
            .workspace
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        func_id: text(&checked.func_id),
        kwargs: KwargsText(kwargs),
        secret_kwargs: checked
            .secret_kwargs
            .iter()
            .map(|(key, secret)| (key.clone(), definition::reference(secret)))
            .collect(),
        return_type: return_type(raw).map(|kind| kind.as_str().to_owned()),
        schedule,
        timezone: checked.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
        dst: dst(raw),
        starts_at: instant(&raw.starts_at),
        ends_at: instant(&raw.ends_at),
        except: days.except,
        only_on: days.only_on,
        calendars: days.calendars,
        spread: raw
            .spread
            .value()
            .filter(|spread| !spread.0.is_zero())
            .map(|spread| DurationText(spread.0)),
        overlap: overlap(raw),
        catchup: match raw.catchup.value() {
            Some(CatchupWord::None) => CatchupText::None,
            Some(CatchupWord::Latest) | None => CatchupText::Latest,
            Some(CatchupWord::All) => CatchupText::All,
        },
        catchup_window: duration(&raw.catchup_window, 60 * MINUTE),
        max_catchup: raw
            .max_catchup
            .value()
            .map(|most| most.0)
            .filter(|most| *most != definition::MAX_CATCHUP),
        start_deadline: duration(&raw.start_deadline, 5 * MINUTE),
        timeout: duration(&raw.timeout, MINUTE),
        deadline: duration(&raw.deadline, 15 * MINUTE),
        idempotent: raw.idempotent.value().copied().unwrap_or(false),
        retry: retry::text(&checked.retry),
        expect: raw.expect.value().map_or_else(Vec::new, |list| {
            list.0.iter().map(|one| one.value.clone()).collect()
        }),
    }
}

fn duration<const MIN: u64, const MAX: u64>(
    key: &Key<Span<MIN, MAX>>,
    default: Duration,
) -> DurationText {
    DurationText(key.value().map_or(default, |span| span.0))
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

fn overlap(raw: &raw::Job) -> OverlapText {
    match raw.overlap.value() {
        Some(OverlapWord::Skip) | None => OverlapText::Skip,
        Some(OverlapWord::QueueOne) => OverlapText::QueueOne,
        Some(OverlapWord::QueueAll) => OverlapText::QueueAll,
        Some(OverlapWord::Allow) => OverlapText::Allow,
        Some(OverlapWord::CancelRunning) => OverlapText::CancelRunning,
    }
}

fn return_type(raw: &raw::Job) -> Option<ReturnType> {
    raw.return_type.value().map(|word| match word {
        ReturnTypeWord::Raw => ReturnType::Raw,
        ReturnTypeWord::JsonDumps => ReturnType::JsonDumps,
        ReturnTypeWord::All => ReturnType::All,
        ReturnTypeWord::Repr => ReturnType::Repr,
    })
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

//! `jobs.yaml` as it is written: every key there is, its type, and what it means.
//!
//! The doc comments of keys are the descriptions in the JSON Schema (`funcron schema`). Keys whose
//! time has not come are here too: their values are checked, and using them is refused elsewhere
//! ([`super::unsupported`]), so that none is ever silently ignored.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::error::{Problem, Report};
use super::read::{At, Context, Key, List, Named, Read, found, section};
use super::scalar::Scalar;
use super::tree::{Kind, Node, NodeId, Tree};
use super::value::{Instant, OneOrMany, Rate, Real, Size, Span, Subtree, Whole};
use super::words::{
    CatchupWord, GapWord, NotifyWord, OverlapWord, RepeatWord, ReturnTypeWord, RoleWord,
};
use crate::domain::outcome::Outcome;
use crate::domain::secret::SecretRef;

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

section! {
    /// funcron's configuration: where functions are called, and when.
    Config("Config") {
        /// The version of this format: 1.
        version: Whole<1, 1>,
        /// The ledger. A relative path counts from this file's directory.
        database: String,
        /// How long calls under way may take to end after SIGTERM.
        drain_timeout: Span<0, HOUR>,
        /// Guance workspaces by a name of your own.
        workspaces: Named<Workspace>,
        /// What jobs share: any job key but name and schedule. kwargs, labels, retry and dst are
        /// merged key by key, others are replaced by the job's own.
        defaults: Defaults,
        /// Calendars of your own by name, for except and only_on.
        calendars: Named<CalendarFile>,
        /// The jobs.
        jobs: Jobs,
        /// More files of jobs and workspaces, such as jobs.d/*.yaml, from this file's directory.
        include: List<String>,
        /// Where alerts go. Not supported yet.
        notifiers: Named<Subtree>,
        /// How long the ledger keeps what.
        retention: Retention,
        /// Pages and API. Not supported yet.
        server: Server,
    }
}

section! {
    /// A calendar of your own.
    CalendarFile("Calendar") {
        /// An iCalendar file of all-day events. A relative path counts from this file's directory.
        ics: String,
    }
}

section! {
    /// An included file.
    Included("Included") {
        /// Guance workspaces by a name of your own.
        workspaces: Named<Workspace>,
        /// The jobs.
        jobs: Jobs,
        /// Where alerts go. Not supported yet.
        notifiers: Named<Subtree>,
    }
}

section! {
    /// A Guance workspace: where its OpenAPI is, with which key, and within which limits.
    Workspace("Workspace") {
        /// Guance's site by name (cn1, us1), TrueWatch's as truewatch-us1.
        site: String,
        /// The OpenAPI's address, where there is no site of a name.
        base_url: String,
        /// The API key: where it is found, never the key itself.
        api_key: SecretRef,
        /// Several keys, to spread calls over.
        api_keys: List<SecretRef>,
        /// Calls in any minute. The documented limits are the default.
        quota: Quota,
        /// Calls under way at once.
        max_in_flight: Whole<1, 1024>,
        /// The longest reply that is read, after decompression.
        max_reply: Size<KIB, { 64 * MIB }>,
        /// Allows plain http to another machine, where everyone on the way can read the key.
        insecure: bool,
        /// A PEM file of certificates to trust besides the system's.
        ca_file: String,
        /// An http proxy. None is used unless named here.
        proxy: String,
    }
}

section! {
    /// Calls in any sliding minute.
    Limits("Limits") {
        /// With one key; 20/min is the documented limit.
        per_key: Rate,
        /// With all keys of the workspace; 200/min is the documented limit.
        per_workspace: Rate,
    }
}

/// The keys of a job that `defaults` may hold too.
macro_rules! job_keys {
    ($(
        $(#[doc = $doc:expr])+
        $key:ident $(| $alias:literal)*: $type:ty
    ),+ $(,)?) => {
        section! {
            /// One job.
            #[expect(non_snake_case, reason = "funcBody is the API document's own spelling")]
            Job("Job") {
                /// Its identity in the ledger, unique: 1 to 128 of a-z, 0-9, dot, dash, underscore.
                name: String,
                /// When it is due: cron with 5 to 7 fields, @daily and the like, @every 30s,
                /// @at INSTANT, @manual; or a list of them.
                schedule: OneOrMany,
                $($(#[doc = $doc])+ $key $(| $alias)*: $type,)+
            }
        }

        section! {
            /// What jobs share.
            #[expect(non_snake_case, reason = "funcBody is the API document's own spelling")]
            Defaults("Defaults") {
                $($(#[doc = $doc])+ $key $(| $alias)*: $type,)+
            }
        }

        impl Job {
            /// Takes over from `defaults` what the job does not say itself.
            pub(super) fn inherit(&mut self, defaults: &Defaults) {
                $(self.$key.inherit(&defaults.$key);)+
            }
        }
    };
}

job_keys! {
    /// Free text for people.
    description: String,
    /// For filters.
    labels: Named<String>,
    /// false: it has no ticks.
    enabled: bool,
    /// Where its calls go: a name under workspaces.
    workspace: String,
    /// The function: set__script.function.
    func_id | "funcId": String,
    /// The API document's form of kwargs and return_type.
    funcBody: FuncBody,
    /// The function's arguments. Texts may hold templates: "{{ scheduled_at }}".
    kwargs: Subtree,
    /// Arguments that are secret: where each is found, never the value itself.
    secret_kwargs: Named<SecretRef>,
    /// How the engine encodes the result. Leave it out: engines differ.
    return_type: ReturnTypeWord,
    /// An IANA time zone, such as Asia/Shanghai.
    timezone | "timeZone": String,
    /// What happens where the wall clock jumps.
    dst: Dst,
    /// No tick before this instant.
    starts_at: Instant,
    /// No tick after this instant.
    ends_at: Instant,
    /// Days without runs: dates, ranges of dates, weekdays, calendars (holidays-cn, workdays-cn or
    /// your own), such as 2026-10-01/2026-10-07, sat-sun.
    except: List<String>,
    /// Days that alone have runs, listed as in except, which goes before it.
    only_on: List<String>,
    /// A run is due after its tick by a delay of the job's own: stable, and less than this.
    spread: Span<0, DAY>,
    /// What a tick does that meets an earlier run of its job: skip; queue_one lets the first wait,
    /// queue_all every one; allow opens it beside; cancel_running cuts the earlier call off.
    overlap: OverlapWord,
    /// What happens to ticks that passed while no daemon ran: none, the latest or all of them run.
    catchup: CatchupWord,
    /// How far back catch-up reaches.
    catchup_window: Span<SECOND, { 366 * DAY }>,
    /// How many ticks of one outage catchup: all runs at most; the newest are kept.
    max_catchup: Whole<1, 10_000>,
    /// How late a run may start; later it is missed.
    start_deadline: Span<SECOND, { 7 * DAY }>,
    /// One attempt: connecting, sending and the whole reply.
    timeout: Span<SECOND, HOUR>,
    /// All attempts of a run together, from the first one's opening.
    deadline: Span<SECOND, { 7 * DAY }>,
    /// true: the call may be repeated although nobody knows whether it took effect.
    idempotent: bool,
    /// When a failed attempt is followed by another.
    retry: Retry,
    /// What a success must satisfy: expressions over result, content, cost_ms, duration_ms.
    expect: List<String>,
    /// What a run should cost at most. Not supported yet.
    budget: Budget,
    /// Whom to tell of what. Not supported yet.
    notify: List<Notify>,
}

section! {
    /// funcBody as the API document has it.
    FuncBody("FuncBody") {
        /// The function's arguments.
        kwargs: Subtree,
        /// Options of the call.
        options: FuncOptions,
    }
}

section! {
    /// funcBody.options as the API document has it.
    #[expect(non_snake_case, reason = "the API document's own spelling")]
    FuncOptions("FuncOptions") {
        /// How the engine encodes the result.
        returnType: ReturnTypeWord,
    }
}

section! {
    /// What happens where the wall clock jumps.
    Dst("Dst") {
        /// To a fixed time that the jump skips.
        gap: GapWord,
        /// To a fixed time that comes twice.
        overlap: RepeatWord,
    }
}

section! {
    /// When a failed attempt is followed by another.
    Retry("Retry") {
        /// Attempts in all, the first one too. Throttled ones are not counted.
        max_attempts: Whole<1, 100>,
        /// The wait before the second attempt.
        initial_delay: Span<100, DAY>,
        /// Each further wait is the one before times this.
        multiplier: Real<1, 100>,
        /// No wait is longer.
        max_delay: Span<100, { 7 * DAY }>,
        /// The share of a wait that is drawn at random: 0.2 is ± 20 %.
        jitter: Real<0, 1>,
        /// The outcomes that are retried, in place of the default list.
        on: List<Outcome>,
        /// Outcomes that are not retried, taken from the list.
        not_on: List<Outcome>,
        /// Whether a retry may open at or after the next tick.
        into_next_tick: bool,
    }
}

section! {
    /// What a run should cost at most.
    Budget("Budget") {
        /// By the reply's own count.
        cost: Span<1, DAY>,
        /// By the clock here.
        duration: Span<1, DAY>,
    }
}

section! {
    /// Whom to tell of what.
    Notify("Notify") {
        /// The events.
        on: List<NotifyWord>,
        /// After how many in a row.
        after: Whole<1, 1000>,
        /// A name under notifiers.
        to: String,
    }
}

section! {
    /// How long the ledger keeps what.
    Retention("Retention") {
        /// Runs that went as they were meant to: success, skipped, cancelled.
        runs: Span<DAY, { 36_500 * DAY }>,
        /// Runs that did not: failed, unknown, missed.
        failures: Span<DAY, { 36_500 * DAY }>,
        /// The texts of requests and replies, of whatever run; lengths and hashes stay.
        bodies: Span<DAY, { 36_500 * DAY }>,
        /// The file as a whole; beyond it there is an alarm, and nothing more is deleted.
        max_size: Size<MIB, { 16 * TIB }>,
    }
}

section! {
    /// Pages and API.
    Server("Server") {
        /// Address and port.
        listen: String,
        /// Who may sign in.
        tokens: List<Token>,
    }
}

section! {
    /// Someone who may sign in.
    Token("Token") {
        /// A name for the record.
        name: String,
        /// What is allowed.
        role: RoleWord,
        /// A hash of the token, never the token itself.
        hash: String,
    }
}

/// `quota`: limits, or `none`.
#[derive(Clone, Debug)]
pub(super) enum Quota {
    /// No limits at all.
    None,
    /// These, and the documented ones where a key is absent.
    Limits(Limits),
}

impl Read for Quota {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        match (node.kind(), Scalar::of(node)) {
            (Kind::Map, _) => Limits::read(node, cx).map(Self::Limits),
            (_, Some(Scalar::Text("none"))) => Some(Self::None),
            _ => {
                let problem = Problem::new(format!("wants a map, or none, not {}", found(node)));
                let hint = "write { per_key: 20/min, per_workspace: 200/min }";
                cx.error(node, problem.hint(hint));
                None
            }
        }
    }
}

impl JsonSchema for Quota {
    fn schema_name() -> Cow<'static, str> {
        "Quota".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "none" }, generator.subschema_for::<Limits>()] })
    }
}

/// `jobs`: a list of places, each read when it is its turn: there may be a hundred thousand, and as it is
/// written a job takes many times the room of what is made of it.
#[derive(Clone, Debug)]
pub(super) struct Jobs(pub(super) Vec<JobPlace>);

/// Where a job is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobPlace {
    /// The file's number in the report.
    file: u16,
    /// The node in that file's tree.
    id: NodeId,
    /// Its number in its own file.
    pub(super) index: u32,
}

impl JobPlace {
    /// Reads the job, below its name, which tells more than its number.
    pub(super) fn read(self, trees: &[Option<Tree>], report: &mut Report) -> Option<At<Job>> {
        let tree = trees.get(usize::from(self.file))?.as_ref()?;
        let node = tree.node(self.id);
        let segment = match node.get("name").and_then(Scalar::of) {
            Some(Scalar::Text(name)) => format!("jobs.{name}"),
            _ => format!("jobs[{}]", self.index),
        };
        match Context::new(report).below(&segment, |cx| cx.key(node)) {
            Key::Given(job) => Some(job),
            Key::Absent | Key::Bad => None,
        }
    }
}

/// More jobs than one daemon is built for; a hostile file has any number.
const MAX_JOBS: usize = 100_000;

impl Read for Jobs {
    const TAKES_NULL: bool = true;

    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        if !matches!(node.kind(), Kind::List) {
            if matches!(Scalar::of(node), Some(Scalar::Null)) {
                return Some(Self(Vec::new()));
            }
            let problem = Problem::new(format!("wants a list of jobs, not {}", found(node)));
            cx.error(node, problem.hint("begin each with `- name: …`"));
            return None;
        }
        let count = node.items().len();
        if count > MAX_JOBS {
            let problem = Problem::new(format!("{count} jobs are more than {MAX_JOBS}"));
            cx.error(node, problem.hint("share them out among several daemons"));
            return None;
        }
        let place = |(index, item): (u32, Node<'_>)| JobPlace {
            file: item.at().file,
            id: item.id(),
            index,
        };
        Some(Self((0..).zip(node.items()).map(place).collect()))
    }
}

impl JsonSchema for Jobs {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Jobs".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<Job>() })
    }
}

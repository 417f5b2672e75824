//! Excluded days and spreads: the auditor and the planner, which share no code, say the same of any
//! job, and a row that says otherwise is found.

use std::path::Path;
use std::sync::Arc;

use funcron::audit::Definition;
use funcron::audit::scanner::{self, ticks};
use funcron::config::{self, ConfigErrors, Loaded};
use funcron::domain::job::Job;
use funcron::domain::schedule::TickKind;
use jiff::Timestamp;
use proptest::prelude::*;

use super::ledger::{Ledger, findings, us};

/// A configuration of a job of these keys.
fn parse(keys: &str) -> Result<Loaded, ConfigErrors> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/calendar");
    let text = format!(
        "workspaces: {{ prod: {{ site: cn1, api_key: {{ env: K }} }} }}
calendars: {{ company: {{ ics: {fixtures}/company.ics }} }}
jobs: [ {{ workspace: prod, func_id: a__b.c, {keys} }} ]"
    );
    config::parse(&text, Path::new("/jobs.yaml"))
}

fn job(keys: &str) -> Arc<Job> {
    let loaded = parse(keys).unwrap_or_else(|refused| panic!("{refused}"));
    loaded.config.jobs[0].clone()
}

/// A tick, what becomes of it, and when its run is due, in microseconds.
type Due = (i64, &'static str, i64);

fn planned(job: &Job, after: i64, through: i64) -> Vec<Due> {
    let at = |us| Timestamp::from_microsecond(us).unwrap();
    let ticks = job.schedule.ticks(at(after), at(through));
    ticks
        .map(|tick| {
            let kind = match tick.kind {
                TickKind::Fire => "fire",
                TickKind::SkippedByGap => "skipped",
                TickKind::Excluded => "excluded",
            };
            let due = tick.at + job.delay(tick.at);
            (tick.at.as_microsecond(), kind, due.as_microsecond())
        })
        .collect()
}

fn audited(job: &Job, after: i64, through: i64) -> Vec<Due> {
    let definition = Definition::read(&job.definition.to_string()).unwrap();
    ticks(&definition, after, through)
        .map(|tick| {
            let kind = match tick.kind {
                scanner::TickKind::Fire => "fire",
                scanner::TickKind::SkippedByGap => "skipped",
                scanner::TickKind::Excluded => "excluded",
            };
            let delay_us = definition.delay_us(tick.at_us, None);
            (tick.at_us, kind, tick.at_us + delay_us)
        })
        .collect()
}

fn any_list() -> impl Strategy<Value = String> {
    let day = (0..1200_i32).prop_map(|days| {
        let first = jiff::civil::date(2024, 1, 1);
        first.checked_add(jiff::Span::new().days(days)).unwrap()
    });
    let weekday = prop::sample::select(vec!["mon", "tue", "Wed", "thursday", "fri", "SAT", "sun"]);
    let item = prop_oneof![
        day.clone().prop_map(|day| day.to_string()),
        (day.clone(), day).prop_map(|(a, b)| format!("{}/{}", a.min(b), a.max(b))),
        weekday.clone().prop_map(str::to_owned),
        (weekday.clone(), weekday).prop_map(|(a, b)| format!("{a}-{b}")),
        prop::sample::select(vec!["holidays-cn", "workdays-cn", "company"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(item, 0..4)
        .prop_map(|items| format!("['{}']", items.join("', '")).replace("['']", "[]"))
}

fn any_job() -> impl Strategy<Value = String> {
    let schedule = prop::sample::select(vec![
        "0 2 * * *",
        "30 2 * * *",
        "*/20 * * * *",
        "0,5 0,12 * * *",
        "15 0,23 * * mon-fri",
        "@every 7h",
        "0 0 1,15 * *",
        "H H * * *",
        "@at 2026-05-02T18:00:00Z",
        "59 59 23 * * *",
    ]);
    let zone = prop::sample::select(vec![
        "UTC",
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Kiritimati",
        "America/Havana",
    ]);
    let dst = (
        prop::sample::select(vec!["run_after", "skip"]),
        prop::sample::select(vec!["first", "last", "both"]),
    );
    let spread = prop::sample::select(vec!["0s", "300ms", "90s", "10m", "7h", "1d"]);
    (schedule, zone, dst, any_list(), any_list(), spread, 0..50_u32).prop_filter_map(
        "a job that has no day at all is refused",
        |(schedule, zone, (gap, overlap), except, only_on, spread, name)| {
            let keys = format!(
                "name: job-{name}, schedule: '{schedule}', timezone: {zone}, dst: {{ gap: {gap}, overlap: {overlap} }}, \
                 except: {except}, only_on: {only_on}, spread: {spread}"
            );
            let leaves_no_day = parse(&keys)
                .is_err_and(|refused| refused.to_string().contains("leave no day"));
            (!leaves_no_day).then_some(keys)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn auditor_and_planner_agree_on_the_days_and_delays_of_any_job(keys in any_job(), from in 0..1150_i64) {
        let job = job(&keys);
        let after = us("2024-01-01T00:00:00Z") + from * 86_400_000_000;
        let through = after + 45 * 86_400_000_000;
        prop_assert_eq!(audited(&job, after, through), planned(&job, after, through), "{}", keys);
    }
}

/// Three days of May 2026, the second of which is left out; 1 is of the first, and so on.
async fn three_days(keys: &str) -> Ledger {
    let job = job(&format!(
        "name: report, schedule: '0 12 * * *', catchup: none, {keys}"
    ));
    let mut ledger = Ledger::empty().await;
    let (from, until) = ("2026-05-11T00:00:00Z", "2026-05-14T00:00:00Z");
    ledger
        .job("report", &job.definition.to_string(), from, until)
        .await;
    for (number, (at, kind, due)) in (1..).zip(planned(&job, us(from), us(until))) {
        ledger
            .run(number, "report", &job.definition.to_string(), at)
            .await;
        ledger.set(number, &format!("due_us = {due}")).await;
        if kind == "excluded" {
            ledger
                .set(number, "state = 'skipped', reason = 'excluded'")
                .await;
        }
    }
    ledger
}

#[tokio::test]
async fn the_row_of_an_excluded_day_must_say_so_and_no_other_may() {
    let mut ledger = three_days("except: ['2026-05-12']").await;
    assert_eq!(findings(&ledger.audit().await), [""; 0]);
    ledger
        .set(1, "state = 'skipped', reason = 'excluded'")
        .await;
    ledger
        .set(2, "state = 'missed', reason = 'daemon_down'")
        .await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "inconsistent report 2026-05-11T12:00 #1: it is `skipped/excluded`, and its day is not",
            "inconsistent report 2026-05-12T12:00 #2: its day is excluded, and it is not `skipped/excluded`",
        ]
    );
}

#[tokio::test]
async fn an_excluded_tick_without_a_row_is_a_hole() {
    let mut ledger = three_days("only_on: [mon, wed]").await;
    ledger
        .execute("DELETE FROM runs WHERE reason = 'excluded'")
        .await;
    let found = findings(&ledger.audit().await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("holes report 2026-05-12"), "{found:?}");
}

#[tokio::test]
async fn a_run_that_is_due_at_another_time_than_its_spread_says_is_found() {
    let mut ledger = three_days("spread: 10m").await;
    assert_eq!(findings(&ledger.audit().await), [""; 0]);
    ledger.set(3, "due_us = due_us + 1000000").await;
    let found = findings(&ledger.audit().await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("#3: it is due at 2026-05-13T12:"),
        "{found:?}"
    );
    let mut plain = three_days("spread: 0s").await;
    plain.set(2, "due_us = due_us + 1").await;
    assert_eq!(findings(&plain.audit().await).len(), 1);
}

#[tokio::test]
async fn a_definition_whose_days_cannot_be_read_is_named() {
    let mut ledger = Ledger::empty().await;
    let job = job("name: report, schedule: '0 12 * * *', except: [company]");
    let text = job
        .definition
        .to_string()
        .replace(r#""calendars":{"company""#, r#""calendars":{"other""#);
    ledger.job("report", &text, "00:00", "01:00").await;
    let found = findings(&ledger.audit().await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("it has no calendar `company`"),
        "{found:?}"
    );
}

//! The quota proof against the jobs themselves: its calls are those of the planner, and what a
//! configuration takes away, it does not count.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use funcron::config::{self, Config};
use funcron::domain::forecast::{Demand, Hour, Span, loads};
use funcron::domain::schedule::TickKind;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

fn parse(jobs: &[String]) -> Config {
    let jobs: String = jobs
        .iter()
        .map(|job| format!("  - {{ workspace: prod, func_id: a__b.c, {job} }}\n"))
        .collect();
    let text =
        format!("workspaces: {{ prod: {{ site: cn1, api_key: {{ env: K }} }} }}\njobs:\n{jobs}");
    let loaded = config::parse(&text, Path::new("/jobs.yaml"));
    loaded.unwrap_or_else(|refused| panic!("{refused}")).config
}

/// The calls of each second that has any, by the forecast. `validate` and `calendar` leave disabled
/// jobs out before they ask it.
fn foreseen(config: &Config, from: Timestamp, seconds: i64) -> BTreeMap<i64, u64> {
    let jobs = config.jobs.iter().filter(|job| job.enabled);
    let demands: Vec<Demand<'_>> = jobs.map(|job| Demand::from(job.as_ref())).collect();
    let second = |at: i64| Hour {
        date: Date::ZERO,
        hour: 0,
        span: Span {
            from: from + SECOND * i32::try_from(at).unwrap(),
            until: from + SECOND * i32::try_from(at + 1).unwrap(),
        },
    };
    let span: Vec<Hour> = (0..seconds).map(second).collect();
    let loads = loads(&demands, &config.workspaces, &span);
    let counted = span.iter().zip(loads).map(|(hour, load)| {
        let calls = load.calls.expect("not too much to look at");
        (hour.span.from.as_second(), calls)
    });
    counted.filter(|(_, calls)| *calls > 0).collect()
}

/// The same by the ticks and delays that the engine plans with.
fn planned(config: &Config, from: Timestamp, seconds: i64) -> BTreeMap<i64, u64> {
    let until = from + SECOND * i32::try_from(seconds).unwrap();
    let mut calls = BTreeMap::new();
    for job in config.jobs.iter().filter(|job| job.enabled) {
        // Ticks are asked for after an instant, and one at `from` counts.
        let early = from - SignedDuration::try_from(job.spread).unwrap() - MICROSECOND;
        let ticks = job.schedule.ticks(early, until);
        for tick in ticks.filter(|tick| tick.kind == TickKind::Fire) {
            let due = tick.at + job.delay(tick.at);
            if from <= due && due < until {
                *calls.entry(due.as_second()).or_default() += 1;
            }
        }
    }
    calls
}

fn any_job() -> impl Strategy<Value = String> {
    let schedule = prop::sample::select(vec![
        "0 2 * * *",
        "30 2 * * *",
        "*/20 * * * *",
        "0,5 0,12 * * *",
        "10,25 2-3 * * *",
        "* * * * *",
        "@every 7m",
        "H H/2 * * *",
        "@at 2026-03-29T01:10:00Z",
    ]);
    let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe"]);
    let more = prop::sample::select(vec![
        "",
        ", enabled: false",
        ", except: [sun]",
        ", only_on: ['2026-03-28/2026-03-29']",
        ", starts_at: 2026-03-29T00:45:00Z",
        ", ends_at: 2026-03-29T01:20:00Z",
        ", dst: { gap: skip, overlap: both }",
    ]);
    let spread = prop::sample::select(vec!["0s", "90s", "10m", "20m", "1h", "7h", "1d"]);
    (schedule, zone, spread, more).prop_map(|(schedule, zone, spread, more)| {
        format!("schedule: '{schedule}', timezone: {zone}, spread: {spread}{more}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// About the night in which Berlin's clocks go forward, and any time of the year.
    #[test]
    fn the_calls_foreseen_are_those_that_the_engine_plans(
        keys in prop::collection::vec(any_job(), 1..6),
        start in prop_oneof![-600_i64..600, -9_000_000_i64..20_000_000],
    ) {
        let jobs: Vec<String> = (1..).zip(&keys).map(|(number, keys)| format!("name: job-{number}, {keys}")).collect();
        let config = parse(&jobs);
        let from: Timestamp = "2026-03-29T00:50:00Z".parse().unwrap();
        let from = from + SignedDuration::from_secs(start);
        prop_assert_eq!(foreseen(&config, from, 1_800), planned(&config, from, 1_800), "{:?}", keys);
    }
}

#[test]
fn a_spread_longer_than_the_time_to_the_next_tick_fills_that_time() {
    let jobs: Vec<String> = (0..60)
        .map(|number| format!("name: job-{number}, schedule: '*/5 * * * *', spread: 1h"))
        .collect();
    let config = parse(&jobs);
    let from: Timestamp = "2026-03-29T00:00:00Z".parse().unwrap();
    let calls = foreseen(&config, from, 300);
    assert_eq!(calls.values().sum::<u64>(), 60);
    assert!(calls.len() > 45, "not all in one burst: {calls:?}");
    assert_eq!(calls, planned(&config, from, 300));
}

#[test]
fn what_a_configuration_takes_away_is_not_counted() {
    let count = |keys: &str| {
        let job = format!("name: a, schedule: '0 * * * *', {keys}");
        let from: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        foreseen(&parse(&[job]), from, 86_400).values().sum::<u64>()
    };
    assert_eq!(count("timezone: UTC"), 24);
    assert_eq!(count("enabled: false"), 0);
    // China's National Day, from midnight to midnight there.
    assert_eq!(count("timezone: Asia/Shanghai, except: [holidays-cn]"), 0);
    assert_eq!(count("except: [thu]"), 0);
    assert_eq!(count("starts_at: 2026-10-01T20:00:00Z"), 4);
    assert_eq!(count("ends_at: 2026-10-01T02:00:00Z"), 3);
    // What comes on top of the plan is not in it.
    assert_eq!(count("catchup: all, retry: { max_attempts: 9 }"), 24);
}

/// Its minutes until 2100 are ticks still, none of which fires.
#[test]
fn a_job_whose_days_are_over_costs_no_more_than_the_span() {
    let config =
        parse(&["name: a, schedule: '* * * * *', only_on: ['2026-03-28/2026-03-29']".to_owned()]);
    let from: Timestamp = "2026-03-29T23:00:00Z".parse().unwrap();
    assert_eq!(foreseen(&config, from, 7_200).values().sum::<u64>(), 60);
}

//! What jobs have alike is made once, and what a reload leaves as it was is not made again.

use std::sync::Arc;

use funcron::config::{DatabaseUrl, RunningJobs};
use funcron::domain::job::Job;

use super::*;

const DAYS: &str = "except: [sat-sun, holidays-cn], dst: { gap: skip }";

fn loaded(text: &str) -> Vec<Arc<Job>> {
    accept(jobs(text)).config.jobs
}

#[test]
fn equal_schedules_policies_and_expectations_are_shared() {
    let rest = format!(
        "schedule: '0 2 * * *', timezone: Asia/Shanghai, {DAYS}, expect: ['result.ok'], retry: {{ max_attempts: 5 }}"
    );
    let jobs = loaded(&format!(
        "  - {{ name: a, func_id: a__b.one, kwargs: {{ schedule: ['x'] }}, {rest} }}\n\
         \x20 - {{ name: b, func_id: a__b.two, labels: {{ team: sre }}, {rest} }}\n\
         \x20 - {{ name: c, func_id: a__b.two, timeout: 61s, {rest} }}\n"
    ));
    let [a, b, c] = &jobs[..] else { panic!() };
    assert!(a.schedule.is_shared_with(&b.schedule));
    assert!(
        a.schedule.is_shared_with(&c.schedule),
        "whatever else differs"
    );
    assert!(Arc::ptr_eq(&a.retry, &b.retry));
    assert!(Arc::ptr_eq(&a.expect, &b.expect));
    assert!(Arc::ptr_eq(a.definition.alike(), b.definition.alike()));
    assert!(Arc::ptr_eq(&a.workspace.0, &c.workspace.0));
    assert!(a.definition.alike().starts_with(r#","schedule":["0 2"#));
    assert!(c.definition.to_string().contains(r#""timeout":"61s""#));
}

#[test]
fn what_differs_is_not_shared() {
    let first = "schedule: '0 2 * * *', timezone: Asia/Shanghai";
    for second in [
        "schedule: '0 3 * * *', timezone: Asia/Shanghai",
        "schedule: '0 2 * * *', timezone: UTC",
        "schedule: '0 2 * * *', timezone: Asia/Shanghai, dst: { overlap: both }",
        "schedule: '0 2 * * *', timezone: Asia/Shanghai, ends_at: 2030-01-01T00:00:00Z",
        "schedule: '0 2 * * *', timezone: Asia/Shanghai, except: [sun]",
        "schedule: '0 2 * * *', timezone: Asia/Shanghai, only_on: [sun]",
    ] {
        let jobs = loaded(&format!(
            "  - {{ name: a, func_id: a__b.c, {first} }}\n  - {{ name: b, func_id: a__b.c, {second} }}\n"
        ));
        assert!(
            !jobs[0].schedule.is_shared_with(&jobs[1].schedule),
            "{second}"
        );
    }
    let by_name = loaded(
        "  - { name: a, func_id: a__b.c, schedule: 'H 2 * * *' }\n  - { name: b, func_id: a__b.c, schedule: 'H 2 * * *' }\n",
    );
    assert!(!by_name[0].schedule.is_shared_with(&by_name[1].schedule));
}

#[test]
fn a_fault_that_jobs_have_alike_is_told_of_each() {
    let rest = "only_on: [sat], except: [sat-sun], expect: ['result.'], schedule: '0 2 * * *'";
    let told = refusal(jobs(&format!(
        "  - {{ name: a, func_id: a__b.c, {rest} }}\n  - {{ name: b, func_id: a__b.c, {rest} }}\n"
    )));
    for job in ["a", "b"] {
        for what in ["except: except and only_on leave no day", "expect[0]: "] {
            assert!(told.contains(&format!("jobs.{job}.{what}")), "{told}");
        }
    }
}

#[test]
fn a_job_that_has_not_changed_is_the_running_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.yaml");
    let read = |timeout: &str, running: &RunningJobs| {
        let text = format!(
            "{HEAD}jobs:\n  - {{ name: a, func_id: a__b.c, schedule: '0 2 * * *' }}\n  - {{ name: b, func_id: a__b.c, schedule: '0 2 * * *', timeout: {timeout} }}\n"
        );
        fs::write(&path, text).unwrap();
        let config = accept(config::load_beside(&path, running)).config;
        let jobs = config.jobs.into_iter();
        jobs.map(|job| (job.name.clone(), job))
            .collect::<RunningJobs>()
    };
    let before = read("60s", &RunningJobs::new());
    let after = read("61s", &before);
    let same: Vec<bool> = before
        .iter()
        .map(|(name, job)| Arc::ptr_eq(job, &after[name]))
        .collect();
    assert_eq!(same, [true, false]);
}

#[test]
fn where_the_ledger_is_is_known_without_what_stands_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.yaml");
    let database = |text: &str| {
        fs::write(&path, text).unwrap();
        config::database(&path)
    };
    let here = DatabaseUrl::Sqlite("/srv/ledger.db".into());
    for text in [
        "database: sqlite:///srv/ledger.db\njobs: [",
        "version: {a: [1]}\ndatabase: sqlite:///srv/ledger.db\njobs: 7\n",
        "jobs: [{ database: sqlite:///other.db }]\ndatabase: sqlite:///srv/ledger.db\n",
        "x: &x { database: sqlite:///srv/ledger.db }\n<<: *x\n",
    ] {
        assert_eq!(database(text).unwrap(), here, "{text}");
    }
    assert_eq!(database("jobs: []\n").unwrap(), DatabaseUrl::default());
    for (text, told) in [
        ("database: 7\n", "jobs.yaml:1:11: database: wants a text"),
        ("database: postgres://x\n", "jobs.yaml:1:11: database: "),
        ("- database\n", "wants a map of keys, not a list"),
        ("jobs: [", "jobs.yaml:"),
    ] {
        let refused = database(text).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}

//! The configuration changes, while the daemon runs or while it does not: nothing of the past fires,
//! nothing in the present is lost.

use std::time::Duration;

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;
use crate::support::tls::Authority;

const BRIEF: Duration = Duration::from_secs(5);
const ONE_A_MINUTE: &str =
    "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";

fn changes(house: &mut House, jobs: &[String]) -> Vec<String> {
    let difference = house.reload(jobs);
    difference
        .changes()
        .map(|(job, change)| format!("{job} {change}"))
        .collect()
}

#[test]
fn an_added_job_begins_at_its_adding() {
    let a = job("a", "* * * * *", "");
    let mut house = House::new(std::slice::from_ref(&a));
    house.run_until("00:05:30");
    let b = job("b", "* * * * *", "");
    assert_eq!(changes(&mut house, &[a, b]), ["b added"]);
    house.run_until("00:06");
    assert_eq!(house.runs("a").len(), 6);
    assert_eq!(house.runs("b"), ["00:06:00 success"]);
}

#[test]
fn a_removed_job_ticks_no_more_and_its_waiting_runs_are_skipped() {
    let a = job("a", "* * * * *", "");
    let b = job("b", "* * * * *", "");
    let mut house = House::with(ONE_A_MINUTE, &[a.clone(), b.clone()]);
    house.run_until("00:01:30");
    assert_eq!(changes(&mut house, std::slice::from_ref(&a)), ["b removed"]);
    house.run_until("00:04:30");
    assert_eq!(house.runs("b"), ["00:01:00 skipped/disabled"]);
    assert_eq!(changes(&mut house, &[a, b]), ["b added"]);
    house.run_until("00:05");
    assert_eq!(
        house.runs("b").len(),
        2,
        "a name added again begins at its adding"
    );
}

#[test]
fn a_disabled_job_ticks_no_more_and_an_enabled_one_does_not_make_up_for_it() {
    let jobs = |enabled: bool| {
        [
            job("a", "* * * * *", ""),
            job("b", "* * * * *", &format!("enabled: {enabled}")),
        ]
    };
    let mut house = House::with(ONE_A_MINUTE, &jobs(true));
    house.run_until("00:01:30");
    assert_eq!(changes(&mut house, &jobs(false)), ["b rescheduled"]);
    house.run_until("00:03:30");
    assert_eq!(house.runs("b"), ["00:01:00 skipped/disabled"]);
    house.reload(&jobs(true));
    house.run_until("00:03:59");
    assert_eq!(house.runs("b").len(), 1);
    house.run_until("00:04");
    assert_eq!(house.runs("b").len(), 2);
}

#[test]
fn a_rescheduled_job_begins_anew_and_its_waiting_run_stays() {
    let a = job("a", "1 0 * * *", "");
    let mut house = House::with(ONE_A_MINUTE, &[a.clone(), job("b", "1,7 0 * * *", "")]);
    house.run_until("00:01:30");
    assert_eq!(
        changes(&mut house, &[a, job("b", "*/5 * * * *", "")]),
        ["b rescheduled"]
    );
    house.run_until("00:10");
    assert_eq!(
        house.runs("b"),
        ["00:01:00 success", "00:05:00 success", "00:10:00 success"]
    );
}

#[test]
fn a_waiting_run_keeps_the_definition_it_was_planned_with() {
    let a = job("a", "* * * * *", "");
    let mut house = House::with(ONE_A_MINUTE, &[a.clone(), job("b", "1,10 0 * * *", "")]);
    house.run_until("00:01:30");
    let edited = job("b", "1,10 0 * * *", "").replace("test__it.b", "test__it.edited");
    assert_eq!(
        changes(&mut house, &[a.clone(), edited.clone()]),
        ["b edited"]
    );
    house.restart();
    house.reload(&[edited]);
    house.run_until("00:11:30");
    let funcs: Vec<_> = house
        .remote
        .calls()
        .into_iter()
        .map(|call| call.func)
        .collect();
    assert_eq!(house.runs("b"), ["00:01:00 success", "00:10:00 success"]);
    assert_eq!(funcs, ["a", "b", "edited"]);
}

#[test]
fn a_run_that_is_retried_keeps_its_definition() {
    let mut house = House::new(&[job("a", "1 0 * * *", "")]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(30)), Reply::success()]);
    house.run_until("00:01");
    house.reload(&[job("a", "1 0 * * *", "").replace("test__it.a", "test__it.edited")]);
    house.run_until("00:02");
    let funcs: Vec<_> = house
        .remote
        .calls()
        .into_iter()
        .map(|call| call.func)
        .collect();
    assert_eq!(funcs, ["a", "a"]);
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
}

#[test]
fn a_refused_reload_changes_nothing() {
    let a = job("a", "* * * * *", "");
    let mut house = House::new(std::slice::from_ref(&a));
    house.run_until("00:01:30");
    let before = house
        .texts("SELECT definition_hash || from_us || coalesce(until_us, '') FROM job_versions");
    house.move_to("prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }\n  other: { base_url: \"https://127.0.0.1:1\", api_key: { file: key-1 }, ca_file: ca.pem }");
    let ca_file = house.folder().join("ca.pem");
    std::fs::write(&ca_file, Authority::new().pem()).unwrap();
    let next = house.jobset_of(&[job("b", "* * * * *", "")]);
    // Gone after the configuration was read, and before the client is made.
    std::fs::remove_file(&ca_file).unwrap();
    let refused = house
        .run(async |engine| engine.reload(next, "test", &[]).await)
        .unwrap_err();
    assert!(refused.to_string().contains("ca.pem"), "{refused}");
    house
        .run(async |engine| engine.record_refused_reload("test", &[], 0).await)
        .unwrap();
    let after = house
        .texts("SELECT definition_hash || from_us || coalesce(until_us, '') FROM job_versions");
    assert_eq!(before, after);
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 success", "00:02:00 success"]);
    assert_eq!(
        house.texts("SELECT kind FROM events ORDER BY id"),
        ["start", "reload_failed"]
    );
    house.move_to("prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }");
    house.rewrite(&[a]);
}

#[test]
fn ticks_up_to_the_reload_are_the_old_definitions() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.run_until("00:01");
    house.advance_to("00:02:05");
    house.reload(&[job("a", "*/10 * * * *", "")]);
    house.run_until("00:10");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 success", "00:02:00 success", "00:10:00 success"]
    );
}

#[test]
fn a_change_found_at_the_start_closes_the_old_past_as_missed() {
    let mut house = House::new(&[
        job("kept", "* * * * *", ""),
        job("edited", "* * * * *", ""),
        job("rescheduled", "* * * * *", ""),
        job("removed", "* * * * *", ""),
        job("disabled", "* * * * *", ""),
    ]);
    house.run_until("00:01");
    house.stop(BRIEF);
    house.advance_to("00:05:30");
    house.rewrite(&[
        job("kept", "* * * * *", ""),
        job("edited", "* * * * *", "timeout: 7s"),
        job("rescheduled", "*/2 * * * *", ""),
        job("disabled", "* * * * *", "enabled: false"),
        job("added", "* * * * *", ""),
    ]);
    house.open();
    house.run_until("00:06");
    let ends = |job: &str| house.runs(job)[1..].join(", ");
    let caught_up = "00:02:00 missed/catchup, 00:03:00 missed/catchup, 00:04:00 missed/catchup, 00:05:00 catchup success, 00:06:00 success";
    let closed = "00:02:00 missed/daemon_down, 00:03:00 missed/daemon_down, 00:04:00 missed/daemon_down, 00:05:00 missed/daemon_down";
    assert_eq!(ends("kept"), caught_up);
    assert_eq!(ends("edited"), caught_up);
    assert_eq!(ends("rescheduled"), format!("{closed}, 00:06:00 success"));
    assert_eq!(ends("removed"), closed);
    assert_eq!(ends("disabled"), closed);
    assert_eq!(house.runs("added"), ["00:06:00 success"]);
}

#[test]
fn a_reload_tells_the_ledger_what_changed_and_who_asked() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.run_until("00:01:30");
    house.reload(&[job("a", "*/2 * * * *", ""), job("b", "* * * * *", "")]);
    assert_eq!(
        house.texts("SELECT actor || ' ' || detail FROM events WHERE kind = 'reload'"),
        [r#"test {"jobs":2,"changes":{"a":"rescheduled","b":"added"}}"#]
    );
    assert_eq!(house.quiesce().wake, Some(at("00:02")));
}

/// A reload that takes its time lets no tick slip between what it planned and what it wrote.
#[test]
fn a_tick_that_comes_while_the_reload_is_written_is_not_lost() {
    let a = job("a", "* * * * *", "");
    let mut house = House::new(std::slice::from_ref(&a));
    house.quiesce();
    house.advance_to("00:01:59");
    let mut elsewhere = house.connect();
    elsewhere.execute("BEGIN IMMEDIATE");
    let clock = house.clock.clone();
    let next = house.jobset_of(&[a, job("b", "* * * * *", "")]);
    house.run(async move |engine| {
        let mut reload = std::pin::pin!(engine.reload(next, "test", &[]));
        let begun = futures_util::poll!(reload.as_mut());
        assert!(begun.is_pending());
        clock.advance(Duration::from_secs(3));
        elsewhere.execute_async("COMMIT").await;
        reload.await.unwrap();
    });
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 catchup success",
            "00:02:00 success",
            "00:03:00 success"
        ]
    );
    assert_eq!(house.runs("b"), ["00:02:00 success", "00:03:00 success"]);
}

#[test]
fn a_reload_by_a_clock_that_is_in_doubt_takes_the_instant_without_the_jump() {
    let a = job("a", "* * * * *", "");
    let mut house = House::new(std::slice::from_ref(&a));
    house.run_until("00:01:30");
    house.step_wall_to("09:00:30");
    house.reload(&[a, job("b", "* * * * *", "")]);
    house.step_wall_to("00:01:40");
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 success", "00:02:00 success", "00:03:00 success"]
    );
    assert_eq!(house.runs("b"), ["00:02:00 success", "00:03:00 success"]);
}

#[test]
fn a_call_under_way_ends_though_its_job_is_gone_and_is_not_retried() {
    for (reply, end) in [
        (Reply::Held, "00:01:00 success"),
        (Reply::throttled(Some(5)), "00:01:00 failed/throttled"),
        (Reply::Gone, "00:01:00 unknown/no_reply"),
    ] {
        let b = job("b", "0 5 * * *", "");
        let mut house = House::new(&[job("a", "1 0 * * *", "idempotent: true"), b.clone()]);
        house.remote.answer("a", [reply, Reply::success()]);
        house.quiesce();
        house.advance_to("00:01");
        house.step();
        house.until("the call", |remote| remote.calls().len() == 1);
        house.reload(&[b]);
        if house.remote.held() > 0 {
            house.remote.release("a");
        }
        house.run_until("00:02");
        assert_eq!(house.runs("a"), [end]);
        assert_eq!(house.remote.calls().len(), 1);
    }
}

/// The past of a job that goes before its past is planned is closed, not caught up, whether the
/// daemon learns of it by a reload or at its next start.
#[test]
fn a_past_that_is_still_to_be_planned_is_closed_with_its_job() {
    for by_reload in [true, false] {
        let kept = job("kept", "0 5 * * *", "");
        let jobs = ["removed", "disabled", "rescheduled"].map(|name| job(name, "* * * * *", ""));
        let mut house = House::new(&[&jobs[..], std::slice::from_ref(&kept)].concat());
        house.quiesce();
        house.stop(BRIEF);
        house.advance_to("00:05:30");
        house.open();
        let next = [
            kept,
            job("disabled", "* * * * *", "enabled: false"),
            job("rescheduled", "*/7 * * * *", ""),
        ];
        if by_reload {
            house.reload(&next);
        } else {
            house.crash();
            house.rewrite(&next);
            house.open();
        }
        house.run_until("00:06");
        for name in ["removed", "disabled", "rescheduled"] {
            let runs = house.runs(name);
            assert_eq!(runs.len(), 5, "{runs:?}");
            assert!(
                runs.iter().all(|run| run.ends_with("missed/daemon_down")),
                "{name}, by reload {by_reload}: {runs:?}"
            );
        }
        assert_eq!(house.remote.calls().len(), 0);
    }
}

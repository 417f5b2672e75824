//! Pausing: ticks in the span are skipped, whatever happens to the daemon meanwhile, and resuming
//! never fires them.

use funcron::domain::workspace::WorkspaceName;
use funcron::engine::{Command, CommandError, PauseOrder, Selection};

use super::{events, name, order, pause, pause_job, resume, resumption, trigger};
use crate::support::house::{House, at, job};
use crate::support::remote::Reply as Remote;

#[test]
fn ticks_of_a_paused_job_are_skipped_and_resuming_fires_none_of_them() {
    let mut house = House::new(&[job("a", "* * * * *", ""), job("b", "* * * * *", "")]);
    house.run_until("00:01:30");
    let answer = pause_job(&mut house, "a");
    assert_eq!(answer.jobs, [name("a")]);
    house.run_until("00:03:30");
    resume(&mut house, "a");
    house.run_until("00:04");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 success",
            "00:02:00 skipped/paused",
            "00:03:00 skipped/paused",
            "00:04:00 success"
        ]
    );
    assert_eq!(house.runs("b").len(), 4);
    assert!(house.runs("b").iter().all(|run| run.ends_with("success")));
    assert_eq!(
        events(&house, "pause"),
        [r#"a test a {"reason":"the reason","until":null}"#]
    );
    assert_eq!(
        events(&house, "resume"),
        [r#"a test a {"reason":"the end"}"#]
    );
}

#[test]
fn a_tick_at_the_instant_of_the_order_is_before_the_pause_and_one_at_the_resuming_within_it() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.advance_to("00:01");
    pause_job(&mut house, "a");
    house.run_until("00:02:30");
    house.advance_to("00:03");
    resume(&mut house, "a");
    house.run_until("00:04");
    // The first waited when the pause began, which ended it.
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 skipped/paused",
            "00:02:00 skipped/paused",
            "00:03:00 skipped/paused",
            "00:04:00 success"
        ]
    );
}

#[test]
fn a_tick_of_before_the_pause_that_is_planned_in_it_is_not_caught_up() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.run_until("00:01:30");
    // Too late to be live; what is late is planned by the next step.
    house.advance_to("00:02:30");
    pause_job(&mut house, "a");
    house.run_until("00:03:30");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 success",
            "00:02:00 catchup skipped/paused",
            "00:03:00 skipped/paused"
        ]
    );
}

#[test]
fn a_pause_ends_by_itself_at_its_until() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    pause(&mut house, Selection::All, Some("00:02:30"));
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 skipped/paused",
            "00:02:00 skipped/paused",
            "00:03:00 success"
        ]
    );
    let late = PauseOrder {
        jobs: Selection::All,
        reason: None,
        until: Some(at("00:03")),
    };
    let refused = order(&mut house, Command::Pause(late));
    assert!(matches!(refused, Err(CommandError::Invalid(_))));
}

#[test]
fn a_pause_survives_restarts_reloads_and_edits_and_holds_for_the_ticks_of_an_outage() {
    let jobs = [job("a", "* * * * *", "catchup_window: 1h")];
    let mut house = House::new(&jobs);
    pause_job(&mut house, "a");
    house.run_until("00:01:30");
    house.crash();
    house.advance_to("00:03:30");
    house.open();
    house.run_until("00:04:30");
    house.reload(&[job("a", "* * * * *", "catchup_window: 1h, timeout: 9s")]);
    house.run_until("00:05:30");
    house.reload(&[job("a", "*/2 * * * *", "catchup_window: 1h")]);
    house.run_until("00:06:30");
    house.stop(std::time::Duration::ZERO);
    house.rewrite(&[job("a", "*/3 * * * *", "catchup_window: 1h")]);
    house.advance_to("00:09:30");
    house.open();
    house.run_until("00:10");
    resume(&mut house, "a");
    house.run_until("00:12");
    let runs = house.runs("a");
    let (paused, fired): (Vec<&String>, Vec<&String>) =
        runs.iter().partition(|run| run.ends_with("skipped/paused"));
    assert_eq!(fired, ["00:12:00 success"]);
    // 1 to 6 by the schedules of then, 8 by the one that an outage found replaced.
    assert_eq!(paused.len(), 7, "{runs:#?}");
}

#[test]
fn of_an_outage_within_which_a_pause_began_the_newest_tick_before_it_is_caught_up() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    pause(&mut house, Selection::Job(name("a")), Some("00:02:30"));
    house.stop(std::time::Duration::ZERO);
    house.advance_to("00:04:30");
    house.open();
    house.quiesce();
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 skipped/paused",
            "00:02:00 skipped/paused",
            "00:03:00 missed/catchup",
            "00:04:00 catchup success"
        ]
    );
}

#[test]
fn what_waits_ends_with_the_pause_by_its_attempts_and_what_is_under_way_goes_on() {
    let mut house = House::with(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1 }",
        &[
            job("a", "1 0 * * *", ""),
            job("b", "1 0 * * *", ""),
            job("c", "0 0 * * *", ""),
        ],
    );
    house.remote.answer("a", [Remote::throttled(Some(100))]);
    house.remote.answer("b", [Remote::Held, Remote::success()]);
    house.run_until("00:01");
    // One is retried, one called, or one of them waits; whichever it is, all end.
    let answer = pause(&mut house, Selection::All, None);
    assert_eq!(answer.ended_runs + answer.in_flight, 2);
    house.remote.release("b");
    house.quiesce();
    assert_eq!(house.runs("a"), ["00:01:00 failed/throttled"]);
    assert_eq!(house.runs("b"), ["00:01:00 success"]);
}

#[test]
fn a_run_that_comes_back_to_wait_in_a_paused_job_ends_by_its_attempts() {
    let mut house = House::new(&[job("a", "1 0 * * *", "")]);
    house.remote.answer("a", [Remote::Held]);
    house.run_until("00:01");
    pause_job(&mut house, "a");
    house.crash();
    house.open();
    house.quiesce();
    assert_eq!(house.runs("a"), ["00:01:00 unknown/daemon_died"]);
}

#[test]
fn a_workspace_is_paused_with_all_of_its_jobs_and_no_others() {
    let mut house = House::with(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }\n  other: { base_url: \"$REMOTE\", api_key: { file: key-2 } }",
        &[
            job("a", "* * * * *", ""),
            job("b", "* * * * *", "workspace: other"),
        ],
    );
    pause(
        &mut house,
        Selection::Workspace(WorkspaceName("other".into())),
        None,
    );
    house.run_until("00:01");
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
    assert_eq!(house.runs("b"), ["00:01:00 skipped/paused"]);
    let nowhere = Selection::Workspace(WorkspaceName("nowhere".into()));
    let refused = order(&mut house, Command::Resume(resumption(nowhere)));
    assert!(matches!(refused, Err(CommandError::NotFound(_))));
}

#[test]
fn pausing_again_replaces_the_pause_and_resuming_twice_changes_nothing() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    pause(&mut house, Selection::Job(name("a")), Some("00:01:30"));
    house.run_until("00:01");
    let again = pause(&mut house, Selection::Job(name("a")), Some("00:02:30"));
    assert_eq!(again.already, [name("a")]);
    house.run_until("00:03");
    let resumed = resume(&mut house, "a");
    assert_eq!((resumed.jobs.len(), resumed.already.len()), (0, 1));
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 skipped/paused",
            "00:02:00 skipped/paused",
            "00:03:00 success"
        ]
    );
    assert_eq!(events(&house, "resume"), Vec::<String>::new());
}

#[test]
fn a_name_that_is_not_loaded_is_told_what_is_near() {
    let mut house = House::new(&[job("report", "* * * * *", "")]);
    let refused = order(
        &mut house,
        Command::Resume(resumption(Selection::Job(name("reprot")))),
    );
    match refused {
        Err(CommandError::NotFound(what)) => assert!(what.contains("`report`"), "{what}"),
        other => panic!("{other:?}"),
    }
    trigger(&mut house, "report");
    house.quiesce();
}

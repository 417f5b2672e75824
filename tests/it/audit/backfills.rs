//! Backfills that somebody has been at: a run taken out, put in, or moved is named.

use funcron::domain::job::JobName;
use funcron::engine::{BackfillOrder, Command};

use super::copy::Copy;
use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

const UNLIMITED: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }";

fn backfill(house: &mut House, from: &str, until: &str, every: bool) {
    let order = Command::Backfill(BackfillOrder {
        job: JobName::parse("a").unwrap(),
        from: at(from),
        until: at(until),
        every,
        dry_run: false,
    });
    let answer = house.run(async |engine| engine.command(order, "a test").await);
    assert!(answer.is_ok(), "{answer:?}");
}

/// A backfill of 00:10 to 00:40 of a job that is not enabled, done.
fn done() -> Copy {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "enabled: false")]);
    house.advance_to("01:00:30");
    house.quiesce();
    backfill(&mut house, "00:10", "00:40", false);
    house.quiesce();
    Copy::of(&mut house)
}

/// Where the backfill's run of a tick is.
fn of(tick: &str) -> String {
    format!(
        "trigger = 'backfill' AND scheduled_us = {}",
        at(tick).as_microsecond()
    )
}

fn assert_found(copy: &Copy, expected: &[&str]) {
    let id = copy.texts("SELECT id FROM backfills")[0].clone();
    let found: Vec<String> = copy
        .findings()
        .iter()
        .map(|found| found.replace(&id, "B"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_run_taken_out_of_a_backfill_is_a_hole() {
    let copy = done();
    copy.execute(&format!(
        "DELETE FROM attempts WHERE run_id IN (SELECT id FROM runs WHERE {0}); DELETE FROM runs WHERE {0}",
        of("00:20")
    ));
    assert_found(
        &copy,
        &["holes a 00:20:00Z: backfill B has no run of the tick"],
    );
}

#[test]
fn a_run_put_into_a_backfill_is_named() {
    let copy = done();
    let put = |number: u32, tick: &str| {
        let us = at(tick).as_microsecond();
        copy.execute(&format!(
            "DROP INDEX IF EXISTS runs_backfill;
             INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, created_us, finished_us, backfill)
             SELECT '019de000-0000-7000-8000-{number:012}', job, trigger, {us}, {us}, 'cancelled', 'operator', definition_hash, workspace, func_id, created_us, created_us, backfill
             FROM runs WHERE {}",
            of("00:10")
        ));
    };
    put(1, "00:25");
    put(2, "00:50");
    let no_tick = "strays a 00:25:00Z #: its backfill B has no tick at this instant";
    let beyond = "strays a 00:50:00Z #: its backfill B has come to 2026-05-01T00:40:00.000Z only";
    assert_found(&copy, &[no_tick, beyond]);
    put(3, "00:30");
    let found = copy.findings();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[2].starts_with("doubles a 00:30:00Z #: the tick has a run of backfill "),
        "{found:?}"
    );
}

#[test]
fn a_run_moved_within_a_backfill_is_a_stray_and_leaves_a_hole() {
    let copy = done();
    copy.execute(&format!(
        "UPDATE runs SET scheduled_us = scheduled_us + 1, due_us = due_us + 1 WHERE {}",
        of("00:30")
    ));
    assert_found(
        &copy,
        &[
            "holes a 00:30:00Z: backfill B has no run of the tick",
            "strays a 00:30:00.000001Z #: its backfill B has no tick at this instant",
        ],
    );
}

#[test]
fn a_run_that_names_another_backfill_or_definition_or_is_not_over_is_named() {
    let copy = done();
    copy.execute(&format!(
        "UPDATE runs SET backfill = 'none' WHERE {}",
        of("00:10")
    ));
    copy.execute(&format!(
        "UPDATE runs SET state = 'waiting', reason = 'overlap', finished_us = NULL, opened_us = NULL, attempts = 0, counted = 0, cost_ms = NULL, duration_us = NULL WHERE {0};
         DELETE FROM attempts WHERE run_id IN (SELECT id FROM runs WHERE {0})",
        of("00:20")
    ));
    assert_found(
        &copy,
        &[
            "unfinished a 00:20:00Z #: its backfill B is `done`, and it is not over",
            "inconsistent a 00:10:00Z #: its backfill none is none of the job's",
        ],
    );
}

#[test]
fn a_backfill_that_is_done_has_come_to_its_end() {
    let copy = done();
    copy.execute(&format!(
        "UPDATE backfills SET planned_us = {}",
        at("00:25").as_microsecond()
    ));
    assert_found(
        &copy,
        &[
            "strays a 00:30:00Z #: its backfill B has come to 2026-05-01T00:25:00.000Z only",
            "strays a 00:40:00Z #: its backfill B has come to 2026-05-01T00:25:00.000Z only",
            "inconsistent a 00:10:00Z: backfill B is `done`, and has come to 2026-05-01T00:25:00.000Z only",
        ],
    );
}

#[test]
fn what_had_a_success_needs_no_run_unless_all_were_ordered() {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "")]);
    house.remote.answer(
        "a",
        [
            Reply::success(),
            Reply::failed("EFuncFailed"),
            Reply::success(),
        ],
    );
    house.run_until("00:30:30");
    backfill(&mut house, "00:10", "00:30", false);
    house.quiesce();
    let copy = Copy::of(&mut house);
    assert_eq!(
        copy.texts("SELECT concat_ws(' ', ticks, ending) FROM backfills"),
        ["1 done"]
    );
    copy.execute("UPDATE backfills SET every = 1");
    assert_found(
        &copy,
        &[
            "holes a 00:10:00Z: backfill B has no run of the tick",
            "holes a 00:30:00Z: backfill B has no run of the tick",
        ],
    );
}

#[test]
fn one_that_is_under_way_has_runs_up_to_where_it_has_come() {
    let mut house = House::with(UNLIMITED, &[job("a", "* * * * *", "enabled: false")]);
    house.advance_to("05:00:30");
    house.quiesce();
    house.remote.answer("a", [Reply::Held]);
    backfill(&mut house, "00:00", "05:00", true);
    house.quiesce();
    house.remote.release("a");
    let copy = Copy::of(&mut house);
    assert_eq!(
        copy.texts(
            "SELECT concat_ws(' ', count(*), (SELECT ending IS NULL FROM backfills)) FROM runs"
        ),
        ["64 1"]
    );
    copy.execute(&format!(
        "DELETE FROM attempts; DELETE FROM runs WHERE {}",
        of("00:00")
    ));
    assert!(
        copy.findings()[0].starts_with("holes a 00:00:00Z: backfill "),
        "{:?}",
        copy.findings()
    );
}

//! Running a range of the past.

use std::collections::BTreeSet;

use funcron::engine::{BackfillAnswer, BackfillOrder, Command, CommandError, Reply};

use super::{name, order, pause_job, resume};
use crate::support::house::{House, at, job};
use crate::support::remote::Reply as Remote;

const UNLIMITED: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: none, per_workspace: none } }";

fn of(from: &str, until: &str) -> BackfillOrder {
    BackfillOrder {
        job: name("a"),
        from: at(from),
        until: at(until),
        every: false,
        dry_run: false,
    }
}

fn backfill(house: &mut House, of: BackfillOrder) -> BackfillAnswer {
    match order(house, Command::Backfill(of)) {
        Ok(Reply::Backfill(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

/// The ticks of the backfills' runs, in the order of their first attempts.
fn order_of_attempts(house: &House) -> Vec<String> {
    house.texts(
        "SELECT strftime('%H:%M', scheduled_us / 1000000, 'unixepoch') FROM runs JOIN attempts a ON a.run_id = runs.id
         WHERE trigger = 'backfill' ORDER BY a.id",
    )
}

fn endings(house: &House) -> Vec<String> {
    house
        .texts("SELECT ticks || ' ' || coalesce(ending, 'open') FROM backfills ORDER BY ordered_us")
}

#[test]
fn ticks_without_a_success_run_one_after_another_from_bound_to_bound() {
    let mut house = House::with(UNLIMITED, &[job("a", "* * * * *", "")]);
    house.remote.answer(
        "a",
        [
            Remote::success(),
            Remote::failed("EFuncFailed"),
            Remote::failed("EFuncFailed"),
            Remote::success(),
        ],
    );
    house.run_until("00:04:30");
    let dry = BackfillOrder {
        dry_run: true,
        ..of("00:01", "00:04")
    };
    let would = backfill(&mut house, dry);
    assert_eq!((would.ticks, would.left_out, would.id), (2, 2, None));
    assert_eq!(would.span, Some((at("00:02"), at("00:03"))));
    assert!(endings(&house).is_empty());

    house.remote.answer("a", [Remote::Held]);
    let begun = backfill(&mut house, of("00:01", "00:04"));
    assert_eq!((begun.ticks, begun.left_out), (2, 2));
    house.quiesce();
    assert_eq!(house.remote.held(), 1, "the second waits for the first");
    house.remote.release("a");
    house.quiesce();
    house.remote.release("a");
    house.quiesce();
    assert_eq!(order_of_attempts(&house), ["00:02", "00:03"]);
    assert_eq!(endings(&house), ["2 done"]);
    let again = backfill(&mut house, of("00:01", "00:04"));
    assert_eq!((again.ticks, again.id), (0, None));
    let every = BackfillOrder {
        every: true,
        dry_run: true,
        ..of("00:01", "00:04")
    };
    assert_eq!(backfill(&mut house, every).ticks, 4);
}

#[test]
fn it_is_resumed_after_crashes_without_doubles() {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "enabled: false")]);
    house.advance_to("2026-05-03T00:00:00Z");
    house.quiesce();
    let begun = backfill(
        &mut house,
        of("2026-05-01T00:00:00Z", "2026-05-02T09:00:00Z"),
    );
    assert_eq!(begun.ticks, 199);
    // Each life is a little longer than the one before, so that they end everywhere.
    let lives = (1..400).find(|life| {
        let finished = house.crash_within(life * 60);
        house.open();
        finished
    });
    house.quiesce();
    assert!(lives.is_some_and(|lives| lives > 10), "{lives:?}");
    let ticks = house.texts("SELECT scheduled_us FROM (SELECT CAST(scheduled_us AS TEXT) AS scheduled_us FROM runs WHERE trigger = 'backfill')");
    let different: BTreeSet<&String> = ticks.iter().collect();
    assert_eq!((ticks.len(), different.len()), (199, 199));
    assert_eq!(endings(&house), ["199 done"]);
}

#[test]
fn live_ticks_go_first() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 2/min } }";
    let mut house = House::with(
        place,
        &[
            job("a", "*/10 * * * *", "enabled: false"),
            job("b", "* * * * *", ""),
        ],
    );
    house.advance_to("01:00:30");
    house.quiesce();
    backfill(&mut house, of("00:00", "01:00"));
    house.run_until("01:10");
    let late = house.texts(
        "SELECT id FROM runs WHERE job = 'b' AND scheduled_us > 1777597260000000
         AND (state <> 'success' OR opened_us - scheduled_us > 61000000)",
    );
    assert!(late.is_empty(), "{late:?}");
    assert_eq!(endings(&house), ["7 done"]);
}

#[test]
fn a_pause_and_a_removal_end_it() {
    let mut house = House::with(
        UNLIMITED,
        &[
            job("a", "* * * * *", "enabled: false"),
            job("b", "@manual", ""),
        ],
    );
    house.advance_to("05:00:30");
    house.quiesce();
    house
        .remote
        .answer("a", [Remote::Held, Remote::Held, Remote::success()]);
    backfill(&mut house, of("00:00", "05:00"));
    house.quiesce();
    pause_job(&mut house, "a");
    house.remote.release("a");
    house.quiesce();
    assert_eq!(endings(&house), ["301 paused"]);
    assert_eq!(house.tally()["backfill success"], 1);
    assert_eq!(house.tally()["backfill skipped/paused"], 63);
    let refused = order(&mut house, Command::Backfill(of("00:00", "05:00")));
    assert!(matches!(refused, Err(CommandError::Refused(_))));

    resume(&mut house, "a");
    house.advance_to("05:01");
    backfill(&mut house, of("00:00", "05:00"));
    house.quiesce();
    house.reload(&[job("b", "@manual", "")]);
    house.remote.release("a");
    house.quiesce();
    assert_eq!(endings(&house), ["301 paused", "300 removed"]);
}

#[test]
fn a_range_that_is_none_is_refused() {
    let mut house = House::new(&[job("a", "* * * * * *", "enabled: false")]);
    house.advance_to("2026-05-03T00:00:00Z");
    for (from, until, word) in [
        ("00:02", "00:01", "exchange"),
        ("00:02", "2026-05-03T00:00:01Z", "future"),
        ("00:00", "2026-05-03T00:00:00Z", "in parts"),
    ] {
        match order(&mut house, Command::Backfill(of(from, until))) {
            Err(CommandError::Invalid(what)) => assert!(what.contains(word), "{what}"),
            other => panic!("{other:?}"),
        }
    }
}

//! An order and a kill in the middle of it: all of the order is there, or nothing of it.

use std::future::Future;
use std::task::Poll;

use funcron::engine::{BackfillOrder, Command, PauseOrder, Selection, TriggerOrder};

use super::name;
use crate::support::house::{House, at, job};

/// Gives the order so many turns of the engine's runtime, and kills the daemon there. Answers whether
/// the order had been answered.
fn killed_within(house: &mut House, command: Command, turns: usize) -> bool {
    let mut left = turns;
    let answered = house.run(async move |engine| {
        let mut ordered = std::pin::pin!(engine.command(command, "a test"));
        std::future::poll_fn(move |context| {
            if ordered.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            left = left.saturating_sub(1);
            context.waker().wake_by_ref();
            if left == 0 {
                Poll::Ready(false)
            } else {
                Poll::Pending
            }
        })
        .await
    });
    house.crash();
    answered
}

/// Kills the daemon at every point of an order; `traces` counts what the order leaves, `events` how
/// often it was given.
fn kill_everywhere(command: &Command, traces: &str, events: &str) {
    let mut house = House::new(&[
        job("a", "* * * * *", "enabled: false"),
        job("b", "* * * * *", ""),
    ]);
    house.run_until("00:05:30");
    let mut turns = 1;
    let mut answered = 0;
    while answered < 3 {
        assert!(turns < 1 << 22, "the order is never answered");
        let before = house.texts(events)[0].parse::<usize>().unwrap();
        let done = killed_within(&mut house, command.clone(), turns);
        house.open();
        let after = house.texts(events)[0].parse::<usize>().unwrap();
        assert!(after == before || after == before + 1);
        assert!(!done || after == before + 1, "answered, and not durable");
        assert_eq!(house.texts(traces)[0], after.to_string());
        answered += usize::from(done);
        turns = turns * 3 / 2 + 1;
    }
    house.quiesce();
}

#[test]
fn a_start_by_hand_is_whole_or_not_there() {
    let trigger = Command::Trigger(TriggerOrder {
        job: name("a"),
        kwargs: Vec::new(),
    });
    kill_everywhere(
        &trigger,
        "SELECT CAST(count(*) AS TEXT) FROM runs WHERE trigger = 'manual'",
        "SELECT CAST(count(*) AS TEXT) FROM events WHERE kind = 'trigger'",
    );
}

#[test]
fn a_pause_is_whole_or_not_there() {
    let pause = Command::Pause(PauseOrder {
        jobs: Selection::All,
        reason: None,
        until: None,
    });
    kill_everywhere(
        &pause,
        "SELECT CAST(count(*) / 2 AS TEXT) FROM pauses",
        "SELECT CAST(count(*) / 2 AS TEXT) FROM events WHERE kind = 'pause'",
    );
}

#[test]
fn a_backfill_is_whole_or_not_there() {
    let backfill = Command::Backfill(BackfillOrder {
        job: name("a"),
        from: at("00:01"),
        until: at("00:02"),
        every: true,
        dry_run: false,
    });
    kill_everywhere(
        &backfill,
        "SELECT CAST(count(*) AS TEXT) FROM backfills",
        "SELECT CAST(count(*) AS TEXT) FROM events WHERE kind = 'backfill'",
    );
}

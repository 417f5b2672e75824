//! The auditor knows the pauses by itself.

use super::{pause_job, resume};
use crate::support::house::{House, job};

#[test]
fn a_tick_in_a_pause_that_is_not_skipped_and_one_skipped_without_a_pause_are_named() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    pause_job(&mut house, "a");
    house.run_until("00:02:30");
    resume(&mut house, "a");
    house.run_until("00:04");
    assert_eq!(house.faults(), Vec::<String>::new());

    house.connect().execute(
        "UPDATE runs SET state = 'cancelled', reason = 'operator' WHERE scheduled_us = 1777593660000000",
    );
    let found = house.faults();
    assert!(
        found.len() == 1 && found[0].contains("paused then"),
        "{found:?}"
    );
    house.connect().execute(
        "UPDATE runs SET state = 'skipped', reason = 'paused' WHERE scheduled_us = 1777593660000000",
    );
    house
        .connect()
        .execute("UPDATE pauses SET resumed_us = from_us + 1");
    let found = house.faults();
    assert!(
        found.len() == 2 && found[0].contains("no pause"),
        "{found:?}"
    );
    house
        .connect()
        .execute("UPDATE pauses SET resumed_us = from_us + 150000000");
}

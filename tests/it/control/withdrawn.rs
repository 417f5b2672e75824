//! A call that is to be cut off before its attempt is opened: the order comes while the request is
//! still being made, which takes as long as the ledger takes to say when the job last succeeded.

use funcron::engine::{Cancelled, Command, Reply};

use super::{newest, order, trigger};
use crate::support::house::{House, job};

/// A job whose request cannot be made without a look into the ledger.
fn asking(schedule: &str, more: &str) -> String {
    format!(
        "  - {{ name: asks, func_id: test__it.asks, schedule: \"{schedule}\", {more} kwargs: {{ run: \"{{{{ run_id }}}}\", attempt: \"{{{{ attempt }}}}\", since: \"{{{{ previous_success_at }}}}\" }} }}\n"
    )
}

#[test]
fn a_run_cancelled_before_its_attempt_is_opened_sends_nothing_and_gives_its_slot_back() {
    let mut house = House::with(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 2/min }, max_in_flight: 1 }",
        &[
            job("before", "1 0 * * *", ""),
            asking("2 0 * * *", ""),
            job("by-hand", "@manual", ""),
        ],
    );
    house.run_until("00:01:30");
    house.advance_to("00:02");
    house.while_nobody_can_read(|house| {
        assert_eq!(house.step().in_flight, 1);
        let run = newest(house, "asks");
        let answer = order(house, Command::Cancel(run)).unwrap();
        assert_eq!(answer, Reply::Cancelled(Cancelled::GivenUp));
    });
    house.settle();
    house.quiesce();
    assert_eq!(house.runs("asks"), ["00:02:00 cancelled/operator"]);
    assert_eq!(house.attempts("asks"), Vec::<String>::new());
    // The second call of this minute, and the only one at its time.
    trigger(&mut house, "by-hand");
    house.quiesce();
    assert_eq!(house.runs("by-hand"), ["00:02:00 manual success"]);
}

#[test]
fn a_run_replaced_before_its_attempt_is_opened_is_cancelled_and_the_newer_one_runs() {
    let mut house = House::new(&[
        job("before", "1 0 * * *", ""),
        asking("2-3 0 * * *", "overlap: cancel_running,"),
    ]);
    house.run_until("00:01:30");
    house.advance_to("00:02");
    house.while_nobody_can_read(|house| {
        house.step();
        house.advance_to("00:03");
        assert_eq!(house.step().in_flight, 1);
    });
    house.settle();
    house.run_until("00:03:30");
    assert_eq!(
        house.runs("asks"),
        ["00:02:00 cancelled/replaced", "00:03:00 success"]
    );
    assert_eq!(house.attempts("asks"), ["00:03:00 1 success"]);
}

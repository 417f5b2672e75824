//! A job that is absent while it is paused; `states` has everything else that can happen meanwhile. The
//! job `a` is due every minute, paused at 1:30, something happens at 3:30, it is resumed at 6:30.

use std::time::Duration;

use super::{pause_job, resume};
use crate::support::house::{House, job};

fn jobs(name: &str, schedule: &str, more: &str) -> Vec<String> {
    let comma = if more.is_empty() { "" } else { ", " };
    let more = format!("catchup_window: 1h{comma}{more}");
    vec![
        job(name, schedule, &more),
        job("other", "@manual", "catchup_window: 1h"),
    ]
}

/// Nothing but the other job.
fn without() -> Vec<String> {
    jobs("a", "* * * * *", "").split_off(1)
}

/// The minutes of `a`'s runs: `1 2p 7`, where `p` is skipped/paused and nothing is success.
fn story(happens: impl FnOnce(&mut House)) -> String {
    let mut house = House::new(&jobs("a", "* * * * *", ""));
    house.run_until("00:01:30");
    pause_job(&mut house, "a");
    house.run_until("00:03:30");
    happens(&mut house);
    house.run_until("00:06:30");
    resume(&mut house, "a");
    house.run_until("00:08:30");
    let runs = house.texts(
        "SELECT (scheduled_us / 60000000 % 60) || CASE WHEN state = 'success' THEN ''
             WHEN state = 'skipped' AND reason = 'paused' THEN 'p' ELSE state || '/' || reason END
         FROM runs WHERE job = 'a' ORDER BY scheduled_us",
    );
    runs.join(" ")
}

/// No daemon runs for two minutes, and the next one finds these jobs.
fn outage(house: &mut House, then: &[String]) {
    house.stop(Duration::ZERO);
    house.rewrite(then);
    house.advance_to("00:05:30");
    house.open();
}

#[test]
fn a_pause_holds_for_a_job_that_is_disabled_or_removed_for_a_while() {
    let disabled = jobs("a", "* * * * *", "enabled: false");
    for absent in [disabled, without()] {
        let back = |house: &mut House| {
            house.reload(&absent);
            house.run_until("00:05:30");
            house.reload(&jobs("a", "* * * * *", ""));
        };
        assert_eq!(story(back), "1 2p 3p 6p 7 8");
        assert_eq!(story(|house| outage(house, &absent)), "1 2p 3p 4p 5p");
    }
}

//! Every change of a job × every way in which the daemon may learn of it, each with the ledger that
//! it must leave. Enabling, editing, renaming and adding again never fire the past.
//!
//! The story: `a` ticks every minute, all of its runs wait for each other and all of its past is
//! caught up. Its first call, of 00:01, is under way and two runs wait for it when the change comes
//! at 00:03:30; where the daemon was down, it is 00:05:30 when the daemon is there again.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const POLICY: &str = "overlap: queue_all, catchup: all";

/// How the daemon learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Reload,
    /// It was stopped, and finds another configuration when it starts.
    Restart,
    /// It was killed, and finds another configuration when it starts.
    Crash,
    /// It starts with the old configuration, and is told before it has taken a step.
    RestartAndReload,
}

/// The change, in one or two reloads or starts.
fn changes() -> Vec<(&'static str, Vec<Vec<String>>)> {
    let a = |more: &str| vec![job("a", "* * * * *", &format!("{POLICY}{more}"))];
    let off = || a(", enabled: false");
    vec![
        ("nothing", vec![a("")]),
        ("edited", vec![a(", timeout: 50s")]),
        (
            "stricter",
            vec![vec![job("a", "* * * * *", "overlap: skip, catchup: all")]],
        ),
        ("rescheduled", vec![vec![job("a", "*/2 * * * *", POLICY)]]),
        ("renamed", vec![vec![job("b", "* * * * *", POLICY)]]),
        ("disabled", vec![off()]),
        ("enabled again", vec![off(), a("")]),
        ("removed", vec![vec![]]),
        ("added again", vec![vec![], a("")]),
    ]
}

/// What becomes of 00:02 to 00:07, and under which name, by the change: where the daemon was there
/// all the time, and where it was down. `.` is no run.
const EXPECTED: [(&str, [&str; 6], [&str; 6]); 9] = {
    const LIVE: &str = "success";
    const LATE: &str = "catchup success";
    const LOST: &str = "missed/daemon_down";
    const GONE: &str = "skipped/disabled";
    const FULL: &str = "skipped/overlap";
    [
        ("nothing", [LIVE; 6], [LIVE, LIVE, LATE, LATE, LIVE, LIVE]),
        ("edited", [LIVE; 6], [LIVE, LIVE, LATE, LATE, LIVE, LIVE]),
        (
            "stricter",
            [FULL, FULL, LIVE, LIVE, LIVE, LIVE],
            [LIVE, FULL, LATE, LATE, LIVE, LIVE],
        ),
        (
            "rescheduled",
            [LIVE, LIVE, LIVE, ".", LIVE, "."],
            [LIVE, LIVE, LOST, LOST, LIVE, "."],
        ),
        (
            "renamed",
            [GONE, GONE, LIVE, LIVE, LIVE, LIVE],
            [GONE, GONE, LOST, LOST, LIVE, LIVE],
        ),
        (
            "disabled",
            [GONE, GONE, ".", ".", ".", "."],
            [GONE, GONE, LOST, LOST, ".", "."],
        ),
        (
            "enabled again",
            [GONE, GONE, LIVE, LIVE, LIVE, LIVE],
            [GONE, GONE, LOST, LOST, LIVE, LIVE],
        ),
        (
            "removed",
            [GONE, GONE, ".", ".", ".", "."],
            [GONE, GONE, LOST, LOST, ".", "."],
        ),
        (
            "added again",
            [GONE, GONE, LIVE, LIVE, LIVE, LIVE],
            [GONE, GONE, LOST, LOST, LIVE, LIVE],
        ),
    ]
};

/// The house with the call under way and two runs behind it.
fn before() -> (House, Vec<String>) {
    let old = vec![job("a", "* * * * *", POLICY)];
    let mut house = House::new(&old);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until("00:03:30");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 running",
            "00:02:00 waiting/overlap",
            "00:03:00 waiting/overlap"
        ]
    );
    (house, old)
}

/// Lets the daemon learn of the change. Answers what became of the call under way.
fn change(
    house: &mut House,
    way: Way,
    old: &[String],
    steps: &[Vec<String>],
    restless: bool,
) -> &'static str {
    let (first, later) = steps.split_first().unwrap();
    match way {
        Way::Reload => _ = house.reload(first),
        Way::Crash => house.crash(),
        Way::Restart | Way::RestartAndReload => house.stop(Duration::ZERO),
    }
    if way != Way::Reload {
        house.frozen_until("the call is gone", |remote| remote.held() == 0);
        house.rewrite(if way == Way::RestartAndReload {
            old
        } else {
            first
        });
        house.advance_to("00:05:30");
        house.open();
    }
    if way == Way::RestartAndReload {
        house.reload(first);
    }
    if way == Way::Reload {
        house.step();
        house.remote.release("a");
    }
    house.restless = restless;
    for next in later {
        house.quiesce();
        house.reload(next);
    }
    match way {
        Way::Reload => "success",
        Way::Crash => "unknown/daemon_died",
        Way::Restart | Way::RestartAndReload => "unknown/shutdown",
    }
}

fn hold(restless: bool) {
    for ((name, steps), (named, live, down)) in changes().into_iter().zip(EXPECTED) {
        assert_eq!(name, named);
        for way in [Way::Reload, Way::Restart, Way::Crash, Way::RestartAndReload] {
            let (mut house, old) = before();
            let first = change(&mut house, way, &old, &steps, restless);
            house.run_until("00:07:30");
            let mut expected = vec![format!("00:01:00 {first}")];
            let ends = if way == Way::Reload { live } else { down };
            let ends = (2..).zip(ends).filter(|(_, end)| *end != ".");
            expected.extend(ends.map(|(minute, end)| format!("00:0{minute}:00 {end}")));
            let mut runs = house.runs("a");
            runs.extend(house.runs("b"));
            assert_eq!(runs, expected, "{name} by {way:?}, restless: {restless}");
            let new_name = house.runs("b");
            let is_under_it = |run: &&String| run.as_str() > "00:04" && run.ends_with(" success");
            assert!(name != "renamed" || runs.iter().filter(is_under_it).eq(&new_name));
            assert_eq!(house.restarts > 0, restless);
        }
    }
}

#[test]
fn every_change_by_every_way_leaves_its_ledger() {
    hold(false);
}

#[test]
fn every_change_by_every_way_leaves_the_same_ledger_with_a_restart_between_any_two_steps() {
    hold(true);
}

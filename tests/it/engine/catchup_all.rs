//! `catchup: all`: which ticks of an outage run, in which order, and that the present goes before
//! them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);
const PLACE: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }";

fn limited(per_key: u32) -> String {
    PLACE.replace("none", &format!("{{ per_key: {per_key}/min }}"))
}

/// A house whose daemon was down from 00:00 to this instant.
fn down_until(instant: &str, place: &str, jobs: &[String]) -> House {
    let mut house = House::with(place, jobs);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to(instant);
    house.open();
    house
}

fn tally<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected
        .map(|(what, count)| (what.to_owned(), count))
        .into()
}

#[test]
fn every_tick_within_the_window_runs_and_the_older_ones_are_missed() {
    let a = job("a", "* * * * *", "catchup: all, catchup_window: 20m");
    let mut house = down_until("00:30", PLACE, &[a]);
    house.quiesce();
    assert_eq!(
        house.tally(),
        tally([("missed/daemon_down", 9), ("catchup success", 21)])
    );
    assert_eq!(house.runs("a")[9], "00:10:00 catchup success");
}

#[test]
fn a_hundred_are_caught_up_unless_the_job_says_otherwise() {
    for (more, caught_up) in [
        ("", 100),
        (", max_catchup: 7", 7),
        (", max_catchup: 150", 150),
    ] {
        let a = job(
            "a",
            "* * * * *",
            &format!("catchup: all, catchup_window: 3h{more}"),
        );
        let mut house = down_until("04:00:30", PLACE, &[a]);
        house.quiesce();
        assert_eq!(
            house.tally(),
            tally([
                ("missed/daemon_down", 60),
                ("missed/catchup", 180 - caught_up),
                ("catchup success", caught_up)
            ])
        );
        let kept = house.runs("a").split_off(240 - caught_up);
        assert!(
            kept.iter().all(|run| run.ends_with("catchup success")),
            "the newest are kept"
        );
    }
}

#[test]
fn they_run_one_after_another_from_the_oldest_on() {
    let a = job("a", "* * * * *", "catchup: all, max_catchup: 3");
    let mut house = House::with(PLACE, &[a]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("00:05:30");
    house.remote.answer("a", [Reply::Held]);
    house.open();
    for done in 0..3 {
        house.quiesce();
        assert_eq!(house.remote.held(), 1, "never two at once");
        let runs = house.runs("a").split_off(2);
        let states: Vec<_> = runs.iter().map(|run| &run[17..]).collect();
        let mut expected = ["waiting/overlap"; 3];
        expected[..done].fill("success");
        expected[done] = "running";
        assert_eq!(states, expected);
        house.remote.release("a");
    }
    house.quiesce();
    assert_eq!(house.tally()["catchup success"], 3);
}

/// A live tick goes before the job's own past, whatever is left of that.
#[test]
fn a_live_tick_goes_before_what_its_job_still_has_to_catch_up() {
    let a = job("a", "* * * * *", "catchup: all");
    let mut house = down_until("00:05:30", &limited(1), &[a]);
    house.run_until("00:06:40");
    assert_eq!(
        house.attempts("a"),
        ["00:05:30 1 success", "00:06:31 1 success"]
    );
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 catchup success",
            "00:02:00 catchup waiting/quota",
            "00:03:00 catchup waiting/overlap",
            "00:04:00 catchup waiting/overlap",
            "00:05:00 catchup waiting/overlap",
            "00:06:00 success"
        ]
    );
}

/// Two hundred old ticks beside live ones that need most of the quota: no old one is called while a
/// live one waits, so that each of those has its slot when the next comes free; the old ones have
/// what is left over.
#[test]
fn fresh_ticks_are_never_starved_by_old_ones() {
    let all = "overlap: queue_one, catchup: all, catchup_window: 3h";
    let jobs = [
        job("a", "* * * * *", "overlap: queue_one, catchup: none"),
        job("b", "* * * * *", "overlap: queue_one, catchup: none"),
        job("x", "* * * * *", all),
        job("y", "* * * * *", all),
    ];
    let mut house = down_until("02:00:30", &limited(7), &jobs);
    house.run_until("02:32:05");
    assert_eq!(
        house.most_in_a_minute(None),
        7,
        "the quota is used up, and kept"
    );
    let overtaken = house.texts(
        "SELECT old.job || old.scheduled_us || ' before ' || live.job || live.scheduled_us
         FROM runs old JOIN runs live ON old.trigger = 'catchup' AND live.trigger = 'schedule'
         WHERE live.due_us <= old.opened_us AND coalesce(live.opened_us, 9e18) > old.opened_us
           AND live.state NOT IN ('missed', 'skipped')",
    );
    assert_eq!(overtaken, [""; 0]);
    let live = house.texts(
        "SELECT job || ' ' || count(*) || ' ' || (max(opened_us - due_us) < 62000000) || ' ' || min(state = 'success')
         FROM runs WHERE trigger = 'schedule' AND scheduled_us % 86400000000 BETWEEN 7260000000 AND 9060000000
         GROUP BY job ORDER BY job",
    );
    assert_eq!(live, ["a 31 1 1", "b 31 1 1", "x 31 1 1", "y 31 1 1"]);
    let caught_up = house.tally()["catchup success"];
    assert!((90..=100).contains(&caught_up), "{caught_up} of 200");
}

#[test]
fn what_is_caught_up_is_the_same_however_its_planning_is_cut_up() {
    let more = "catchup: all, catchup_window: 7d, max_catchup: 3000";
    let story = |crashes: bool| {
        let a = job("a", "* * * * *", more);
        let mut house = House::with(&limited(1), &[a]);
        house.quiesce();
        house.stop(BRIEF);
        house.advance_to("2026-05-04T12:00:30Z");
        house.open();
        if crashes {
            for _ in 0..2 {
                house.step();
                house.crash();
                house.open();
            }
            let planned: usize = house.tally().values().sum();
            assert!((2_000..5_000).contains(&planned), "{planned}");
        }
        house.quiesce();
        house.texts("SELECT scheduled_us || ' ' || trigger || ' ' || (state = 'missed') FROM runs ORDER BY scheduled_us")
    };
    let whole = story(false);
    assert_eq!(whole.len(), 84 * 60);
    let caught_up = whole.iter().filter(|run| run.contains("catchup")).count();
    assert_eq!(caught_up, 3_000);
    assert_eq!(story(true), whole);
}

/// Each look at them must cost the same as if they were two, or this takes hours.
#[test]
fn ten_thousand_runs_of_one_job_wait_and_are_taken_up_by_a_restart() {
    let more = "catchup: all, catchup_window: 30d, max_catchup: 10000";
    let mut house = down_until(
        "2026-05-09T00:00:30Z",
        &limited(1),
        &[job("a", "* * * * *", more), job("b", "* * * * *", "")],
    );
    house.quiesce();
    let waiting = |house: &House| {
        house.texts("SELECT count(*) || '' FROM runs WHERE job = 'a' AND state = 'waiting'")
    };
    assert_eq!(waiting(&house), ["9999"]);
    house.restart();
    house.quiesce();
    assert_eq!(waiting(&house), ["9999"]);
}

#[test]
fn a_second_outage_is_counted_for_itself() {
    let a = job("a", "* * * * *", "catchup: all, max_catchup: 2");
    let mut house = down_until("00:04:30", &limited(1), &[a]);
    house.run_until("00:05:10");
    house.stop(BRIEF);
    house.advance_to("00:09:30");
    house.open();
    house.run_until("00:09:40");
    let runs = house.runs("a");
    let of = |what: &str| runs.iter().filter(|run| run.contains(what)).count();
    assert_eq!(of("missed/catchup"), 2 + 2, "{runs:?}");
    assert_eq!(of("catchup"), 2 + 2 + 4, "{runs:?}");
}

/// A reload comes too late for a past that is open already: that is the old definition's.
#[test]
fn a_past_that_an_edit_finds_open_is_caught_up_by_the_policy_it_was_opened_with() {
    let none = job("a", "* * * * *", "catchup: none");
    let all = job("a", "* * * * *", "catchup: all");
    for (old, new, ends) in [
        (&none, &all, ["missed/daemon_down", "success"]),
        (&all, &none, ["catchup success", "success"]),
    ] {
        let mut house = down_until("00:01:30", PLACE, std::slice::from_ref(old));
        house.reload(std::slice::from_ref(new));
        house.run_until("00:02");
        let expected = ["00:01:00", "00:02:00"].into_iter().zip(ends);
        let expected: Vec<_> = expected
            .map(|(tick, end)| format!("{tick} {end}"))
            .collect();
        assert_eq!(house.runs("a"), expected);
    }
}

/// Under an edit that keeps the ticks the past is caught up by the definition that is loaded now.
#[test]
fn an_edited_job_is_caught_up_by_its_new_policy() {
    let mut house = House::with(PLACE, &[job("a", "* * * * *", "catchup: none")]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("00:05:30");
    house.rewrite(&[job("a", "* * * * *", "catchup: all, max_catchup: 4")]);
    house.open();
    house.quiesce();
    assert_eq!(
        house.tally(),
        tally([("missed/catchup", 1), ("catchup success", 4)])
    );
}

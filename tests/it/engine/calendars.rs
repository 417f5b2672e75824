//! Ticks of excluded days: each has its row, none its call.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);

/// The run of each day of May 2026: its day of the month and what became of it.
fn days(house: &House, job: &str) -> Vec<String> {
    house.texts(&format!(
        "SELECT substr(scheduled_at, 9, 2) || ' ' || state || coalesce('/' || reason, '')
         FROM executions WHERE job = '{job}' ORDER BY scheduled_us"
    ))
}

#[test]
fn a_tick_of_an_excluded_day_is_skipped_with_its_reason_and_not_called() {
    // 1 to 5 May 2026 are off, Saturday the 9th is worked.
    let mut house = House::new(&[
        job("a", "0 12 * * *", "only_on: [workdays-cn]"),
        job(
            "b",
            "0 12 * * *",
            "except: ['2026-05-02/2026-05-03', tue, holidays-cn], only_on: [mon-sat]",
        ),
    ]);
    house.run_until("2026-05-10T13:00:00Z");
    let expected = |worked: &[u8]| -> Vec<String> {
        (1..=10)
            .map(|day| {
                let what = if worked.contains(&day) {
                    "success"
                } else {
                    "skipped/excluded"
                };
                format!("{day:02} {what}")
            })
            .collect()
    };
    assert_eq!(days(&house, "a"), expected(&[6, 7, 8, 9]));
    assert_eq!(days(&house, "b"), expected(&[6, 7, 8, 9]));
    assert_eq!(house.remote.calls().len(), 8);
}

#[test]
fn the_day_is_that_of_the_jobs_own_zone() {
    let more = "except: ['2026-05-02'], timezone: Asia/Shanghai";
    let mut house = House::new(&[job("a", "0 */6 * * *", more)]);
    house.run_until("2026-05-02T22:00:00Z");
    assert_eq!(
        days(&house, "a"),
        [
            "01 success",
            "01 success",
            "01 skipped/excluded",
            "01 skipped/excluded",
            "02 skipped/excluded",
            "02 skipped/excluded",
            "02 success",
            "02 success",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn late_ticks_of_an_excluded_day_are_skipped_and_supersede_none() {
    let more = "catchup_window: 7d, except: ['2026-05-03/2026-05-04']";
    let mut house = House::new(&[job("a", "0 12 * * *", more)]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("2026-05-04T18:00:00Z");
    house.open();
    house.quiesce();
    assert_eq!(
        days(&house, "a"),
        [
            "01 missed/catchup",
            "02 success",
            "03 skipped/excluded",
            "04 skipped/excluded"
        ]
    );
}

#[test]
fn an_excluded_tick_ends_no_retry() {
    let midnight = "0,59 0,23 * * *";
    let mut house = House::new(&[
        job("kept", midnight, "except: ['2026-05-02']"),
        job("bound", midnight, ""),
    ]);
    for func in ["kept", "bound"] {
        let well = Reply::success;
        // The third, at 23:59, is to be tried again half a minute after midnight.
        let replies = [well(), well(), Reply::throttled(Some(90)), well(), well()];
        house.remote.answer(func, replies);
    }
    house.run_until("2026-05-02T00:30:00Z");
    assert_eq!(
        days(&house, "bound")[2..],
        ["01 failed/next_tick", "02 success"]
    );
    // One row for each of the two attempts.
    assert_eq!(
        days(&house, "kept")[2..],
        ["01 success", "01 success", "02 skipped/excluded"]
    );
}

#[test]
fn a_change_of_the_days_moves_the_cursor_and_another_order_of_words_does_not() {
    let with = |more: &str| [job("a", "0 12 * * *", more)];
    let mut house = House::new(&with("except: [sat-sun, '2026-05-04']"));
    let mut changes = |more: &str| -> Vec<&'static str> {
        let difference = house.reload(&with(more));
        difference.changes().map(|(_, change)| change).collect()
    };
    assert_eq!(changes("except: ['2026-05-04', sun, sat]"), ["edited"]);
    assert_eq!(changes("except: ['2026-05-05', sun, sat]"), ["rescheduled"]);
    assert_eq!(
        changes("only_on: ['2026-05-05', sun, sat]"),
        ["rescheduled"]
    );
    assert_eq!(changes(""), ["rescheduled"]);
}

#[test]
fn the_past_of_a_changed_calendar_is_closed_by_the_old_one() {
    let mut house = House::new(&[job("a", "0 12 * * *", "except: ['2026-05-02']")]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("2026-05-03T18:00:00Z");
    house.rewrite(&[job("a", "0 12 * * *", "except: ['2026-05-04']")]);
    house.open();
    house.run_until("2026-05-04T18:00:00Z");
    assert_eq!(
        days(&house, "a"),
        [
            "01 missed/daemon_down",
            "02 skipped/excluded",
            "03 missed/daemon_down",
            "04 skipped/excluded"
        ]
    );
}

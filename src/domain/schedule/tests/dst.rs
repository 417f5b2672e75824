//! Golden tables around changes of the clocks. The changes themselves are `zdump`'s.

use super::*;

const FIRST: Dst = Dst {
    gap: DstGap::RunAfter,
    overlap: DstOverlap::First,
};

#[track_caller]
fn assert_ticks(expressions: &[&str], zone: &str, dst: Dst, from: &str, ticks: &[&str]) {
    let schedule = parse_in(expressions, zone, dst).unwrap();
    let found = next(&schedule, from, ticks.len());
    assert_eq!(found, ticks, "{expressions:?} in {zone} from {from}");
}

#[test]
fn a_fixed_time_in_a_gap_is_due_at_its_end() {
    // New York 2026-03-08: 02:00 EST becomes 03:00 EDT, at 07:00Z.
    let from = "2026-03-08T00:00:00Z";
    let zone = "America/New_York";
    assert_ticks(
        &["30 2 * * *"],
        zone,
        FIRST,
        from,
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
    );
    // Several become one; the gap's own end is among them.
    assert_ticks(
        &["0,15,30 1-3 * * *"],
        zone,
        FIRST,
        "2026-03-08T06:20:00Z",
        &[
            "2026-03-08T01:30:00-05:00",
            "2026-03-08T03:00:00-04:00",
            "2026-03-08T03:15:00-04:00",
        ],
    );
    // Fixed by its text, though it says every second.
    assert_ticks(
        &["* 30 2 * * *"],
        zone,
        FIRST,
        from,
        &[
            "2026-03-08T03:00:00-04:00",
            "2026-03-09T02:30:00-04:00",
            "2026-03-09T02:30:01-04:00",
        ],
    );
    // London 2026-03-29 01:00, Cairo 2026-04-24 00:00, Santiago 2026-09-06 00:00.
    assert_ticks(
        &["30 1 * * *"],
        "Europe/London",
        FIRST,
        "2026-03-28T12:00:00Z",
        &["2026-03-29T02:00:00+01:00", "2026-03-30T01:30:00+01:00"],
    );
    assert_ticks(
        &["@daily"],
        "Africa/Cairo",
        FIRST,
        "2026-04-23T12:00:00Z",
        &["2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"],
    );
    assert_ticks(
        &["15 0 * * *"],
        "America/Santiago",
        FIRST,
        "2026-09-05T12:00:00Z",
        &["2026-09-06T01:00:00-03:00", "2026-09-07T00:15:00-03:00"],
    );
}

#[test]
fn a_gap_can_be_skipped_instead() {
    let skip = dst(DstGap::Skip, DstOverlap::First);
    let zone = "America/New_York";
    let from = "2026-03-08T00:00:00Z";
    assert_ticks(
        &["30 2 * * *"],
        zone,
        skip,
        from,
        &[
            "2026-03-08T03:00:00-04:00 skipped",
            "2026-03-09T02:30:00-04:00",
        ],
    );
    // A tick of the same instant is real: of the same expression, or of another.
    assert_ticks(
        &["30 2,3 * * *"],
        zone,
        skip,
        from,
        &[
            "2026-03-08T03:00:00-04:00 skipped",
            "2026-03-08T03:30:00-04:00",
        ],
    );
    assert_ticks(
        &["0 2,3 * * *"],
        zone,
        skip,
        from,
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"],
    );
    for list in [["30 2 * * *", "0 */3 8 3 *"], ["0 */3 8 3 *", "30 2 * * *"]] {
        assert_ticks(
            &list,
            zone,
            skip,
            "2026-03-08T06:00:00Z",
            &["2026-03-08T03:00:00-04:00", "2026-03-08T06:00:00-04:00"],
        );
    }
}

#[test]
fn an_interval_follows_elapsed_time_through_a_gap() {
    let zone = "America/New_York";
    assert_ticks(
        &["*/30 * * * *"],
        zone,
        FIRST,
        "2026-03-08T06:20:00Z",
        &[
            "2026-03-08T01:30:00-05:00",
            "2026-03-08T03:00:00-04:00",
            "2026-03-08T03:30:00-04:00",
        ],
    );
    // Nothing is made up: 02:30 does not exist on the 8th.
    assert_ticks(
        &["*/30 2 * * *"],
        zone,
        FIRST,
        "2026-03-08T00:00:00Z",
        &["2026-03-09T02:00:00-04:00"],
    );
    assert_ticks(
        &["30 */2 * * *"],
        zone,
        FIRST,
        "2026-03-08T05:00:00Z",
        &["2026-03-08T00:30:00-05:00", "2026-03-08T04:30:00-04:00"],
    );
    assert_ticks(
        &["@hourly"],
        "Africa/Cairo",
        FIRST,
        "2026-04-23T20:30:00Z",
        &["2026-04-23T23:00:00+02:00", "2026-04-24T01:00:00+03:00"],
    );
}

#[test]
fn an_interval_runs_in_both_passes_of_a_repeated_hour() {
    // New York 2026-11-01: 02:00 EDT becomes 01:00 EST, at 06:00Z.
    assert_ticks(
        &["*/30 * * * *"],
        "America/New_York",
        FIRST,
        "2026-11-01T04:45:00Z",
        &[
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00",
            "2026-11-01T02:00:00-05:00",
        ],
    );
    assert_ticks(
        &["@hourly"],
        "America/Santiago",
        FIRST,
        "2026-04-05T01:30:00Z",
        &[
            "2026-04-04T23:00:00-03:00",
            "2026-04-04T23:00:00-04:00",
            "2026-04-05T00:00:00-04:00",
        ],
    );
    // From within the second pass it does not go back.
    assert_ticks(
        &["* * * * *"],
        "America/New_York",
        FIRST,
        "2026-11-01T06:10:00Z",
        &["2026-11-01T01:11:00-05:00"],
    );
}

#[test]
fn a_fixed_time_that_happens_twice_is_due_by_policy() {
    let zone = "America/New_York";
    let from = "2026-11-01T04:00:00Z";
    let by = |overlap| dst(DstGap::RunAfter, overlap);
    assert_ticks(
        &["0,30 1 * * *"],
        zone,
        by(DstOverlap::First),
        from,
        &[
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-02T01:00:00-05:00",
        ],
    );
    assert_ticks(
        &["0,30 1 * * *"],
        zone,
        by(DstOverlap::Last),
        from,
        &[
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00",
            "2026-11-02T01:00:00-05:00",
        ],
    );
    assert_ticks(
        &["0,30 1 * * *"],
        zone,
        by(DstOverlap::Both),
        from,
        &[
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00",
            "2026-11-02T01:00:00-05:00",
        ],
    );
    // Asked in the middle: in the first pass, at the change, in the second.
    for (t, first, last) in [
        (
            "2026-11-01T05:10:00Z",
            "2026-11-02T01:05:00-05:00",
            "2026-11-01T01:05:00-05:00",
        ),
        (
            "2026-11-01T06:00:00Z",
            "2026-11-02T01:05:00-05:00",
            "2026-11-01T01:05:00-05:00",
        ),
        (
            "2026-11-01T06:05:00Z",
            "2026-11-02T01:05:00-05:00",
            "2026-11-02T01:05:00-05:00",
        ),
    ] {
        assert_ticks(&["5 1 * * *"], zone, by(DstOverlap::First), t, &[first]);
        assert_ticks(&["5 1 * * *"], zone, by(DstOverlap::Last), t, &[last]);
        assert_ticks(&["5 1 * * *"], zone, by(DstOverlap::Both), t, &[last]);
    }
    // The hour before midnight: the 4th of April happens to the end twice in Santiago.
    assert_ticks(
        &["59 23 * * *"],
        "America/Santiago",
        by(DstOverlap::First),
        "2026-04-04T12:00:00Z",
        &["2026-04-04T23:59:00-03:00", "2026-04-05T23:59:00-04:00"],
    );
    assert_ticks(
        &["59 23 * * *"],
        "America/Santiago",
        by(DstOverlap::Last),
        "2026-04-04T12:00:00Z",
        &["2026-04-04T23:59:00-04:00", "2026-04-05T23:59:00-04:00"],
    );
}

#[test]
fn a_shift_of_half_an_hour_is_half_an_hour() {
    let zone = "Australia/Lord_Howe";
    // 2026-10-04: 02:00+10:30 becomes 02:30+11:00.
    assert_ticks(
        &["15 2 * * *"],
        zone,
        FIRST,
        "2026-10-03T12:00:00Z",
        &["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
    );
    assert_ticks(
        &["45 2 * * *"],
        zone,
        FIRST,
        "2026-10-03T12:00:00Z",
        &["2026-10-04T02:45:00+11:00"],
    );
    assert_ticks(
        &["*/15 * * * *"],
        zone,
        FIRST,
        "2026-10-03T15:10:00Z",
        &[
            "2026-10-04T01:45:00+10:30",
            "2026-10-04T02:30:00+11:00",
            "2026-10-04T02:45:00+11:00",
        ],
    );
    // 2026-04-05: 02:00+11:00 becomes 01:30+10:30.
    assert_ticks(
        &["0,45 1 * * *"],
        zone,
        FIRST,
        "2026-04-04T13:00:00Z",
        &[
            "2026-04-05T01:00:00+11:00",
            "2026-04-05T01:45:00+11:00",
            "2026-04-06T01:00:00+10:30",
        ],
    );
    assert_ticks(
        &["*/15 * * * *"],
        zone,
        FIRST,
        "2026-04-04T14:40:00Z",
        &[
            "2026-04-05T01:45:00+11:00",
            "2026-04-05T01:30:00+10:30",
            "2026-04-05T01:45:00+10:30",
            "2026-04-05T02:00:00+10:30",
        ],
    );
}

#[test]
fn a_day_that_does_not_exist_is_one_gap() {
    // Samoa went from 2011-12-29 24:00 -10 to 2011-12-31 00:00 +14.
    let zone = "Pacific/Apia";
    let from = "2011-12-29T23:00:00Z";
    assert_ticks(
        &["0 12 * * *"],
        zone,
        FIRST,
        from,
        &["2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"],
    );
    assert_ticks(
        &["0 0,6,12 30 * *"],
        zone,
        FIRST,
        from,
        &["2011-12-31T00:00:00+14:00", "2012-01-30T00:00:00+14:00"],
    );
    assert_ticks(
        &["@daily"],
        zone,
        dst(DstGap::Skip, DstOverlap::First),
        from,
        &["2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"],
    );
    assert_ticks(
        &["0 12 * * *"],
        zone,
        dst(DstGap::Skip, DstOverlap::First),
        from,
        &[
            "2011-12-31T00:00:00+14:00 skipped",
            "2011-12-31T12:00:00+14:00",
        ],
    );
    assert_ticks(
        &["0 */6 * * *"],
        zone,
        FIRST,
        "2011-12-30T05:00:00Z",
        &["2011-12-31T00:00:00+14:00", "2011-12-31T06:00:00+14:00"],
    );
}

#[test]
fn zones_without_changes_and_far_years_work() {
    assert_ticks(
        &["30 2 * * *"],
        "Asia/Kolkata",
        FIRST,
        "2026-03-08T00:00:00Z",
        &["2026-03-09T02:30:00+05:30", "2026-03-10T02:30:00+05:30"],
    );
    // New York's rules go on: 2099-03-08 is the second Sunday of March.
    assert_ticks(
        &["30 2 8 3 *"],
        "America/New_York",
        FIRST,
        "2099-01-01T00:00:00Z",
        &[
            "2099-03-08T03:00:00-04:00",
            "2100-03-08T02:30:00-05:00",
            "none",
        ],
    );
    // 2099's own first tick lies 150 changes of the clocks ahead.
    assert_ticks(
        &["0 0 12 1 7 ? 2099"],
        "America/New_York",
        FIRST,
        "2026-01-01T00:00:00Z",
        &["2099-07-01T12:00:00-04:00", "none"],
    );
    // Monrovia was 44 minutes and 30 seconds behind until 1972.
    let monrovia = schedule("0 12 * * *", "Africa/Monrovia");
    let tick = monrovia.next_after(at("1971-06-01T00:00:00Z")).unwrap();
    assert_eq!(tick.at, at("1971-06-01T12:44:30Z"));
}

#[test]
fn instants_know_no_zone() {
    assert_ticks(
        &["@every 30m"],
        "America/New_York",
        FIRST,
        "2026-03-08T06:20:00Z",
        &["2026-03-08T01:30:00-05:00", "2026-03-08T03:00:00-04:00"],
    );
    assert_ticks(
        &["@every 1d"],
        "America/New_York",
        FIRST,
        "2026-03-07T12:00:00Z",
        &["2026-03-07T19:00:00-05:00", "2026-03-08T20:00:00-04:00"],
    );
}

#[test]
fn a_moved_merged_skipped_or_repeated_tick_is_explained() {
    let explained = |expressions: &[&str], zone: &str, dst: Dst, from: &str| {
        let schedule = parse_in(expressions, zone, dst).unwrap();
        let tick = schedule.next_after(at(from)).unwrap();
        schedule.explain(&tick).unwrap_or_default()
    };
    let ny = "America/New_York";
    let spring = "2026-03-08T06:30:00Z";
    assert_eq!(
        explained(&["30 2 * * *"], ny, FIRST, spring),
        "02:30 does not exist, the clocks jump from 02:00 to 03:00: it is due right after"
    );
    assert_eq!(
        explained(&["0,30 2 * * *", "30 2 8 * *"], ny, FIRST, spring),
        "02:00 and 02:30 do not exist, the clocks jump from 02:00 to 03:00: they are due once, right after"
    );
    assert_eq!(
        explained(
            &["0-59 2 * * *"],
            ny,
            dst(DstGap::Skip, DstOverlap::First),
            spring
        ),
        "02:00, 02:01, 02:02 and more do not exist, the clocks jump from 02:00 to 03:00: skipped (dst.gap: skip)"
    );
    assert_eq!(
        explained(
            &["0 12 * * *"],
            "Pacific/Apia",
            FIRST,
            "2011-12-30T00:00:00Z"
        ),
        "2011-12-30 12:00 does not exist, the clocks jump from 2011-12-30 00:00 to 00:00: it is due right after"
    );
    assert_eq!(
        explained(
            &["0,30 2,3 * * *"],
            ny,
            dst(DstGap::Skip, DstOverlap::First),
            spring
        ),
        "02:00 and 02:30 do not exist, the clocks jump from 02:00 to 03:00: skipped (dst.gap: skip), but another tick is due right after"
    );
    let autumn = "2026-11-01T05:20:00Z";
    assert_eq!(
        explained(&["30 1 * * *"], ny, FIRST, autumn),
        "01:30 happens twice: this is the first of them (dst.overlap: first)"
    );
    assert_eq!(
        explained(
            &["30 1 * * *"],
            ny,
            dst(DstGap::Skip, DstOverlap::Last),
            autumn
        ),
        "01:30 happens twice: this is the second of them (dst.overlap: last)"
    );
    assert_eq!(explained(&["*/30 * * * *"], ny, FIRST, autumn), "");
    assert_eq!(explained(&["0 3 * * *"], ny, FIRST, spring), "");
    assert_eq!(
        explained(&["30 1 * * *"], ny, FIRST, "2026-07-01T00:00:00Z"),
        ""
    );
    assert_eq!(
        explained(&["@every 1h"], ny, FIRST, "2026-07-01T00:00:00Z"),
        ""
    );
}

#[test]
fn a_minutely_job_runs_every_minute_of_a_day_of_23_and_of_25_hours() {
    let minutely = schedule("* * * * *", "America/New_York");
    for (from, through, count) in [
        ("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", 23 * 60),
        ("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25 * 60),
    ] {
        let mut before = at(from);
        let mut ticks = 0;
        for tick in minutely.ticks(at(from), at(through)) {
            assert_eq!(tick.at.as_second() - before.as_second(), 60);
            before = tick.at;
            ticks += 1;
        }
        assert_eq!(ticks, count, "{from}");
    }
}

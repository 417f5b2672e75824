//! Keys of a job and of a workspace, from the configuration to what is sent and to what it comes to.

use serde_json::{Value, json};

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

/// `name` at one minute past midnight, without arguments of its own.
fn bare(name: &str, more: &str) -> String {
    format!("  - {{ name: {name}, func_id: test__it.{name}, schedule: \"1 0 * * *\", {more} }}\n")
}

/// The one request's body, which does not say whose it is.
fn sent(house: &House) -> Value {
    let calls = house.remote.calls();
    assert_eq!(calls.len(), 1);
    house.remote.forget_calls();
    serde_json::from_str(&calls[0].body).unwrap()
}

#[test]
fn a_request_is_of_func_id_kwargs_secret_kwargs_and_return_type() {
    let more = "kwargs: { n: 1, at: \"{{ scheduled_at }}\" }, secret_kwargs: { token: { file: key-2 } }, return_type: jsonDumps, timezone: Asia/Shanghai";
    let mut house = House::new(&[bare("a", more).replace("1 0 *", "1 8 *")]);
    house.run_until("00:02");
    assert_eq!(
        sent(&house),
        json!({ "funcId": "test__it.a", "funcBody": {
            "kwargs": { "n": 1, "at": "2026-05-01T08:01:00.000+08:00", "token": "key-two-of-the-house" },
            "options": { "returnType": "jsonDumps" },
        } })
    );
}

#[test]
fn the_names_of_the_api_document_say_the_same() {
    let text = "  - { name: a, funcId: test__it.a, schedule: \"1 8 * * *\", timeZone: Asia/Shanghai, funcBody: { kwargs: { n: 1 }, options: { returnType: raw } } }\n";
    let mut house = House::new(&[text.to_owned()]);
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
    assert_eq!(
        sent(&house),
        json!({ "funcId": "test__it.a", "funcBody": {
            "kwargs": { "n": 1 }, "options": { "returnType": "raw" },
        } })
    );
}

#[test]
fn each_schedule_of_a_list_fires() {
    let text = job("a", "1 0 * * *", "").replace("\"1 0 * * *\"", "[1 0 * * *, 3 0 * * *]");
    let mut house = House::new(&[text]);
    house.run_until("00:05");
    assert_eq!(house.runs("a"), ["00:01:00 success", "00:03:00 success"]);
}

#[test]
fn a_day_that_is_in_a_calendar_of_ones_own_is_skipped() {
    let ics = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n\
               DTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20260501\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let jobs = [
        job("a", "1 0 * * *", "except: [own]"),
        job("b", "1 0 * * *", "only_on: [own]"),
        "calendars: { own: { ics: own.ics } }\n".to_owned(),
    ];
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }";
    let mut house = House::with_secrets(place, &jobs, &[("own.ics", ics)]);
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 skipped/excluded"]);
    assert_eq!(house.runs("b"), ["00:01:00 success"]);
}

#[test]
fn a_timezone_says_when_it_is_that_late() {
    let mut house = House::new(&[
        job("utc", "1 8 * * *", ""),
        job("shanghai", "1 8 * * *", "timezone: Asia/Shanghai"),
    ]);
    house.run_until("08:02");
    assert_eq!(house.runs("shanghai"), ["00:01:00 success"]);
    assert_eq!(house.runs("utc"), ["08:01:00 success"]);
}

#[test]
fn starts_at_and_ends_at_bound_the_ticks_and_are_within() {
    let more = "starts_at: 2026-05-01T00:02:00Z, ends_at: 2026-05-01T00:03:00Z";
    let mut house = House::new(&[job("a", "* * * * *", more)]);
    house.run_until("00:06");
    assert_eq!(house.runs("a"), ["00:02:00 success", "00:03:00 success"]);
}

#[test]
fn dst_says_which_of_two_hours_and_what_of_none() {
    let autumn = |name: &str, more: &str| {
        let more = format!("timezone: Europe/Berlin, catchup: all{more}");
        job(name, "30 2 25 10 *", &more)
    };
    let spring = |name: &str, more: &str| autumn(name, more).replace("25 10", "28 3");
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }\nretention: { runs: 366d }";
    let jobs = [
        autumn("first", ""),
        autumn("last", ", dst: { overlap: last }"),
        autumn("both", ", dst: { overlap: both }"),
        spring("after", ""),
        spring("skipped", ", dst: { gap: skip }"),
    ];
    let mut house = House::with(place, &jobs);
    let mut live_until = |from: &str, to: &str| {
        house.advance_to(from);
        // A clock that jumps that far is believed once it has stayed there.
        house.run_until(&(at(from) + jiff::SignedDuration::from_mins(5)).to_string());
        house.run_until(to);
    };
    live_until("2026-10-25T00:00:00Z", "2026-10-25T01:31:00Z");
    live_until("2027-03-28T00:00:00Z", "2027-03-28T01:31:00Z");
    assert_eq!(house.runs("first"), ["00:30:00 success"]);
    assert_eq!(house.runs("last"), ["01:30:00 success"]);
    assert_eq!(house.runs("both"), ["00:30:00 success", "01:30:00 success"]);
    assert_eq!(house.runs("after"), ["01:00:00 success"]);
    assert_eq!(house.runs("skipped"), ["01:00:00 skipped/dst_gap"]);
}

#[test]
fn an_attempt_ends_at_its_timeout() {
    let mut house = House::new(&[job("a", "1 0 * * *", "timeout: 1s")]);
    house.remote.answer("a", [Reply::Silence]);
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 unknown/no_reply"]);
    assert_eq!(
        house.texts("SELECT decided_by FROM attempts"),
        ["no reply within 1s"]
    );
}

#[test]
fn a_reply_that_does_not_meet_what_the_job_expects_is_no_success() {
    let mut house = House::new(&[
        job("met", "1 0 * * *", "expect: [ \"result == none\" ]"),
        job("unmet", "1 0 * * *", "expect: [ \"result == 1\" ]"),
    ]);
    house.run_until("00:02");
    assert_eq!(house.runs("met"), ["00:01:00 success"]);
    assert_eq!(house.runs("unmet"), ["00:01:00 failed/result_invalid"]);
}

#[test]
fn delays_grow_by_multiplier_from_initial_delay_up_to_max_delay() {
    let retry = "retry: { max_attempts: 5, initial_delay: 2s, multiplier: 3, max_delay: 10s }, idempotent: true";
    let mut house = House::new(&[job("a", "1 0 * * *", retry)]);
    let broken = Reply::refused(500, "ft.InternalError");
    house.remote.answer("a", [broken]);
    house.run_until("00:02");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 server_error",
            "00:01:02 2 server_error",
            "00:01:08 3 server_error",
            "00:01:18 4 server_error",
            "00:01:28 5 server_error",
        ]
    );
}

#[test]
fn jitter_spreads_retries_that_would_come_at_once() {
    let delays = |jitter: &str| {
        let retry = format!("retry: {{ initial_delay: 100s, jitter: {jitter} }}");
        let jobs: Vec<_> = (0..10)
            .map(|n| job(&format!("j{n}"), "1 0 * * *", &retry))
            .collect();
        let place = "prod: { base_url: \"http://127.0.0.1:1\", api_key: { file: key-1 } }";
        let mut house = House::with(place, &jobs);
        house.run_until("00:01:01");
        let delays = house
            .texts("SELECT DISTINCT CAST((not_before_us - scheduled_us) / 1000 AS TEXT) FROM runs");
        delays.len()
    };
    assert_eq!(delays("0"), 1);
    // Of ten draws, that two at least differ.
    assert!(delays("1") > 1);
}

#[test]
fn what_is_repeated_is_what_on_names_without_what_not_on_takes_from_it() {
    let again = |name: &str, list: &str| job(name, "1 0 * * *", &format!("retry: {{ {list} }}"));
    let mut house = House::new(&[
        again("failing", ""),
        again("failing-on", "on: [func_failed]"),
        again("slow", ""),
        again("slow-on", "on: [func_failed]"),
        again("slow-not-on", "not_on: [throttled]"),
    ]);
    for name in ["failing", "failing-on"] {
        let failed = Reply::failed("EFuncFailed");
        house.remote.answer(name, [failed, Reply::success()]);
    }
    for name in ["slow", "slow-on", "slow-not-on"] {
        let slow = Reply::throttled(Some(5));
        house.remote.answer(name, [slow, Reply::success()]);
    }
    house.run_until("00:03");
    for (name, run) in [
        ("failing", "failed/func_failed"),
        ("failing-on", "success"),
        ("slow", "success"),
        ("slow-on", "failed/throttled"),
        ("slow-not-on", "failed/throttled"),
    ] {
        assert_eq!(house.runs(name), [format!("00:01:00 {run}")], "{name}");
    }
}

#[test]
fn a_reply_beyond_the_workspaces_max_reply_is_none() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_reply: 2KiB }";
    let mut house = House::with(
        place,
        &[job("small", "1 0 * * *", ""), job("large", "1 0 * * *", "")],
    );
    let large = json!({ "ok": true, "data": { "result": "x".repeat(2 << 10) } });
    house.remote.answer("large", [Reply::content(large)]);
    house.run_until("00:02");
    assert_eq!(house.runs("small"), ["00:01:00 success"]);
    assert_eq!(house.runs("large"), ["00:01:00 unknown/bad_reply"]);
}

/// Of `workspaces` there are two, at one address and with a key each.
#[test]
fn a_job_calls_its_own_workspace() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }\n  other: { base_url: \"$REMOTE\", api_key: { file: key-2 } }";
    let jobs = [
        job("a", "1 0 * * *", ""),
        job("b", "1 0 * * *", "workspace: other"),
    ];
    let mut house = House::with(place, &jobs);
    house.run_until("00:02");
    let mut keys: Vec<_> = house
        .remote
        .calls()
        .into_iter()
        .map(|call| (call.func, call.key))
        .collect();
    keys.sort();
    let call = |func: &str, key: &str| (func.to_owned(), key.to_owned());
    assert_eq!(
        keys,
        [
            call("a", "key-one-of-the-house"),
            call("b", "key-two-of-the-house")
        ]
    );
}

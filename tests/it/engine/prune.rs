//! What is old goes, in pieces, while the daemon is about its work; what is needed stays; and the
//! audit finds nothing wrong at any moment of it.

use funcron::domain::job::JobName;
use funcron::engine::{BackfillOrder, Command, CommandError, Pruning, Reply as Answer};
use serde_json::Value;

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

/// A house in which that is kept for so long.
fn keeping(retention: &str, jobs: &[String]) -> House {
    let workspaces = format!(
        "prod: {{ base_url: \"$REMOTE\", api_key: {{ file: key-1 }}, quota: none }}\nretention: {{ {retention} }}"
    );
    House::with(&workspaces, jobs)
}

/// Runs until an instant, and for a minute more: the pieces of what falls due then.
fn live_until(house: &mut House, instant: &str) {
    house.run_until(instant);
    let later = at(instant) + jiff::SignedDuration::from_mins(1);
    house.run_until(&later.to_string());
}

/// The days and hours of a job's runs.
fn ticks(house: &House, job: &str) -> Vec<String> {
    house.texts(&format!(
        "SELECT strftime('%d %H', scheduled_us / 1000000, 'unixepoch') FROM runs WHERE job = '{job}' ORDER BY scheduled_us"
    ))
}

fn events(house: &House) -> Vec<Value> {
    let details = house.texts("SELECT detail FROM events WHERE kind = 'prune' ORDER BY id");
    let details = details.iter().map(|detail| serde_json::from_str(detail));
    details.map(Result::unwrap).collect()
}

/// The remote's calls of what is gone have no record any more.
fn farewell(house: &House) {
    house.remote.forget_calls();
    assert_eq!(house.faults(), [""; 0]);
}

fn prune(house: &mut House) -> Result<Pruning, CommandError> {
    let answer = house.run(async |engine| engine.command(Command::Prune, "a test").await);
    answer.map(|reply| match reply {
        Answer::Pruning(pruning) => pruning,
        other => panic!("{other:?}"),
    })
}

#[test]
fn runs_go_by_their_age_and_failures_by_their_own() {
    let jobs = [
        job("a", "0 */12 * * *", ""),
        job("b", "0 */12 * * *", "retry: { max_attempts: 1 }"),
    ];
    let mut house = keeping("runs: 2d, failures: 4d, bodies: 36h", &jobs);
    house.remote.answer("b", [Reply::failed("EFuncFailed")]);
    live_until(&mut house, "2026-05-06T13:30:00Z");
    // Those of 12:00 were called within the passes' hour, and are not older than two days.
    assert_eq!(
        ticks(&house, "a"),
        ["05 00", "05 12", "06 00", "06 12"].map(str::to_owned)
    );
    assert_eq!(ticks(&house, "b").first().unwrap(), "03 00");
    assert_eq!(
        house.texts("SELECT run_id FROM attempts EXCEPT SELECT id FROM runs"),
        [""; 0]
    );
    // Each pass that took something has one event, which says what.
    let events = events(&house);
    let taken = |key: &str| {
        events
            .iter()
            .map(|event| event[key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((taken("runs"), taken("attempts")), (7 + 3, 10));
    let mut days: Vec<i64> = events
        .iter()
        .map(|event| event["before_us"].as_i64().unwrap())
        .collect();
    days.dedup();
    assert_eq!(days.len(), events.len(), "one event a pass");
    farewell(&house);
}

#[test]
fn failures_may_be_kept_for_less_and_the_audit_knows() {
    let mut house = keeping(
        "runs: 3d, failures: 1d, bodies: 1d",
        &[job("a", "0 */6 * * *", "retry: { max_attempts: 1 }")],
    );
    house
        .remote
        .answer("a", [Reply::failed("EFuncFailed"), Reply::success()]);
    live_until(&mut house, "2026-05-03T02:00:00Z");
    assert_eq!(ticks(&house, "a").first().unwrap(), "01 12", "06:00 failed");
    farewell(&house);
}

#[test]
fn bodies_go_before_their_runs_and_leave_their_lengths_and_hashes() {
    let mut house = keeping("runs: 4d, bodies: 1d", &[job("a", "0 0 * * *", "")]);
    live_until(&mut house, "2026-05-03T12:00:00Z");
    let bodies = house.texts(
        "SELECT strftime('%d', opened_us / 1000000, 'unixepoch') || ' ' || (request <> '') || ' ' || (response IS NOT NULL)
             || ' ' || (request_bytes > 0 AND length(request_sha256) = 64 AND response_bytes > 0 AND length(response_sha256) = 64)
         FROM attempts ORDER BY id",
    );
    assert_eq!(bodies, ["02 0 0 1", "03 1 1 1"].map(str::to_owned));
    let shown = house.texts("SELECT coalesce(request, 'none') || coalesce(response, 'none') FROM executions ORDER BY scheduled_us LIMIT 1");
    assert_eq!(shown, ["nonenone"]);
    assert_eq!(house.faults(), [""; 0]);
    // What was taken cannot be sent again, and the refusal says why.
    let run = house.texts("SELECT id FROM runs ORDER BY scheduled_us LIMIT 1")[0].parse();
    let order = Command::Replay(funcron::domain::run::RunId(run.unwrap()));
    let refused = house.run(async |engine| engine.command(order, "a test").await);
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("`retention.bodies`"), "{said}");
}

#[test]
fn a_jobs_newest_success_stays_for_those_that_reach_back_to_it() {
    let jobs = [job("a", "0 12 1 * *", ""), job("b", "0 */6 * * *", "")];
    let mut house = keeping("runs: 1d, failures: 1d", &jobs);
    live_until(&mut house, "2026-05-05T01:00:00Z");
    assert_eq!(ticks(&house, "a"), ["01 12"]);
    assert_eq!(
        ticks(&house, "b"),
        ["04 06", "04 12", "04 18", "05 00"].map(str::to_owned)
    );
    farewell(&house);
}

#[test]
fn what_a_backfill_may_still_ask_for_stays_until_it_has_ended() {
    let mut house = keeping(
        "runs: 1d, failures: 1d",
        &[
            job("a", "0 */6 * * *", "catchup: all"),
            job("b", "0 */6 * * *", ""),
        ],
    );
    house.run_until("2026-05-01T23:00:00Z");
    let order = Command::Backfill(BackfillOrder {
        job: JobName::parse("a").unwrap(),
        from: "2026-05-01T00:00:00Z".parse().unwrap(),
        until: "2026-05-01T18:00:00Z".parse().unwrap(),
        every: true,
        dry_run: false,
    });
    house.remote.answer("a", [Reply::Held]);
    house
        .run(async |engine| engine.command(order, "a test").await.map(drop))
        .unwrap();
    live_until(&mut house, "2026-05-03T02:00:00Z");
    assert_eq!(ticks(&house, "b").first().unwrap(), "02 06");
    let live = "SELECT count(*) || '' FROM runs WHERE job = 'a' AND trigger = 'schedule' AND scheduled_us < unixepoch('2026-05-01T20:00:00') * 1000000";
    assert_eq!(
        house.texts(live),
        ["3"],
        "12:00 is the first after the start"
    );
    house.remote.answer("a", [Reply::success()]);
    house.remote.release("a");
    live_until(&mut house, "2026-05-03T04:00:00Z");
    assert_eq!(house.texts(live), ["1"], "its newest success stays");
    let backfilled = house.texts("SELECT state FROM runs WHERE trigger = 'backfill'");
    assert_eq!(backfilled.len(), 4, "they are of today: {backfilled:?}");
    farewell(&house);
}

#[test]
fn a_backfill_over_what_was_pruned_would_run_successes_again_and_is_refused() {
    let mut house = keeping("runs: 1d, failures: 1d", &[job("a", "0 */6 * * *", "")]);
    live_until(&mut house, "2026-05-03T02:00:00Z");
    let mut order = |from: &str, every| {
        let order = Command::Backfill(BackfillOrder {
            job: JobName::parse("a").unwrap(),
            from: from.parse().unwrap(),
            until: "2026-05-02T20:00:00Z".parse().unwrap(),
            every,
            dry_run: true,
        });
        house.run(async |engine| engine.command(order, "a test").await)
    };
    let said = order("2026-05-01T12:00:00Z", false)
        .unwrap_err()
        .to_string();
    assert!(said.contains("before 2026-05-02T02:00:00.000Z"), "{said}");
    assert!(order("2026-05-01T12:00:00Z", true).is_ok());
    assert!(order("2026-05-02T03:00:00Z", false).is_ok());
    farewell(&house);
}

#[test]
fn a_leap_of_the_clock_puts_the_deleting_off_for_a_day() {
    let mut house = keeping("runs: 1d, failures: 1d", &[job("a", "0 */6 * * *", "")]);
    house.run_until("2026-05-01T20:30:00Z");
    house.step_wall_to("2026-06-01T20:30:00Z");
    house.run_until("2026-06-02T20:00:00Z");
    assert_eq!(ticks(&house, "a").first().unwrap(), "01 06");
    let refused = |house: &mut House| prune(house).unwrap_err().to_string();
    house.step_wall_to("2026-06-09T20:00:00Z");
    house.step();
    assert!(refused(&mut house).contains("a clock that may be wrong"));
    live_until(&mut house, "2026-06-10T21:30:00Z");
    assert_ne!(ticks(&house, "a").first().unwrap(), "01 06");
    farewell(&house);
}

#[test]
fn a_crash_between_two_pieces_leaves_a_whole_ledger_and_the_next_life_goes_on() {
    let mut house = keeping(
        "runs: 1d, failures: 1d",
        &[job("a", "*/1 * * * *", "enabled: false")],
    );
    house.stop(std::time::Duration::ZERO);
    // More than a piece takes, planned by a definition that had the job enabled.
    house.rewrite(&[job("a", "*/1 * * * *", "catchup: none")]);
    house.open();
    house.step();
    house.stop(std::time::Duration::ZERO);
    house.advance_to("2026-05-01T20:00:00Z");
    house.open();
    house.run_until("2026-05-01T20:05:00Z");
    house.run_until("2026-05-02T20:30:30Z");
    house.remote.forget_calls();
    let all = house.texts("SELECT count(*) || '' FROM runs")[0]
        .parse::<u64>()
        .unwrap();
    assert!(all > 1_200, "{all}");
    assert!(prune(&mut house).unwrap().is_under_way);
    house.step();
    let left = house.texts("SELECT count(*) || '' FROM runs")[0]
        .parse::<u64>()
        .unwrap();
    house.crash();
    assert!(
        (1..=500).contains(&(all - left)),
        "a piece was taken: {left} of {all} are left"
    );
    house.open();
    assert_eq!(house.faults(), [""; 0]);
    house.run_until("2026-05-02T20:40:00Z");
    assert_eq!(
        house.texts("SELECT count(*) || '' FROM runs WHERE finished_us < unixepoch('2026-05-01T20:30:00') * 1000000 AND state <> 'success'"),
        ["0"]
    );
    farewell(&house);
}

#[test]
fn a_ledger_beyond_its_max_size_is_told_once_and_loses_nothing_for_it() {
    let mut house = keeping("max_size: 1MiB", &[job("a", "0 */1 * * *", "")]);
    let big = "x".repeat(200_000);
    house.remote.answer(
        "a",
        [Reply::content(
            serde_json::json!({ "ok": true, "data": { "result": big } }),
        )],
    );
    house.run_until("02:30");
    assert_eq!(house.step().oversize, None);
    house.run_until("14:30");
    let oversize = house.step().oversize.expect("it is too large");
    assert_eq!(oversize.limit, 1 << 20);
    assert!(oversize.bytes > 1 << 20);
    let told = house.texts("SELECT detail FROM events WHERE kind = 'max_size'");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("\"max_size\":1048576"), "{told:?}");
    assert_eq!(ticks(&house, "a").len(), 14);
    assert_eq!(
        house.texts("SELECT run_id FROM attempts WHERE request = '' OR response IS NULL"),
        [""; 0]
    );
    // The next configuration allows it.
    house.move_to("prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }");
    house.reload(&[job("a", "0 */1 * * *", "")]);
    house.run_until("16:30");
    assert_eq!(house.step().oversize, None);
}

#[test]
fn the_file_gives_back_what_was_taken_in_small_steps() {
    let mut house = keeping("bodies: 1d", &[job("a", "0 */1 * * *", "")]);
    let big = "x".repeat(200_000);
    let bodies =
        |text: &str| Reply::content(serde_json::json!({ "ok": true, "data": { "result": text } }));
    house.remote.answer("a", [bodies(&big)]);
    let size = |house: &House| {
        let pages = house.texts("SELECT page_count || '' FROM pragma_page_count");
        pages[0].parse::<u64>().unwrap() * 4096
    };
    house.run_until("2026-05-01T20:30:00Z");
    let before = size(&house);
    assert!(before > 4_000_000, "{before}");
    house.remote.answer("a", [bodies("little")]);
    house.run_until("2026-05-02T23:30:00Z");
    let after = size(&house);
    assert!(after < before / 4, "{after} of {before}");
}

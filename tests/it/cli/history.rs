//! `history`: the view for machines, a table for people, and every filter.

use funcron::store::Execution;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

use super::{Place, sample};
use crate::support::ledger::{NIGHTLY, Past};

/// The last digit of each row's run, newest first, and the attempt: `2.1`.
fn rows(place: &Place, filter: &[&str]) -> Vec<String> {
    let mut arguments = vec!["history", "-o", "json"];
    arguments.extend(filter);
    let rows = place.read(&arguments).json();
    let name = |row: &Value| {
        let run = row["run_id"].as_str().unwrap();
        match row["attempt"].as_i64() {
            Some(attempt) => format!("{}.{attempt}", &run[run.len() - 1..]),
            None => run[run.len() - 1..].to_owned(),
        }
    };
    rows.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn json_is_the_view_column_for_column_newest_first() {
    let place = Place::new();
    sample(&place).await;
    let pairs = Execution::COLUMNS
        .map(|column| format!("'{column}', {column}"))
        .join(", ");
    let wanted: Vec<String> = {
        let options = SqliteConnectOptions::new()
            .filename(place.ledger())
            .read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let order = "ORDER BY scheduled_us DESC, run_id DESC, attempt DESC";
        let sql = format!("SELECT json_object({pairs}) FROM executions {order}");
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap()
    };
    assert_eq!(wanted.len(), 8);
    let wanted: Vec<Value> = wanted
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let found = place.read(&["history", "-o", "json"]).json();
    assert_eq!(found, Value::from(wanted));
    let keys: Vec<&String> = found[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, Execution::COLUMNS);
}

#[tokio::test]
async fn every_filter_leaves_what_it_says_and_filters_add_up() {
    let place = Place::new();
    sample(&place).await;
    for (filter, wanted) in [
        (
            &[][..],
            &["7.1", "6", "5.1", "4.1", "3.1", "2.2", "2.1", "1"][..],
        ),
        (&["nightly-report"], &["6", "2.2", "2.1"]),
        (&["--state", "failed"], &["5.1", "4.1"]),
        (&["--state", "missed"], &["1"]),
        (&["--reason", "func_failed"], &["4.1"]),
        (&["--reason", "overlap"], &["6"]),
        (&["--trigger", "manual"], &["7.1"]),
        (
            &["--func-id", "guance__openapi.test", "-n", "2"],
            &["7.1", "6"],
        ),
        (&["--func-id", "other"], &[]),
        (&["--since", "2026-11-24T05:00:00Z"], &["7.1", "6", "5.1"]),
        (&["--until", "2026-11-24T02:00:00Z"], &["1"]),
        (
            &[
                "--since",
                "2026-11-24T10:00:00+08:00",
                "--until",
                "2026-11-24T04:00:00Z",
            ],
            &["3.1", "2.2", "2.1"],
        ),
        (
            &["--trace-id", "TRACE-16435F71-4C2E-4026-A5D8-0B6B9ADD23AE"],
            &["4.1"],
        ),
        (&["--trace-id", "task-4G5qTZol2lW2"], &["4.1"]),
        (
            &["--trace-id", "TRACE-nightly-report-2026-11-24T02:00:00Z"],
            &["2.2"],
        ),
        (&["--label", "team=sre"], &["6", "2.2", "2.1"]),
        (
            &[
                "--label", "team=sre", "--label", "tier=1", "--state", "skipped",
            ],
            &["6"],
        ),
        (&["--label", "team=sre", "--label", "tier=2"], &[]),
        (&["sync-users", "--state", "unknown"], &["3.1"]),
        (&["-n", "1"], &["7.1"]),
    ] {
        assert_eq!(rows(&place, filter), wanted, "{filter:?}");
    }
}

#[tokio::test]
async fn a_table_says_when_what_how_and_why_of_each_row() {
    let place = Place::new();
    let ids = sample(&place).await;
    let table = place.read(&["history"]).ok();
    let line = |word: &str| {
        let line = table.lines().find(|line| line.contains(word));
        line.unwrap_or_else(|| panic!("{word} in {table}"))
            .to_owned()
    };
    assert!(table.starts_with("TICK (UTC)"), "{table}");
    let failed = line("func_failed");
    for word in [
        "2026-11-24 04:00:00",
        "sync-users",
        "failed",
        "200",
        "96ms",
        "41ms",
        "EFuncFailed: Calling Function failed",
        &ids[3],
    ] {
        assert!(failed.contains(word), "{word} in {failed}");
    }
    let throttled = line("throttled");
    for word in ["success", "1/2", "401", "请求过于频繁", &ids[1]] {
        assert!(throttled.contains(word), "{word} in {throttled}");
    }
    assert!(line("daemon_down").contains("missed"));
    assert_eq!(table.lines().count(), 9);
}

#[tokio::test]
async fn a_table_that_is_cut_short_says_so_and_one_that_is_not_says_nothing() {
    let place = Place::new();
    sample(&place).await;
    assert_eq!(
        place.read(&["history", "-n", "7"]).err,
        "the newest 7 rows; -n 35 shows more\n"
    );
    assert_eq!(place.read(&["history", "-n", "8"]).err, "");
    assert_eq!(place.read(&["history", "-n", "7", "--quiet"]).err, "");
}

#[tokio::test]
async fn no_rows_are_an_answer_and_an_unknown_job_is_not() {
    let place = Place::new();
    let mut past = Past::begin(&place.ledger()).await;
    past.load("nightly-report", NIGHTLY, "2026-11-24T00:00:00Z")
        .await;
    past.end().await;
    let none = place.read(&["history", "nightly-report"]);
    assert_eq!(
        (none.code, none.out.as_str(), none.err.as_str()),
        (0, "", "no runs match\n")
    );
    assert_eq!(place.read(&["history", "-o", "json"]).ok(), "[]\n");
    let unknown = place.read(&["history", "nightly-repot"]).refused(3);
    assert_eq!(
        unknown,
        "error: there is no job `nightly-repot`; did you mean `nightly-report`?\n"
    );
}

#[tokio::test]
async fn the_history_is_read_while_a_daemon_holds_the_ledger() {
    let place = Place::new();
    let mut past = Past::begin(&place.ledger()).await;
    let hash = past
        .load("nightly-report", NIGHTLY, "2026-11-24T00:00:00Z")
        .await;
    let run = crate::support::ledger::Run::success("nightly-report", "2026-11-24T18:00:00Z");
    past.tell(run, &hash).await;
    assert_eq!(rows(&place, &[]), ["1.1"]);
    past.end().await;
    assert_eq!(rows(&place, &[]), ["1.1"]);
}

#[tokio::test]
async fn csv_has_a_header_a_line_a_row_and_quotes_what_needs_it() {
    let place = Place::new();
    sample(&place).await;
    let csv = place
        .read(&["history", "-o", "csv", "--reason", "func_failed"])
        .ok();
    let (header, row) = csv.split_once("\r\n").unwrap();
    assert_eq!(header, Execution::COLUMNS.join(","));
    assert!(
        row.contains(r#","{""funcId"":""guance__openapi.test"","#),
        "{row}"
    );
    assert!(
        row.ends_with(",1795492800000000,1795492800032000\r\n"),
        "{row}"
    );
}

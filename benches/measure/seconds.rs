//! Jobs on every second of a minute: how late their calls reach the remote.

use std::time::Duration;

use crate::daemon::{self, Daemon, Jobs};
use crate::figures::{self, quantile};
use crate::remote::Remote;

/// How long, after a few seconds to settle.
const SECONDS: usize = 60;

/// What a workspace may have in flight at the most. As many calls as there are jobs are let go at once
/// where that allows it: to wait until others have been answered is not the scheduler's lateness.
const MOST_IN_FLIGHT: usize = 1024;

/// Calls of the first seconds, which open the connections, are not counted.
const SETTLING: usize = 3;

/// Prints the lateness of `jobs` jobs' calls, after their tick, or with a spread of one second after
/// the instant that their place in it says, which only the ledger knows.
pub(crate) async fn measure(jobs: usize, spread: Option<&str>) {
    let remote = Remote::start(Duration::from_millis(10), 0);
    let folder = daemon::folder("seconds");
    let setup = Jobs {
        spread,
        in_flight: jobs.min(MOST_IN_FLIGHT),
        ..Jobs::on("* * * * * *", jobs)
    };
    daemon::configure(&folder, &remote.origin, &setup);
    let daemon = Daemon::start(&folder).await;
    tokio::time::sleep(Duration::from_secs(SETTLING as u64)).await;
    // Between two instants, so that none is cut in two.
    let begin = daemon::second_after(Duration::ZERO) + Duration::from_millis(500);
    daemon::sleep_until(begin).await;
    remote.arrivals().await;
    let from = begin.as_second() + 1;
    let cpu = daemon.cpu();
    daemon::sleep_until(begin + Duration::from_secs(SECONDS as u64)).await;
    let cpu = daemon.cpu() - cpu;
    let peak = daemon.memory("VmHWM");
    let calls = remote.arrivals().await;
    daemon.stop();
    let late = match spread {
        None => figures::lateness(&calls),
        Some(_) => after_due(&folder, from).await,
    };
    println!(
        "\n## {jobs} jobs on every second for {SECONDS} s, spread {}, at most {} in flight, the remote answers after 10 ms\n",
        spread.unwrap_or("none"),
        setup.in_flight
    );
    println!("| calls | expected | p50 | p99 | latest | CPU | peak RSS |");
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    println!(
        "| {} | {} | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} % | {peak:.0} MiB |",
        calls.len(),
        jobs * SECONDS,
        quantile(&late, 0.5),
        quantile(&late, 0.99),
        quantile(&late, 1.0),
        cpu / SECONDS as f64 * 100.0
    );
}

/// From `due_us` to the request's last byte, in ms, ascending.
async fn after_due(folder: &std::path::Path, from: i64) -> Vec<f64> {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.join("funcron.db"))
        .read_only(true);
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options)
        .await
        .unwrap();
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT a.written_us - r.due_us FROM runs r JOIN attempts a ON a.run_id = r.id WHERE r.scheduled_us >= $1 AND a.attempt = 1 AND a.written_us IS NOT NULL",
    )
    .bind(from * 1_000_000)
    .fetch_all(&mut connection)
    .await
    .unwrap();
    figures::ascending(rows.into_iter().map(|us| us as f64 / 1e3))
}

//! Jobs that are not due: what it costs to hold them.

use std::time::Duration;

use crate::daemon::{self, Daemon, Jobs};
use crate::remote::Remote;

/// How long nothing is watched.
const WATCHED: Duration = Duration::from_secs(20);

/// Prints what `jobs` scheduled jobs cost: to start with an empty ledger, to start again, to reload,
/// and to wait.
pub(crate) async fn measure(jobs: usize) {
    let remote = Remote::start(Duration::ZERO, 0);
    let folder = daemon::folder("idle");
    daemon::configure(&folder, &remote.origin, &Jobs::on("0 0 1 1 *", jobs));
    let first = Daemon::start(&folder).await;
    let first_ready = first.ready_after;
    first.stop();
    let daemon = Daemon::start(&folder).await;
    // What a start leaves to do is done by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let at_rest = daemon.memory("VmRSS");
    let cpu = daemon.cpu();
    tokio::time::sleep(WATCHED).await;
    let cpu = daemon.cpu() - cpu;
    let peak = daemon.memory("VmHWM");
    let reload = daemon.reload();
    println!("\n## {jobs} jobs, nothing due\n");
    println!(
        "| first start | second start | reload | RSS at rest | peak RSS | peak RSS after a reload | CPU |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    println!(
        "| {:.0} ms | {:.0} ms | {:.0} ms | {at_rest:.0} MiB | {peak:.0} MiB | {:.0} MiB | {:.2} % |",
        first_ready.as_secs_f64() * 1e3,
        daemon.ready_after.as_secs_f64() * 1e3,
        reload.as_secs_f64() * 1e3,
        daemon.memory("VmHWM"),
        cpu / WATCHED.as_secs_f64() * 100.0
    );
}

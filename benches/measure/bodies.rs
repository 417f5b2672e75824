//! Replies of four sizes: what a run costs by how much it is answered.

use std::time::Duration;

use crate::burst::Burst;
use crate::daemon;
use crate::remote::Remote;

/// Bytes of a reply, and runs that get one.
const SIZES: [(usize, usize); 4] = [
    (1_000, 4_000),
    (10_000, 4_000),
    (100_000, 2_000),
    (1_000_000, 400),
];

/// Prints what a run costs with a reply of each size; the ledger keeps the first 256 KiB of one.
pub(crate) async fn measure() {
    println!("\n## A reply of 1 KB, 10 KB, 100 KB, 1 MB; all due in the same second\n");
    println!("| reply | runs | runs per second | CPU per run | peak RSS | ledger per run |");
    println!("|--:|--:|--:|--:|--:|--:|");
    for (bytes, runs) in SIZES {
        let remote = Remote::start(Duration::ZERO, bytes);
        let folder = daemon::folder("bodies");
        let burst = Burst::run(&folder, &remote, runs).await;
        burst.daemon.stop();
        let size = std::fs::metadata(folder.join("funcron.db")).unwrap().len();
        println!(
            "| {} KB | {runs} | {:.0} | {:.2} ms | {:.0} MiB | {:.1} KB |",
            bytes / 1_000,
            runs as f64 / burst.took.as_secs_f64(),
            burst.cpu / runs as f64 * 1e3,
            burst.peak,
            size as f64 / runs as f64 / 1e3
        );
    }
}

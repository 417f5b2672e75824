//! How long `audit verify` takes over a large ledger, and how much memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon;
use crate::maker::{self, History};

/// Makes a ledger of about `runs` runs, of a hundred jobs that tick every minute or of so many as are
/// named, and has the binary audit it. With a path the ledger stays there, and is taken as it is the
/// next time.
pub(crate) async fn measure(runs: usize, path: Option<&str>, jobs: usize) {
    let path = path.map_or_else(|| daemon::folder("audit").join("ledger.db"), PathBuf::from);
    if !path.exists() {
        let history = History {
            runs: runs as u64,
            jobs: jobs as u64,
            schedule: "* * * * *",
            every: Duration::from_secs(60),
            until: jiff::Timestamp::now(),
            bodies: maker::USUAL,
        };
        maker::make(&path, &history).await;
    }
    println!("\n## `audit verify` of about {runs} runs\n");
    // The second has the file in the page cache, as far as it fits.
    for _ in 0..2 {
        verify(&path);
    }
}

/// Has the binary audit a ledger, and says what it took.
pub(crate) fn verify(path: &Path) {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_funcron"))
        .args(["audit", "verify", "--database"])
        .arg(format!("sqlite://{}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = String::new();
    while child.try_wait().unwrap().is_none() {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find(|line| line.starts_with("VmHWM"));
        peak = line.map_or(peak, str::to_owned);
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = begun.elapsed();
    let ended = child.wait_with_output().unwrap();
    println!("{}", String::from_utf8_lossy(&ended.stdout).trim_end());
    println!("{took:.2?}, {}", peak.replace('\t', " "));
    assert!(ended.status.success(), "the ledger is whole");
}

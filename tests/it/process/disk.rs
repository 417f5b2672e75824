//! A disk that is full: nothing is sent without its row, and it heals by itself (guarantee G7).

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan, Unit};

use super::{UNLIMITED, WELL, every_request_has_its_attempt, open_house};
use crate::support::daemon::{Daemon, Folder, eventually};

/// Says that this process has a mount namespace of its own.
pub(super) const INSIDE: &str = "FUNCRON_TEST_HAS_ITS_OWN_MOUNTS";

/// Runs the test `name` of this program again, where it may mount: in a namespace that ends with it.
/// That wants root, or a kernel that lets users have namespaces.
pub(super) fn inside_a_namespace(name: &str) {
    let mut refusals = String::new();
    for namespace in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        let may = Command::new("unshare")
            .args(namespace)
            .arg("true")
            .output()
            .unwrap();
        if !may.status.success() {
            refusals.push_str(&String::from_utf8_lossy(&may.stderr));
            continue;
        }
        let ended = Command::new("unshare")
            .args(namespace)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(INSIDE, "yes")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        let failed = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}{failed}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    panic!("a full disk cannot be tested here, since no small one can be mounted: {refusals}");
}

/// A small disk in memory.
struct SmallDisk {
    point: tempfile::TempDir,
}

impl SmallDisk {
    fn of(kib: u32) -> Self {
        let point = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(point.path())
            .status();
        assert!(mounted.unwrap().success());
        Self { point }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.point.path().join(name)
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.path("filler")).unwrap();
        for piece in [&[0; 4096][..], &[0; 1]] {
            while filler.write_all(piece).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.point.path())
            .status();
    }
}

/// Rows of different sizes, so that a large one meets the end before a small one does.
fn jobs() -> String {
    let kwargs = |size: usize| {
        format!(
            "kwargs: {{ run: \"{{{{ run_id }}}}\", attempt: \"{{{{ attempt }}}}\", load: \"{}\" }}",
            "x".repeat(size)
        )
    };
    let mut text =
        "defaults: { workspace: sandbox, func_id: sandbox__ok.echo }\njobs:\n".to_owned();
    for (name, size, catchup) in [
        ("large-none", 40_000, "none"),
        ("large-latest", 40_000, "latest"),
        ("small-none", 10, "none"),
        ("small-latest", 10, "latest"),
    ] {
        text.push_str(&format!(
            "  - {{ name: {name}, catchup: {catchup}, schedule: \"* * * * * *\", {} }}\n",
            kwargs(size)
        ));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_calls_is_reported_and_heals_when_there_is_room() {
    if std::env::var_os(INSIDE).is_none() {
        return inside_a_namespace(
            "process::disk::a_full_disk_stops_the_calls_is_reported_and_heals_when_there_is_room",
        );
    }
    let sandbox = open_house().await;
    let disk = SmallDisk::of(8 << 10);
    let folder = Folder::with_ledger(&disk.path("funcron.db"));
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs());
    let daemon = folder.start().await;
    folder
        .until::<(i64,)>("SELECT count(*) FROM runs WHERE state = 'success' HAVING count(*) >= 4")
        .await;

    disk.fill();
    daemon.said("the disk is full").await;
    // Longer than ten seconds, after which ticks are no longer live.
    let (full, computed, said) = (Instant::now(), daemon.cpu_time(), daemon.log().len());
    while full.elapsed() < Duration::from_secs(14) {
        every_request_has_its_attempt(&folder, &sandbox).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let computed = daemon.cpu_time() - computed;
    assert!(
        computed < Duration::from_secs(4),
        "it is busy: {computed:?}"
    );
    let said = daemon.log().split_off(said);
    assert!(said.lines().count() < 100, "it is noisy: {said}");
    let sent = sandbox.counters().requests;

    disk.empty();
    daemon.said("the ledger works again").await;
    eventually("calls are made again", async || {
        (sandbox.counters().requests > sent + 8).then_some(())
    })
    .await;
    folder
        .until::<(i64,)>("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM gaps)")
        .await;
    daemon.stop().await;

    every_request_has_its_attempt(&folder, &sandbox).await;
    let missed = folder
        .count("SELECT count(*) FROM runs WHERE state = 'missed' AND reason = 'ledger_unavailable' AND job LIKE '%-none'")
        .await;
    assert!(
        missed > 0,
        "the ticks of the outage are told as what they are"
    );
    let caught_up = folder
        .count("SELECT count(*) FROM runs WHERE trigger = 'catchup' AND state = 'success' AND job LIKE '%-latest'")
        .await;
    assert!(caught_up > 0, "the newest tick of the outage is caught up");
    let lost = folder
        .count(&format!("SELECT count(*) FROM attempts WHERE NOT {WELL}"))
        .await;
    assert_eq!(lost, 0, "the end of every call was recorded in the end");
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_row_does_not_fit_is_not_made_until_it_does() {
    if std::env::var_os(INSIDE).is_none() {
        return inside_a_namespace(
            "process::disk::a_call_whose_row_does_not_fit_is_not_made_until_it_does",
        );
    }
    let sandbox = open_house().await;
    let disk = SmallDisk::of(8 << 10);
    let folder = Folder::with_ledger(&disk.path("funcron.db"));
    let due = Timestamp::now().round(Unit::Second).unwrap() + 6.seconds();
    // The first attempt is told to come again when the disk will be full.
    folder.configure(
        &sandbox.base_url(),
        UNLIMITED,
        &format!(
            "defaults: {{ workspace: sandbox }}\njobs:\n  - {{ name: again, func_id: sandbox__flaky.throttle_first, kwargs: {{ wait_seconds: 3 }}, schedule: \"@at {due}\" }}\n"
        ),
    );
    let daemon = folder.start().await;
    assert!(
        Timestamp::now() < due,
        "the machine was too slow to be ready in time"
    );
    folder
        .until::<(String,)>("SELECT id FROM runs WHERE state = 'waiting' AND reason = 'retry'")
        .await;
    disk.fill();
    daemon
        .said("the ledger fails, so an attempt is not made")
        .await;
    daemon
        .said("nothing is fired while the ledger fails: trying whether the ledger can be written: the disk is full")
        .await;
    assert_eq!(sandbox.counters().requests, 1);

    disk.empty();
    folder
        .until::<(String,)>("SELECT id FROM runs WHERE state = 'success' AND attempts = 2")
        .await;
    assert_eq!(sandbox.counters().requests, 2);
    daemon.stop().await;
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_files_that_does_not_fit_is_taken_over_when_there_is_room() {
    if std::env::var_os(INSIDE).is_none() {
        return inside_a_namespace(
            "process::disk::a_change_of_the_files_that_does_not_fit_is_taken_over_when_there_is_room",
        );
    }
    let sandbox = open_house().await;
    let disk = SmallDisk::of(8 << 10);
    let folder = Folder::with_ledger(&disk.path("funcron.db"));
    // Larger than the journal can be when the disk is full.
    let jobs = |count: usize| {
        let mut text =
            "defaults: { workspace: sandbox, func_id: sandbox__ok.echo }\njobs:\n".to_owned();
        for n in 0..count {
            let load = "x".repeat(40_000);
            text.push_str(&format!(
                "  - {{ name: j{n}, schedule: \"@manual\", kwargs: {{ load: \"{load}\" }} }}\n"
            ));
        }
        text
    };
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs(1));
    let daemon = Daemon::ready(folder.command(&["run"])).await;
    disk.fill();
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs(40));
    daemon
        .said("the reload failed; the old configuration stays")
        .await;
    let loaded = "SELECT count(*) FROM jobs WHERE loaded = 1";
    assert_eq!(folder.count(loaded).await, 1, "all or nothing");

    disk.empty();
    folder
        .until::<(i64,)>(&format!("{loaded} HAVING count(*) = 40"))
        .await;
    let log = daemon.stop().await;
    assert!(log.contains("the disk is full"), "{log}");
    folder.audit();
}

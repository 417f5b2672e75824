//! A file system that an error has made read-only, under a daemon at work (guarantee G7).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::disk::{INSIDE, inside_a_namespace};
use super::{UNLIMITED, every_request_has_its_attempt, open_house};
use crate::support::daemon::Folder;

/// A file system in a file, which is read-only after its first error, as Debian mounts ext4.
struct FragileDisk {
    folder: tempfile::TempDir,
}

impl FragileDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("disk")).unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        run(
            "mke2fs",
            &["-q", "-F", "-t", "ext4", "-O", "^has_journal"],
            &[&image],
        );
        let disk = Self { folder };
        disk.mount();
        disk
    }

    fn mount(&self) {
        let image = self.folder.path().join("image");
        run(
            "mount",
            &["-o", "loop,errors=remount-ro"],
            &[&image, &self.point()],
        );
    }

    fn unmount(&self) {
        run("umount", &[], &[&self.point()]);
    }

    fn point(&self) -> std::path::PathBuf {
        self.folder.path().join("disk")
    }

    /// Has the kernel believe that it has met an error.
    fn fail(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let point = self.point();
        let mut lines = mounts.lines().map(|line| line.split(' '));
        let device = lines
            .find_map(|mut line| {
                let device = line.next()?;
                (line.next()? == point.to_str()?).then_some(device)
            })
            .expect("the disk is mounted");
        let device = Path::new(device).file_name().unwrap();
        let switch = Path::new("/sys/fs/ext4").join(device);
        fs::write(switch.join("trigger_fs_error"), "1").unwrap();
    }
}

impl Drop for FragileDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.point())
            .status();
    }
}

fn run(program: &str, arguments: &[&str], paths: &[&Path]) {
    let ended = Command::new(program).args(arguments).args(paths).output();
    let ended = ended.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{program}: {said}");
}

/// Only root may mount a file; `tests/run` says so to whoever is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_an_error_makes_read_only_stops_the_calls_until_it_is_mounted_anew() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        return inside_a_namespace(
            "process::read_only::a_disk_that_an_error_makes_read_only_stops_the_calls_until_it_is_mounted_anew",
        );
    }
    let sandbox = open_house().await;
    let disk = FragileDisk::new();
    let folder = Folder::with_ledger(&disk.point().join("funcron.db"));
    folder.configure(
        &sandbox.base_url(),
        UNLIMITED,
        "defaults: { workspace: sandbox, func_id: sandbox__ok.echo }\njobs:\n  - { name: a, schedule: \"* * * * * *\", catchup: all, kwargs: { run: \"{{ run_id }}\", attempt: \"{{ attempt }}\" } }\n",
    );
    let daemon = folder.start().await;
    folder
        .until::<(i64,)>("SELECT count(*) FROM runs WHERE state = 'success' HAVING count(*) >= 2")
        .await;

    disk.fail();
    daemon.said("nothing is fired while the ledger fails").await;
    // A call that was let go just before may still be on its way; then some ticks more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let sent = sandbox.counters().requests;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        every_request_has_its_attempt(&folder, &sandbox).await;
    }
    assert_eq!(sandbox.counters().requests, sent);
    daemon.kill();

    disk.unmount();
    disk.mount();
    let daemon = folder.start().await;
    folder
        .until::<(i64,)>(
            "SELECT 1 FROM runs WHERE trigger = 'catchup' AND state = 'success' LIMIT 1",
        )
        .await;
    daemon.stop().await;
    every_request_has_its_attempt(&folder, &sandbox).await;
    folder.audit();
}

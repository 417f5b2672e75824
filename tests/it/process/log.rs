//! The log is for people: where nobody reads it, nothing else stands still.

use std::io::Write;

use super::{open_house, secondly};
use crate::support::daemon::{Daemon, eventually};

/// More than any pipe holds (pipe(7)).
const TOO_MUCH: usize = 2 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_no_call_and_no_stop() {
    let sandbox = open_house().await;
    let folder = secondly(&sandbox);
    let (unread, stderr) = std::io::pipe().unwrap();
    let mut other = stderr.try_clone().unwrap();
    let filling = std::thread::spawn(move || other.write_all(&[b'.'; TOO_MUCH]));

    let daemon = Daemon::spawn_unread(folder.command(&["run", "--no-watch"]), stderr);
    eventually("calls are made", async || {
        (sandbox.log().len() >= 3).then_some(())
    })
    .await;
    assert!(!filling.is_finished(), "the pipe has room");
    daemon.signal("TERM");
    let (code, _) = daemon.ended().await;
    assert_eq!(code, 0);
    folder.audit();

    drop(unread);
    assert!(filling.join().unwrap().is_err(), "nobody read it");
}

//! `validate` on hostile files: bounded in memory and in time (guarantee G7).

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::daemon::{Ended, Folder};
use crate::support::hostile::{self, Hostile};

/// MB that `validate` may take (contract, section 2).
const MOST: u64 = 300;

/// Far more than any of them takes, unoptimised and on a machine that is shared.
const PATIENCE: Duration = Duration::from_secs(180);

/// `validate` with no more than this for all that it writes to: heap, stacks, everything but the
/// program's own text. Beyond it the kernel gives nothing, and the process is aborted. This is
/// stricter than a peak that is measured, since memory counts that was asked for and never touched,
/// and unlike a measure it misses nothing.
fn validated(folder: &Folder, megabytes: u64) -> Option<Ended> {
    let mut command = Command::new("sh");
    let limited = format!(
        "ulimit -d {}; exec \"$0\" validate -q",
        megabytes * 1000 * 1000 / 1024
    );
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_funcron")]);
    folder.at_home(&mut command);
    let output = command.output().unwrap();
    Some(Ended {
        code: output.status.code()?,
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    })
}

#[test]
fn validate_refuses_hostile_files_within_the_memory_promised() {
    let folder = Folder::new();
    let all = hostile::files().into_iter().chain(hostile::large_files());
    for Hostile { name, text, said } in all {
        folder.write("jobs.yaml", text);
        let started = Instant::now();
        let ended = validated(&folder, MOST).unwrap_or_else(|| panic!("{name}: out of memory"));
        let took = started.elapsed();
        assert_eq!(ended.code, 2, "{name}: {}", ended.err);
        assert!(ended.err.contains(said), "{name}");
        assert!(took < PATIENCE, "{name}: {took:?}");
    }
}

#[test]
fn validate_of_thousands_of_jobs_keeps_within_the_memory_promised() {
    let folder = Folder::new();
    folder.write("jobs.yaml", hostile::many_jobs_in_one_bracket());
    let ended = validated(&folder, MOST).expect("it has memory enough");
    assert_eq!(ended.code, 0, "{}", ended.err);
    // That the limit bites, or the above would say nothing.
    assert!(validated(&folder, 30).is_none_or(|ended| ended.code != 0));
}

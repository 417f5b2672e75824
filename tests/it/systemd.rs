//! The packaged unit, judged by systemd itself.

use std::fs;
use std::process::Command;

const UNIT: &str = "systemd/funcron.service";

/// A root folder with systemd's own units and the program of ours, so that `verify` looks at
/// everything else.
fn root_with_the_unit() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in [
        "usr/local/bin",
        "etc/systemd/system",
        "bin",
        "usr/lib/systemd",
    ] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let own_units = root.path().join("usr/lib/systemd/system");
    let copied = Command::new("cp")
        .args(["-r", "/usr/lib/systemd/system"])
        .arg(own_units)
        .status();
    assert!(copied.unwrap().success());
    fs::copy(
        env!("CARGO_BIN_EXE_funcron"),
        root.path().join("usr/local/bin/funcron"),
    )
    .unwrap();
    fs::copy("/bin/kill", root.path().join("bin/kill")).unwrap();
    fs::copy(UNIT, root.path().join("etc/systemd/system/funcron.service")).unwrap();
    root
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let root = root_with_the_unit();
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .arg(format!("--root={}", root.path().display()))
        .arg("funcron.service")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // The root's other units miss their programs; only what is said about ours counts.
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("funcron.service"))
        .collect();
    assert!(ours.is_empty(), "{said}");
}

#[test]
fn the_unit_is_sandboxed_to_an_exposure_of_at_most_1_5() {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=15", UNIT])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("Overall exposure level for funcron.service"),
        "{said}"
    );
}

#[test]
fn the_stop_timeout_is_longer_than_the_drain() {
    let unit = fs::read_to_string(UNIT).unwrap();
    let seconds = |key: &str| -> u64 {
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap();
        line.trim_start_matches('=').parse().unwrap()
    };
    assert!(
        seconds("TimeoutStopSec") > 75,
        "the default drain_timeout is 75s"
    );
    assert!(
        seconds("WatchdogSec") >= 60,
        "a step comes every 30 s at the latest"
    );
}

#[test]
fn exit_codes_that_a_restart_cannot_help_are_not_restarted() {
    let unit = fs::read_to_string(UNIT).unwrap();
    assert!(
        unit.lines()
            .any(|line| line == "RestartPreventExitStatus=78 5")
    );
}

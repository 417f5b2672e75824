//! `funcron doctor`: what it looks at, and that it says what to do.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{Ended, Place};

const GOOD: &str = "workspaces: { w: { site: cn1, api_key: { env: K } } }\njobs: []\n";

/// A ledger without runs, as a daemon leaves it.
async fn ledger(place: &Place) {
    let at = jiff::Timestamp::now();
    let path = place.path("funcron.db");
    let (ledger, held) = funcron::store::Ledger::open(&path, at).await.unwrap();
    held.release(ledger).await;
}

/// The checks by their names: whether all is well, and what is said.
fn checks(out: &str) -> Vec<(String, bool, String)> {
    let records: Vec<Value> = serde_json::from_str(out).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = records.iter().map(|record| {
        let said = format!("{} {}", text(&record["found"]), text(&record["advice"]));
        (text(&record["check"]), record["ok"] == true, said)
    });
    checks.collect()
}

fn wrong(out: &str) -> Vec<(String, String)> {
    let checks = checks(out).into_iter().filter(|(_, ok, _)| !ok);
    checks.map(|(name, _, said)| (name, said)).collect()
}

/// What `doctor` says of `jobs.yaml` and the ledger.
fn doctor_as_json(place: &Place) -> Ended {
    let url = place.url();
    place.run(&[
        "doctor",
        "-c",
        "jobs.yaml",
        "--database",
        &url,
        "-o",
        "json",
    ])
}

#[tokio::test]
async fn a_sound_place_has_a_line_for_each_check_and_exits_0() {
    let place = Place::new();
    place.write("jobs.yaml", GOOD);
    ledger(&place).await;
    let url = place.url();
    let ended = doctor_as_json(&place);
    // The machine's own disk may be nearly full.
    let wrong = wrong(&ended.out);
    assert!(wrong.iter().all(|(name, _)| name == "disk"), "{wrong:?}");
    let names: Vec<String> = checks(&ended.out)
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    let all = [
        "configuration",
        "ledger",
        "integrity",
        "clock",
        "disk",
        "permissions",
        "journal",
        "daemon",
    ];
    assert_eq!(names, all);
    assert_eq!(ended.code, i32::from(!wrong.is_empty()));
    let page = place.run(&["doctor", "-c", "jobs.yaml", "--database", &url]);
    assert!(
        page.out.starts_with("ok    configuration 0 jobs"),
        "{}",
        page.out
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_with_what_to_do_and_exits_1() {
    let place = Place::new();
    place.write("jobs.yaml", "jbs: []\n");
    ledger(&place).await;
    let path = place.path("funcron.db");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let url = place.url();
    let ended = doctor_as_json(&place);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found = wrong(&ended.out);
    let said = |name: &str, words: &str| {
        let told = found
            .iter()
            .any(|(check, said)| check == name && said.contains(words));
        assert!(told, "{name}, {words}: {found:?}");
    };
    said("configuration", "did you mean `jobs`?");
    said("permissions", "`chmod o= FILE`");

    std::fs::write(&path, "this is no ledger").unwrap();
    let ended = place.run(&["doctor", "--database", &url]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("WRONG ledger"), "{}", ended.out);
}

//! `backup`: a whole copy, made while somebody writes, and nothing half done.

use std::os::unix::fs::PermissionsExt;

use funcron::store::{Event, Ledger, backup};
use jiff::Timestamp;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{Place, sample};

/// What SQLite itself says of a file.
async fn integrity(path: &std::path::Path) -> String {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let query = sqlx::query_scalar("PRAGMA integrity_check");
    query.fetch_one(&mut connection).await.unwrap()
}

/// What lies in the place, without what SQLite keeps beside a ledger.
fn files(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.dir.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| !name.starts_with("funcron.db"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_is_whole_and_answers_like_the_ledger() {
    let place = Place::new();
    sample(&place).await;
    let said = place.read(&["backup", "copy.db", "-o", "json"]).json();
    let copy = place.path("copy.db");
    let metadata = std::fs::metadata(&copy).unwrap();
    assert_eq!(said["bytes"], metadata.len());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    assert_eq!(integrity(&copy).await, "ok");
    assert_eq!(files(&place), ["copy.db"], "nothing is left beside it");
    let url = format!("sqlite://{}", copy.display());
    let of_copy = |arguments: &[&str]| {
        let mut all = vec!["--database", &url];
        all.extend(arguments);
        place.run(&all).out
    };
    for question in [
        &["history", "-o", "json"][..],
        &["audit", "verify", "-o", "json"],
    ] {
        assert_eq!(of_copy(question), place.read(question).out);
    }
}

#[tokio::test]
async fn nothing_that_is_there_is_overwritten_and_a_failure_leaves_nothing() {
    let place = Place::new();
    sample(&place).await;
    place.write("mine", "precious");
    let said = place.read(&["backup", "mine"]).refused(1);
    assert!(said.contains("mine is there already"), "{said}");
    assert_eq!(
        std::fs::read_to_string(place.path("mine")).unwrap(),
        "precious"
    );
    let said = place.read(&["backup", "nowhere/copy.db"]).refused(1);
    assert!(
        said.contains("writing the backup nowhere/copy.db"),
        "{said}"
    );
    place.write("funcron.db", "no ledger at all, whatever its name");
    let said = place.read(&["backup", "copy.db"]).refused(1);
    assert!(said.contains("no funcron ledger"), "{said}");
    assert_eq!(files(&place), ["mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_goes_on_while_the_copy_is_made() {
    let place = Place::new();
    sample(&place).await;
    place
        .change(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
             INSERT INTO events (at_us, kind, actor, detail) SELECT i, 'trigger', 'a test', hex(randomblob(100000)) FROM n",
        )
        .await;
    let (ledger, held) = Ledger::open(&place.ledger(), Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let (begun, copied) = (
        std::sync::atomic::AtomicBool::new(false),
        place.path("copy.db"),
    );
    let heard = |bytes: u64, all: u64| {
        assert!(all > 100_000_000, "{all}");
        begun.store(bytes > 0, std::sync::atomic::Ordering::SeqCst);
    };
    let path = place.ledger();
    let mut copy = std::pin::pin!(backup(&path, &copied, heard));
    let mut during = 0;
    let bytes = loop {
        let has_begun = begun.load(std::sync::atomic::Ordering::SeqCst);
        let event = Event {
            at: Timestamp::UNIX_EPOCH,
            kind: "trigger",
            actor: "while it is copied".to_owned(),
            detail: "{}".to_owned(),
        };
        tokio::select! {
            copied = &mut copy => break copied.unwrap(),
            written = ledger.record(event) => {
                written.unwrap();
                during += u64::from(has_begun);
            }
        }
    };
    assert!(during > 0, "a write began and ended while the copy grew");
    assert!(bytes > 100_000_000, "{bytes}");
    held.release(ledger).await;
    assert_eq!(integrity(&copied).await, "ok");
}

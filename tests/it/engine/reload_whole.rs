//! A large reload is taken over whole or not at all.

use funcron::engine::EngineError;
use sha2::{Digest, Sha256};

use crate::support::house::{House, at, job};

const JOBS: usize = 5_000;

/// Refuses the last of the rows that a reload writes.
const LAST_IS_REFUSED: &str = "CREATE TRIGGER outage BEFORE INSERT ON job_versions
     WHEN NEW.job = 'j4999' BEGIN SELECT RAISE(ABORT, 'an outage'); END";

fn jobs(hour: usize) -> Vec<String> {
    let all = (0..JOBS).map(|n| job(&format!("j{n:04}"), &format!("{} {hour} * * *", n % 60), ""));
    all.collect()
}

#[test]
fn five_thousand_definitions_change_in_one_go_or_not_at_all() {
    const VERSIONS: &str = "SELECT concat_ws(' ', job, definition_hash, from_us, until_us) FROM job_versions ORDER BY id";
    const RELOADS: &str = "SELECT detail FROM events WHERE kind LIKE 'reload%'";
    let mut house = House::new(&jobs(5));
    assert_eq!(house.quiesce().wake, Some(at("05:00")));
    let before = house.texts(VERSIONS);
    assert_eq!(before.len(), JOBS);

    house.connect().execute(LAST_IS_REFUSED);
    let failed = house.try_reload(&jobs(3)).unwrap_err();
    assert!(matches!(failed, EngineError::Store(_)), "{failed}");
    assert_eq!(
        house.texts(VERSIONS),
        before,
        "nothing of it is in the ledger"
    );
    assert_eq!(house.texts(RELOADS), Vec::<String>::new());
    assert_eq!(house.quiesce().wake, Some(at("05:00")), "nor in memory");

    house.connect().execute("DROP TRIGGER outage");
    let difference = house.reload(&jobs(3));
    assert_eq!(difference.changes().count(), JOBS);
    assert_eq!(house.texts(RELOADS).len(), 1);
    assert_eq!(house.quiesce().wake, Some(at("03:00")));
    let open = "SELECT count(*) || ' ' || count(DISTINCT from_us) || ' ' || count(DISTINCT definition_hash)
         FROM job_versions WHERE until_us IS NULL";
    assert_eq!(house.texts(open), [format!("{JOBS} 1 {JOBS}")]);
    assert_eq!(house.texts(VERSIONS).len(), 2 * JOBS);
    let stored = house.texts("SELECT definition_hash || ' ' || definition FROM job_versions");
    for row in stored {
        let (hash, definition) = row.split_once(' ').unwrap();
        let digest = Sha256::digest(definition);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, digits);
    }
}

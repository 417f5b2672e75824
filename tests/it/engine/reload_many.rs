//! A reload of more jobs than are compared and written at once.

use std::collections::BTreeMap;

use crate::support::house::{House, job};

/// More than two pages of versions, and no multiple of anything.
const JOBS: usize = 2_345;

fn name(number: usize) -> String {
    format!("job-{number:04}")
}

/// What becomes of the job of that number.
fn fate(number: usize) -> Option<&'static str> {
    [None, Some("removed"), Some("edited"), Some("rescheduled")][number % 4]
}

#[test]
fn each_of_many_jobs_changes_in_its_own_way_and_the_ledger_is_whole() {
    let before: Vec<String> = (0..JOBS)
        .map(|number| job(&name(number), "1 0 1 1 *", ""))
        .collect();
    // Before, between and behind those that are there.
    let added = ["a-first", "job-0777-and-a-half", "z-last"];
    let after: Vec<String> = (0..JOBS)
        .filter_map(|number| {
            let name = name(number);
            match fate(number) {
                None => Some(job(&name, "1 0 1 1 *", "")),
                Some("edited") => Some(job(&name, "1 0 1 1 *", "timeout: 61s")),
                Some("rescheduled") => Some(job(&name, "2 0 1 1 *", "")),
                Some(_) => None,
            }
        })
        .chain(added.map(|name| job(name, "1 0 1 1 *", "")))
        .collect();

    let changes: BTreeMap<String, &str> = (0..JOBS)
        .filter_map(|number| Some((name(number), fate(number)?)))
        .chain(added.map(|name| (name.to_owned(), "added")))
        .collect();

    let mut house = House::new(&before);
    let difference = house.reload(&after);
    let told: BTreeMap<String, &str> = difference
        .changes()
        .map(|(job, change)| (job.to_string(), change))
        .collect();
    assert_eq!(told, changes);
    assert!(house.reload(&after).is_empty(), "the ledger has it all");
    house.restart();
    assert!(house.reload(&after).is_empty());
}

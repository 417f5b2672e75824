//! `overlap`, `catchup`, `max_catchup`: from the file to the definition and back from the ledger.

use funcron::config::definition;
use funcron::domain::job::{Catchup, Job, Overlap};

use super::*;

fn with(keys: &str) -> Job {
    let loaded = accept(jobs(&format!(
        "  - {{ name: a, func_id: a__b.c, schedule: \"@daily\"{keys} }}\n"
    )));
    assert_eq!(loaded.warnings.len(), 0, "{keys}");
    Job::clone(&loaded.config.jobs[0])
}

#[test]
fn every_policy_has_its_word_in_the_definition_and_is_read_back() {
    for (word, overlap) in [
        ("skip", Overlap::Skip),
        ("queue_one", Overlap::QueueOne),
        ("queue_all", Overlap::QueueAll),
        ("allow", Overlap::Allow),
        ("cancel_running", Overlap::CancelRunning),
    ] {
        let job = with(&format!(", overlap: {word}"));
        assert_eq!(job.overlap, overlap);
        assert!(
            job.definition
                .to_string()
                .contains(&format!(r#""overlap":"{word}""#))
        );
        assert_eq!(
            definition::read(&job.definition.to_string())
                .unwrap()
                .overlap,
            overlap
        );
    }
    for (word, catchup, caught_up) in [
        ("none", Catchup::None, 0),
        ("latest", Catchup::Latest, 1),
        ("all", Catchup::All, 100),
    ] {
        let job = with(&format!(", catchup: {word}"));
        assert_eq!((job.catchup, job.ticks_caught_up()), (catchup, caught_up));
        assert!(
            job.definition
                .to_string()
                .contains(&format!(r#""catchup":"{word}""#))
        );
        let read = definition::read(&job.definition.to_string()).unwrap();
        assert_eq!((read.catchup, read.ticks_caught_up()), (catchup, caught_up));
    }
}

/// Or every job of every ledger would have changed by an upgrade alone.
#[test]
fn a_definition_keeps_its_hash_where_max_catchup_is_what_it_always_was() {
    let without = with(", catchup: all");
    let default = with(", catchup: all, max_catchup: 100");
    assert!(!without.definition.to_string().contains("max_catchup"));
    assert_eq!(without.hash, default.hash);
    let other = with(", catchup: all, max_catchup: 10000");
    assert!(
        other
            .definition
            .to_string()
            .contains(r#""catchup_window":"1h","max_catchup":10000,"#)
    );
    assert_ne!(other.hash, without.hash);
    assert_eq!(
        definition::read(&other.definition.to_string())
            .unwrap()
            .max_catchup,
        10_000
    );
}

#[test]
fn defaults_hold_them_too_and_are_no_reason_to_warn() {
    let text = HEAD.replace("prod }\n", "prod, overlap: queue_one, max_catchup: 7 }\n")
        + "jobs:\n  - { name: a, func_id: a__b.c, schedule: \"@daily\", overlap: allow }\n"
        + "  - { name: b, func_id: a__b.c, schedule: \"@daily\", catchup: all }\n";
    let loaded = accept(parse(&text));
    assert_eq!(loaded.warnings.len(), 0);
    let [a, b] = &loaded.config.jobs[..] else {
        panic!("two jobs");
    };
    assert_eq!((a.overlap, b.overlap), (Overlap::Allow, Overlap::QueueOne));
    assert_eq!((a.ticks_caught_up(), b.ticks_caught_up()), (1, 7));
}

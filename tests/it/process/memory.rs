//! Hostile replies, all at once: bounded in time and in memory (guarantee G7).

use super::{UNLIMITED, open_house};
use crate::support::daemon::Folder;

/// MiB that the daemon may take (contract, section 2).
const MOST: u64 = 120;

/// Of each kind so many jobs.
const EACH: usize = 6;

/// Name, function and arguments; what may become of the call.
const HOSTILE: [(&str, &str, &[&str]); 10] = [
    (
        "huge",
        "sandbox__http.huge, kwargs: { megabytes: 64 }",
        &["bad_reply", "no_reply"],
    ),
    (
        "bomb",
        "sandbox__http.gzip_bomb, kwargs: { megabytes: 200 }",
        &["bad_reply", "no_reply"],
    ),
    (
        "endless",
        "sandbox__http.endless",
        &["bad_reply", "no_reply"],
    ),
    (
        "drip",
        "sandbox__http.drip, kwargs: { bytes: 100000, interval_ms: 50 }",
        &["no_reply"],
    ),
    ("hang", "sandbox__http.hang", &["no_reply"]),
    (
        "deep",
        "sandbox__http.deep, kwargs: { levels: 1000000 }",
        &["bad_reply", "no_reply"],
    ),
    ("headers", "sandbox__http.headers", &["no_reply"]),
    ("broken", "sandbox__http.not_utf8", &["bad_reply"]),
    ("short", "sandbox__http.truncated", &["no_reply"]),
    ("reset", "sandbox__http.reset", &["no_reply"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_replies_arriving_at_once_end_as_unknown_within_the_memory_promised() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let mut jobs = "defaults: { workspace: sandbox, timeout: 6s }\njobs:\n".to_owned();
    for (name, function, _) in HOSTILE {
        for n in 0..EACH {
            jobs.push_str(&format!(
                "  - {{ name: {name}-{n}, func_id: {function}, schedule: \"* * * * * *\" }}\n"
            ));
        }
    }
    // Large, and good: such replies are judged and kept, which takes memory, too.
    for n in 0..EACH {
        jobs.push_str(&format!(
            "  - {{ name: large-{n}, func_id: sandbox__ok.big, kwargs: {{ bytes: 8000000 }}, schedule: \"* * * * * *\", timeout: 60s, expect: [\"result | length == 8000000\"] }}\n"
        ));
    }
    folder.configure(
        &sandbox.base_url(),
        &format!("{UNLIMITED}, max_in_flight: 128"),
        &jobs,
    );
    let daemon = folder.start().await;
    let everyone_twice = format!(
        "SELECT count(*) FROM (SELECT job FROM runs WHERE state IN ('unknown', 'success') GROUP BY job HAVING count(*) >= 2) \
         HAVING count(*) = {}",
        EACH * (HOSTILE.len() + 1)
    );
    folder.until::<(i64,)>(&everyone_twice).await;
    let peak = daemon.peak_memory();
    println!("peak of the daemon's memory: {peak} MiB");
    assert!(peak <= MOST, "{peak} MiB");

    for (name, _, allowed) in HOSTILE {
        let ends: Vec<(String, String)> = folder
            .rows(&format!(
                "SELECT DISTINCT state, coalesce(reason, '') FROM runs \
                 WHERE job LIKE '{name}-%' AND state NOT IN ('running', 'waiting', 'skipped')"
            ))
            .await;
        for (state, reason) in ends {
            assert_eq!(state, "unknown", "{name}: {reason}");
            assert!(allowed.contains(&reason.as_str()), "{name}: {reason}");
        }
    }
    let good: Vec<(String,)> = folder
        .rows("SELECT DISTINCT state FROM runs WHERE job LIKE 'large-%' AND state NOT IN ('running', 'waiting', 'skipped')")
        .await;
    assert_eq!(good, [("success".to_owned(),)]);
    daemon.stop().await;
    folder.audit();
}

//! Configurations: good ones with stretches of them exchanged.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{bounded, cases, edited, edits};
use funcron::config;

/// What means something to YAML, to the keys, or to those who look after both.
const PIECES: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ": ",
    ",",
    "- ",
    "*",
    "&a ",
    "*a",
    "!",
    "!!binary ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "%",
    "@",
    "`",
    "#",
    "? ",
    "~",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    "\r",
    "<<: *a",
    "---\n",
    "...\n",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\\x00",
    "\u{1}",
    "null",
    "true",
    "1e999",
    "0x",
    "-1",
    "99999999999999999999",
    "1h",
    "0s",
    "20/min",
    "name",
    "jobs:\n",
    "defaults:\n",
    "schedule",
    "{{ job }}",
    "{{",
    "}}",
    "$",
    "é",
    "报表",
];

/// Everything a job can say, in little.
const SMALL: &str = r#"
workspaces:
  w: { site: cn1, api_key: { env: K }, quota: { per_key: 20/min, per_workspace: none } }
defaults: &d
  workspace: w
  retry: { max_attempts: 3, initial_delay: 5s, on: [network_error], jitter: 0.2 }
jobs:
  - name: a
    func_id: f__s.m
    labels: { team: sre }
    kwargs: { at: "{{ scheduled_at | date('%F') }}", n: [1, 2.5, null] }
    secret_kwargs: { t: { file: t.key } }
    schedule: ["*/5 * * * mon-fri", "@daily"]
    timezone: Asia/Shanghai
    dst: { gap: skip, overlap: both }
    except: ["2026-10-01/2026-10-07", "holidays-cn"]
    overlap: queue_one
    catchup: all
    timeout: 60s
    expect: ["result.count > 0"]
"#;

/// The golden tests' files, good and bad, and the job above as often as all of them together.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut seeds: Vec<String> = std::fs::read_dir(folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .filter_map(|path| std::fs::read_to_string(path).ok())
        // One case of a large file takes as long as a hundred.
        .filter(|text| text.len() < 3_000)
        .collect();
    seeds.sort();
    let small = std::iter::repeat_n(SMALL.to_owned(), seeds.len());
    seeds.extend(small);
    seeds
});

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn a_configuration_with_stretches_exchanged_is_read_or_refused_in_words(
        seed in any::<Index>(), edits in edits(PIECES),
    ) {
        let text = edited(&SEEDS[seed.index(SEEDS.len())], &edits);
        let read = bounded(&text, || config::parse(&text, Path::new("/nowhere/jobs.yaml")));
        if let Err(refused) = read {
            prop_assert!(!refused.errors.is_empty());
            prop_assert!(refused.to_string().len() < 1 << 20);
        }
    }
}

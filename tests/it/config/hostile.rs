//! Files made to hurt: refused in words, for bounded work, without a panic.

use proptest::prelude::*;

use super::*;
use crate::support::hostile::{self, Hostile};

/// What is told must stay small however large the file is.
fn first_refusal(text: &str) -> String {
    let refused = parse(text).expect_err("accepted");
    assert!(refused.errors.len() <= 1000);
    refused.errors[0].to_string()
}

#[test]
fn a_file_made_to_grow_is_refused_before_it_does() {
    for Hostile { name, text, said } in hostile::files() {
        let refused = first_refusal(&text);
        assert!(refused.contains(said), "{name}: {refused}");
    }
}

#[test]
fn five_thousand_jobs_as_json_in_one_bracket_are_fine() {
    assert_eq!(
        accept(parse(&hostile::many_jobs_in_one_bracket()))
            .config
            .jobs
            .len(),
        5000
    );
}

#[test]
fn a_flood_of_faults_is_told_up_to_a_thousand() {
    let mut text = String::from("jobs: []\n");
    for n in 0..5000 {
        text.push_str(&format!("key{n}: !tag x\n"));
    }
    let refused = parse(&text).unwrap_err();
    assert_eq!(refused.errors.len(), 1000);
    assert_eq!(refused.omitted, 9000);
    assert!(refused.to_string().ends_with("… and 9000 more"));
}

#[test]
fn control_characters_are_refused_where_they_stand() {
    assert_eq!(
        first_refusal("jobs: []\n# a\0b\njobs: [hidden]"),
        "/etc/funcron/jobs.yaml:2:4: the control character U+0000; remove it; in a quoted text write \\x… instead"
    );
}

#[test]
fn one_bad_key_among_five_thousand_jobs_is_found_exactly() {
    let mut text = format!("{HEAD}jobs:\n");
    for n in 0..5000 {
        let key = if n == 4321 { "tmeout" } else { "timeout" };
        text.push_str(&format!(
            "  - name: job-{n}\n    func_id: a__b.c\n    schedule: '*/5 * * * *'\n    {key}: 60s\n"
        ));
    }
    assert_eq!(
        refusal(parse(&text)),
        "/etc/funcron/jobs.yaml:17291:5: jobs.job-4321: unknown key `tmeout`; did you mean `timeout`?"
    );
    assert_eq!(
        accept(parse(&text.replace("tmeout", "timeout")))
            .config
            .jobs
            .len(),
        5000
    );
}

/// The example with a few bytes exchanged for others that mean something to YAML.
fn mutated() -> impl Strategy<Value = String> {
    let example = include_str!("../../../jobs.example.yaml");
    let meaningful = r#"[]{}:,-*&!|>'"%@`#?~ \nay0.<=/"#.replace("\\n", "\n\t\r");
    let signs: Vec<char> = meaningful.chars().collect();
    let edit = (
        0..example.len(),
        0..40_usize,
        proptest::sample::select(signs),
        0..4_usize,
    );
    proptest::collection::vec(edit, 1..8).prop_map(move |edits| {
        let mut chars: Vec<char> = example.chars().collect();
        for (at, len, sign, times) in edits {
            let at = at % chars.len();
            let end = (at + len).min(chars.len());
            chars.splice(at..end, std::iter::repeat_n(sign, times));
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_heap_of_yaml_signs_makes_it_panic(text in "[\\[\\]{}:,\\-*&!|>'\"%@`#?~ \n\ta0.<=]{0,120}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_mutation_of_the_example_makes_it_panic(text in mutated()) {
        let result = parse(&text);
        for line in told(&result).lines() {
            prop_assert!(line.contains("jobs.yaml"), "{}", line);
        }
    }
}

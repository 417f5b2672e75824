//! Files made to hurt: refused in words, for bounded work, without a panic.

use proptest::prelude::*;

use super::*;

/// What is told must stay small however large the file is.
fn first_refusal(text: &str) -> String {
    let refused = parse(text).expect_err("accepted");
    assert!(refused.errors.len() <= 1000);
    refused.errors[0].to_string()
}

#[test]
fn one_long_text_aliased_ten_thousand_times_is_refused_before_it_grows() {
    let text = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a,".repeat(10_000)
    );
    let refused = first_refusal(&text);
    assert!(refused.contains("grows beyond"), "{refused}");
}

#[test]
fn nesting_is_refused_at_its_limit_through_aliases_too() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        format!("jobs:\n  {}x", "- ".repeat(100_000)),
        {
            let mut chain = String::from("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
            for n in 1..1000 {
                chain.push_str(&format!("a{n}: &a{n} [[[[[[[[[[*a{}]]]]]]]]]]\n", n - 1));
            }
            chain
        },
    ] {
        let refused = first_refusal(&text);
        assert!(refused.contains("nested deeper than"), "{refused}");
    }
}

#[test]
fn millions_of_values_and_large_defaults_times_many_jobs_are_refused() {
    let text = format!(
        "x: &x [{}]\njobs: [{}]",
        "1,".repeat(1_500),
        "*x,".repeat(1_500)
    );
    let refused = first_refusal(&text);
    assert!(refused.contains("grows beyond"), "{refused}");

    let jobs = "{name: x},".repeat(10_000);
    let defaults = format!("{{kwargs: {{a: {}}}}}", "x".repeat(10_000));
    let refused = first_refusal(&format!("defaults: {defaults}\njobs: [{jobs}]"));
    assert!(refused.contains("these defaults grow beyond"), "{refused}");

    let refused = first_refusal(&format!("jobs: [{}]", "{},".repeat(100_001)));
    assert!(
        refused.contains("100001 jobs are more than 100000"),
        "{refused}"
    );

    let many = "      - '@daily'\n".repeat(300_001);
    let text = format!("{HEAD}jobs:\n  - name: a\n    func_id: a__b.c\n    schedule:\n{many}");
    let refused = first_refusal(&text);
    assert!(refused.contains("more than 300000 schedules"), "{refused}");
}

#[test]
fn a_bracket_whose_tokens_would_be_held_in_gigabytes_is_refused() {
    for text in [
        format!("[{}", "a:,".repeat(500_000)),
        format!("{{{}", "a: b,\n ".repeat(500_000)),
        format!("jobs:\n  - [{}", "&a !b x,".repeat(500_000)),
    ] {
        let refused = first_refusal(&text);
        assert!(refused.contains("too large for one bracket"), "{refused}");
    }
}

#[test]
fn five_thousand_jobs_as_json_in_one_bracket_are_fine() {
    let jobs: Vec<_> = (0..5000)
        .map(|n| serde_json::json!({ "name": format!("job-{n}"), "func_id": "a__b.c", "schedule": "0,30 * * * *", "kwargs": { "a": [1, 2], "b": n } }))
        .collect();
    let text = serde_json::json!({
        "workspaces": { "prod": { "site": "cn1", "api_key": { "env": "K" } } },
        "defaults": { "workspace": "prod" },
        "jobs": jobs,
    });
    assert_eq!(accept(parse(&text.to_string())).config.jobs.len(), 5000);
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

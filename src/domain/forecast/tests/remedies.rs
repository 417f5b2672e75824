//! Of any jobs: what is suggested fits, and where nothing is, nothing did.

use proptest::prelude::*;

use super::*;

const EXPRESSIONS: [&str; 7] = [
    "0 * * * *",
    "*/5 * * * *",
    "0,5 * * * *",
    "30 2 * * *",
    "* * * * *",
    "@every 90s",
    "*/20 9-17 * * mon-fri",
];

const OVERLAPS: [Overlap; 5] = [
    Overlap::Skip,
    Overlap::QueueOne,
    Overlap::QueueAll,
    Overlap::Allow,
    Overlap::CancelRunning,
];

fn any_job() -> impl Strategy<Value = (usize, usize, u64, usize, u64)> {
    let spread = prop::sample::select(vec![0, 0, 0, 60, 600, 7_200]);
    let deadline = prop::sample::select(vec![30, 90, 300, 86_400]);
    (
        0..EXPRESSIONS.len(),
        1_usize..12,
        spread,
        0..OVERLAPS.len(),
        deadline,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_remedy_taken_leaves_no_crowd(
        groups in prop::collection::vec(any_job(), 1..6),
        limit in 3_u32..24,
    ) {
        let fixtures: Vec<Fixture> = groups.iter().enumerate().flat_map(|(group, (which, count, spread, overlap, deadline))| {
            (0..*count).map(move |number| Fixture {
                spread: Duration::from_secs(*spread),
                overlap: OVERLAPS[*overlap],
                ..Fixture::new(&format!("job-{group}-{number}"), EXPRESSIONS[*which]).start_deadline(*deadline)
            })
        }).collect();
        let proof = proven_within(&fixtures, limit, 2);
        match &proof.remedy {
            None => prop_assert_eq!(proof.crowds, []),
            Some(remedy @ Remedy::Spread { .. }) => {
                prop_assert!(!proof.crowds.is_empty());
                let after = proven_within(&remedied(fixtures, remedy), limit, 2);
                prop_assert_eq!(after.crowds, []);
            }
            Some(Remedy::None) => {
                let crowded: Vec<JobName> = proof.crowds.iter().flat_map(|crowd| crowd.jobs.clone()).collect();
                // Of any that it tried, the longest: it fails as the words say.
                let mut fixtures = fixtures;
                for fixture in fixtures.iter_mut().filter(|fixture| crowded.contains(&fixture.name)) {
                    fixture.spread = fixture.spread.max(SPREADS[SPREADS.len() - 1]);
                }
                let after = proven_within(&fixtures, limit, 2);
                prop_assert!(!after.crowds.is_empty());
            }
            Some(Remedy::Unknown) => prop_assert!(false, "two days are not too much to look at"),
        }
    }
}

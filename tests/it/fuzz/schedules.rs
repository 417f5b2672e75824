//! Schedules: what is read says its next ticks, what is not says why.

use funcron::domain::schedule::{Dst, DstGap, DstOverlap, Schedule, ScheduleSpec};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use super::{bounded, cases};

/// Zones whose clocks do odd things, and names of none.
const ZONES: [&str; 10] = [
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Nuuk",
    "Local",
    "",
    "../../etc/passwd",
];

/// Fields, most of them good, and what is put between them.
fn field() -> impl Strategy<Value = String> {
    let number = || prop_oneof![8 => 0..70_u64, 1 => 1970..2101_u64, 1 => any::<u64>()];
    let item = prop_oneof![
        4 => Just("*".to_owned()),
        3 => number().prop_map(|n| n.to_string()),
        2 => (number(), number()).prop_map(|(a, b)| format!("{a}-{b}")),
        2 => number().prop_map(|n| format!("*/{n}")),
        1 => (number(), number(), number()).prop_map(|(a, b, c)| format!("{a}-{b}/{c}")),
        2 => select(vec![
            "H", "H(0-5)", "H/7", "L", "L-3", "LW", "15W", "1#2", "5L", "?", "mon-fri", "jan,dec", "sun", "", "-", "/", "~",
        ]).prop_map(str::to_owned),
        1 => "[-0-9*/,LWH#?()@a-z]{0,6}",
    ];
    proptest::collection::vec(item, 1..3).prop_map(|items| items.join(","))
}

fn expression() -> impl Strategy<Value = String> {
    let calendar = proptest::collection::vec(field(), 4..9).prop_map(|fields| fields.join(" "));
    let word = select(vec![
        "@yearly",
        "@monthly",
        "@weekly",
        "@daily",
        "@hourly",
        "@manual",
        "@every 7m",
        "@every 0s",
        "@every 999999999999999d",
        "@at 2026-12-24T18:00:00+08:00",
        "@at 9999-12-31T23:59:59Z",
        "@at -009999-01-01T00:00:00Z",
        "@at 2026-02-30T00:00:00Z",
        "@reboot",
    ]);
    prop_oneof![
        8 => calendar,
        1 => word.prop_map(str::to_owned),
        1 => (word_with(), "[-0-9a-zTZ:+ ]{0,24}").prop_map(|(word, rest)| format!("{word} {rest}")),
        1 => "\\PC{0,60}",
    ]
}

fn word_with() -> impl Strategy<Value = &'static str> {
    select(vec!["@every", "@at"])
}

fn dst() -> impl Strategy<Value = Dst> {
    let gap = select(vec![DstGap::RunAfter, DstGap::Skip]);
    let overlap = select(vec![DstOverlap::First, DstOverlap::Last, DstOverlap::Both]);
    (gap, overlap).prop_map(|(gap, overlap)| Dst { gap, overlap })
}

/// Reads it and walks along its ticks, each later than the last.
fn walk(expressions: &[String], timezone: &str, dst: Dst, from: i64) {
    let spec = ScheduleSpec {
        expressions,
        timezone,
        dst,
        starts_at: None,
        ends_at: None,
        job: "job",
    };
    let schedule = match Schedule::parse(&spec) {
        Ok(schedule) => schedule,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a word");
            return;
        }
    };
    let mut at = Timestamp::from_second(from).expect("an instant");
    for _ in 0..4 {
        let Some(tick) = schedule.next_after(at) else {
            break;
        };
        assert!(tick.at > at);
        let _ = schedule.explain(&tick);
        at = tick.at;
    }
    let _ = schedule.is_exhausted_at(at);
}

proptest! {
    #![proptest_config(cases(30_000))]

    #[test]
    fn a_schedule_of_any_text_is_refused_or_says_its_next_ticks(
        expressions in proptest::collection::vec(expression(), 1..4),
        timezone in select(ZONES.to_vec()),
        dst in dst(),
        from in prop_oneof![4 => 0..4_200_000_000_i64, 1 => -300_000_000_000..250_000_000_000_i64],
    ) {
        bounded(&(&expressions, timezone, dst, from), || walk(&expressions, timezone, dst, from));
    }
}

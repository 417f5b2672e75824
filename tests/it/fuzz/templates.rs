//! Templates and expectations: their work and what they make are bounded.

use std::sync::LazyLock;

use funcron::config::json_text;
use funcron::domain::expect::{ExpectContext, Expectation};
use funcron::domain::json::Json;
use funcron::domain::template::{KwargsTemplate, TemplateContext};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::{bounded, cases};

/// Twice of what one template may make, since JSON escapes.
const MOST: usize = 2 << 20;

const OF_A_RUN: &[&str] = &[
    "scheduled_at",
    "run_id",
    "job",
    "attempt",
    "trigger",
    "previous_success_at",
];

const OF_A_REPLY: &[&str] = &[
    "result",
    "content",
    "cost_ms",
    "duration_ms",
    "result.items",
    "result.text",
    "result.items[7]",
];

const LITERALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "7",
    "9223372036854775807",
    "1e308",
    "0.1",
    "none",
    "true",
    "''",
    "'x'",
    "'%F'",
    "'-1d'",
    "'%%%%%%'",
    "'+999999999999h'",
    "'Asia/Shanghai'",
    "'报表'",
    "[]",
    "{}",
    "[1]",
    "(1,)",
    "[1, 'x']",
    "['0123456789']",
    "{'a': 1}",
    "'/etc/passwd'",
];

/// How often something is to be there: what grows, grows by these.
const OFTEN: &[&str] = &[
    "0",
    "3",
    "1000",
    "100000",
    "9999999",
    "100000000",
    "99999999999999",
];

/// The same of texts in an expectation, whose fuel is for large replies: ten megabytes take a second.
const TEXTS_OFTEN: &[&str] = &["0", "3", "1000", "100000", "99999999999999"];

/// The same of lists that a reply brings. More is the doing of whoever writes the expression, and
/// takes the time it takes.
const A_FEW_TIMES: &[&str] = &["0", "1", "3", "9"];

fn words(list: &[&str]) -> impl Strategy<Value = String> + Clone + use<> {
    select(list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
}

fn expression(names: &[&str], times: &[&str]) -> impl Strategy<Value = String> + use<> {
    let times = words(times);
    let text = words(&["'x'", "'报表'", "(1, 2)"]);
    let grown = (text, words(TEXTS_OFTEN)).prop_map(|(a, times)| format!("{a} * {times}"));
    let operators = vec![
        "+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "and", "or", "in", "is", "|",
    ];
    let filters = vec![
        "date('%F')",
        "date('%Q%9999d')",
        "shift('-1d')",
        "shift('+99999999999d')",
        "tz('UTC')",
        "tz('../x')",
        "length",
        "join('x')",
        "indent(100000000)",
        "replace('', 'xxxxxxxx')",
        "list",
        "batch(2)",
        "slice(100000000)",
        "tojson",
        "urlencode",
        "sort",
        "reverse",
        "map('upper')",
        "select('odd')",
        "string",
        "pprint",
        "safe",
        "default(0)",
        "round(999999)",
        "split('')",
        "sum",
        "unique",
        "title",
        "format(1)",
        "nosuch",
    ];
    prop_oneof![8 => words(names), 8 => words(LITERALS), 1 => grown].prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            5 => (inner.clone(), select(operators.clone()), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})")),
            4 => (inner.clone(), select(filters.clone())).prop_map(|(a, filter)| format!("({a}) | {filter}")),
            4 => (inner.clone(), times.clone()).prop_map(|(a, times)| format!("({a}) * {times}")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}:]")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) if ({b}) else ({c})")),
            1 => (select(vec!["range", "dict", "namespace", "include", "lipsum", "debug"]), inner.clone())
                .prop_map(|(function, a)| format!("{function}({a})")),
            1 => inner.prop_map(|a| format!("{{'k': {a}}}")),
        ]
    })
}

fn template() -> impl Strategy<Value = String> {
    let literal = select(vec![
        "",
        "",
        "",
        "x",
        "{",
        "}}",
        "{% include '/etc/passwd' %}",
        "{# #}",
        "{{",
        "报表",
    ]);
    let piece = (literal, expression(OF_A_RUN, OFTEN))
        .prop_map(|(text, inside)| format!("{text}{{{{ {inside} }}}}"));
    prop_oneof![
        6 => proptest::collection::vec(piece, 1..3).prop_map(|pieces| pieces.concat()),
        1 => "[{}%a-z_'\"|(). \\\\*0-9-]{0,60}",
    ]
}

fn rendered(template: &str) -> Option<Json> {
    let kwargs = Json::Object(vec![("k".to_owned(), Json::String(template.to_owned()))]);
    let parsed = KwargsTemplate::parse(&kwargs).ok()?;
    parsed
        .render(&TemplateContext {
            scheduled_at: Timestamp::from_second(1_790_000_000).expect("an instant"),
            zone: TimeZone::UTC,
            run_id: "019b0000-0000-7000-8000-000000000000".to_owned(),
            job: "job".to_owned(),
            attempt: 1,
            trigger: "schedule",
            previous_success_at: None,
        })
        .ok()
}

/// A reply with something of everything.
static REPLY: LazyLock<Json> = LazyLock::new(|| {
    let items = (0..30).map(Json::Int).collect();
    let result = Json::Object(vec![
        ("items".to_owned(), Json::Array(items)),
        ("text".to_owned(), Json::String("x".repeat(1_000))),
    ]);
    let data = Json::Object(vec![("result".to_owned(), result)]);
    Json::Object(vec![
        ("ok".to_owned(), Json::Bool(true)),
        ("data".to_owned(), data),
    ])
});

fn checked(expression: &str) {
    if let Ok(expectation) = Expectation::parse(expression) {
        let context = ExpectContext::new(REPLY.clone(), Some(5), 20);
        let _ = expectation.check(&context);
    }
}

proptest! {
    #![proptest_config(cases(25_000))]

    #[test]
    fn a_template_of_any_text_makes_something_small_or_nothing(template in template()) {
        if let Some(made) = bounded(&template, || rendered(&template)) {
            let length = json_text(&made).len();
            prop_assert!(length <= MOST, "{length} bytes");
            prop_assert!(!json_text(&made).contains("root:"), "it has read a file");
        }
    }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn an_expectation_of_any_text_is_soon_decided(expression in expression(OF_A_REPLY, A_FEW_TIMES)) {
        bounded(&expression, || checked(&expression));
    }
}

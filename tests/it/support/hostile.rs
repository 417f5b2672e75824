//! Configurations made to hurt: small files that grow, large ones that are nothing.

use serde_json::json;

/// One of them.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    /// Words of its refusal.
    pub(crate) said: &'static str,
}

const GROWS: &str = "grows beyond";
const DEEP: &str = "nested deeper than";
const BRACKET: &str = "too large for one bracket";
const DEFAULTS: &str = "these defaults grow beyond";
const SCHEDULES: &str = "more than 300000 schedules";
const JOBS: &str = "jobs are more than 100000";

const HEAD: &str = "\
workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
defaults: { workspace: prod }
";

/// A text of 31 MiB: as large as a configuration may be.
const LARGE: usize = 31 << 20;

/// Small ones, all of them refused.
pub(crate) fn files() -> Vec<Hostile> {
    let row = "1,".repeat(1_500);
    let millions = format!("x: &x [{row}]\njobs: [{}]", "*x,".repeat(1_500));
    let items = format!("jobs:\n  {}x", "- ".repeat(100_000));
    let jobs = format!("jobs: [{}]", "{},".repeat(100_001));
    let keys = format!("[{}", "a:,".repeat(500_000));
    let entries = format!("{{{}", "a: b,\n ".repeat(500_000));
    let anchors = format!("jobs:\n  - [{}", "&a !b x,".repeat(500_000));
    Hostile::all([
        ("one long text aliased", aliased(), GROWS),
        ("open brackets", "[".repeat(100_000), DEEP),
        ("open braces", "{a: ".repeat(100_000), DEEP),
        ("items of items", items, DEEP),
        ("nested through aliases", nested_through_aliases(), DEEP),
        ("millions of values", millions, GROWS),
        ("defaults times jobs", large_defaults(), DEFAULTS),
        ("many jobs", jobs, JOBS),
        ("many schedules", many_schedules(), SCHEDULES),
        ("keys in a bracket", keys, BRACKET),
        ("entries in a brace", entries, BRACKET),
        ("anchors in a bracket", anchors, BRACKET),
    ])
}

/// Large ones, which take their time where nothing is optimised.
pub(crate) fn large_files() -> Vec<Hostile> {
    let text = format!("a: {}", "x".repeat(LARGE));
    let quote = format!("a: \"{}", "x\n".repeat(LARGE / 2));
    Hostile::all([
        ("one long text", text, "unknown key `a`"),
        ("an open quote", quote, "not valid YAML"),
    ])
}

impl Hostile {
    fn all<const N: usize>(files: [(&'static str, String, &'static str); N]) -> Vec<Self> {
        let named = |(name, text, said)| Self { name, text, said };
        files.into_iter().map(named).collect()
    }
}

fn aliased() -> String {
    format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a,".repeat(10_000)
    )
}

fn nested_through_aliases() -> String {
    let mut chain = String::from("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for n in 1..1000 {
        chain.push_str(&format!("a{n}: &a{n} [[[[[[[[[[*a{}]]]]]]]]]]\n", n - 1));
    }
    chain
}

fn large_defaults() -> String {
    let jobs = "{name: x},".repeat(10_000);
    let defaults = format!("{{kwargs: {{a: {}}}}}", "x".repeat(10_000));
    format!("defaults: {defaults}\njobs: [{jobs}]")
}

fn many_schedules() -> String {
    let many = "      - '@daily'\n".repeat(300_001);
    format!("{HEAD}jobs:\n  - name: a\n    func_id: a__b.c\n    schedule:\n{many}")
}

/// Five thousand jobs as JSON without a line break: large, and good.
pub(crate) fn many_jobs_in_one_bracket() -> String {
    let jobs: Vec<_> = (0..5000)
        .map(|n| json!({ "name": format!("job-{n}"), "func_id": "a__b.c", "schedule": "0,30 * * * *", "kwargs": { "a": [1, 2], "b": n } }))
        .collect();
    let text = json!({
        "workspaces": { "prod": { "site": "cn1", "api_key": { "env": "K" } } },
        "defaults": { "workspace": "prod" },
        "jobs": jobs,
    });
    text.to_string()
}

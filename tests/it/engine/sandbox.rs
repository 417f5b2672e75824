//! The engine against the sandbox, which is honest to what was recorded from the real thing: what
//! each kind of reply is in the ledger.

use funcron::sandbox::{Generation, Options, Sandbox};

use crate::support::house::{House, OUTSIDE};

const KEY: &str = "key-one-of-the-house";

/// Function, and what its run comes to with an engine of 1.48 and with one of 5.1.
const VERDICTS: [(&str, &str, &str); 16] = [
    ("ok.echo", "success", "success"),
    ("ok.null", "success", "success"),
    ("fail.raise", "failed/func_failed", "failed/func_failed"),
    ("fail.timeout", "failed/func_timeout", "failed/func_timeout"),
    ("fail.api_timeout", "unknown/engine", "unknown/engine"),
    (
        "fail.result",
        "failed/result_invalid",
        "failed/result_invalid",
    ),
    ("fail.sys", "failed/server_error", "failed/server_error"),
    ("fail.not_found", "failed/rejected", "failed/rejected"),
    ("fail.rate", "waiting/retry", "waiting/retry"),
    (
        "gateway.error",
        "failed/server_error",
        "failed/server_error",
    ),
    ("http.status", "unknown/bad_reply", "unknown/bad_reply"),
    ("http.redirect", "unknown/redirect", "unknown/redirect"),
    ("http.not_json", "unknown/bad_reply", "unknown/bad_reply"),
    ("http.truncated", "unknown/no_reply", "unknown/no_reply"),
    ("http.not_utf8", "unknown/bad_reply", "unknown/bad_reply"),
    ("http.deep", "unknown/bad_reply", "unknown/bad_reply"),
];

#[test]
fn every_kind_of_reply_has_its_verdict_in_the_ledger() {
    for generation in [Generation::V1, Generation::V5] {
        let options = Options {
            generation,
            api_keys: vec![KEY.to_owned()],
            per_key: None,
            ..Options::default()
        };
        let sandbox = OUTSIDE.block_on(Sandbox::start(options)).unwrap();
        let place = format!(
            "prod: {{ base_url: \"{}\", api_key: {{ file: key-1 }}, quota: none }}",
            sandbox.base_url()
        );
        let jobs = VERDICTS.map(|(func, ..)| {
            format!("  - {{ name: {func}, func_id: sandbox__{func}, schedule: \"1 0 * * *\" }}\n")
        });
        let mut house = House::with(&place, &jobs);
        house.run_until("00:01");
        for (func, of_v1, of_v5) in VERDICTS {
            let expected = if generation == Generation::V1 {
                of_v1
            } else {
                of_v5
            };
            assert_eq!(
                house.runs(func),
                [format!("00:01:00 {expected}")],
                "{func} of {generation:?}"
            );
        }
        let attempts = house.texts("SELECT CAST(count(*) AS TEXT) FROM attempts");
        assert_eq!(attempts, [sandbox.counters().requests.to_string()]);
        assert_eq!(sandbox.counters().bad_key, 0);
        drop(house);
        OUTSIDE.block_on(sandbox.stop());
    }
}

//! What keys come to that are used up while the configuration is read.

use serde_json::json;

use super::behaviour::is_for_later;
use super::schema::{base, put, sample, sections};
use super::*;

#[test]
fn a_default_says_what_the_jobs_own_key_would() {
    let mut counted = 0;
    for (section, place, keys) in sections() {
        if section != "Defaults" {
            continue;
        }
        for key in keys {
            let value = sample(&section, &key).unwrap();
            let refused_in_both = is_for_later(&format!("Job.{key}"));
            let with = |place: &str| {
                let mut config = base();
                if matches!(key.as_str(), "func_id" | "funcId") {
                    config["jobs"][0].as_object_mut().unwrap().remove("func_id");
                }
                put(&mut config, place, &key, value.clone());
                parse(&config.to_string())
            };
            let (default, own) = (with(place), with("/jobs/0"));
            if refused_in_both {
                assert!(default.is_err() && own.is_err(), "{key}");
                continue;
            }
            let jobs = |loaded| format!("{:?}", accept(loaded).config.jobs);
            assert_eq!(jobs(default), jobs(own), "{key}");
            counted += 1;
        }
    }
    assert!(counted > 25, "{counted}");
}

#[test]
fn a_version_to_come_is_refused() {
    let with = |version: i64| {
        let mut config = base();
        config["version"] = json!(version);
        parse(&config.to_string())
    };
    accept(with(1));
    assert!(refusal(with(2)).contains("version"));
}

#[test]
fn a_site_is_its_documented_host() {
    for (site, host) in [
        ("cn1", "https://openapi.guance.com"),
        ("us1", "https://us1-openapi.guance.com"),
    ] {
        let mut config = base();
        put(&mut config, "/workspaces/prod", "site", json!(site));
        let workspaces = accept(parse(&config.to_string())).config.workspaces;
        let prod = workspaces
            .values()
            .find(|workspace| &*workspace.name.0 == "prod");
        assert_eq!(prod.unwrap().base_url, host);
    }
}

/// By the binary, which is all that a description is for.
#[test]
fn a_job_that_is_loaded_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = base();
    config["jobs"] = json!([
        { "name": "one", "func_id": "a__b.c", "schedule": "@daily", "description": "what it is", "labels": { "team": "sre" } },
        { "name": "two", "func_id": "a__b.c", "schedule": "@daily" },
    ]);
    config["database"] = json!("sqlite:none.db");
    fs::write(directory.path().join("jobs.yaml"), config.to_string()).unwrap();
    let list = |more: &[&str]| {
        let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("funcron"));
        command.current_dir(directory.path());
        command
            .env_remove("FUNCRON_CONFIG")
            .env_remove("FUNCRON_DATABASE");
        command.args(["list", "-o", "json"]).args(more);
        let output = command.output().unwrap();
        let jobs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let shown = |job: &serde_json::Value| (job["job"].clone(), job["description"].clone());
        jobs.as_array()
            .unwrap()
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
    };
    let one = (json!("one"), json!("what it is"));
    assert_eq!(list(&[]), [one.clone(), (json!("two"), json!(null))]);
    assert_eq!(list(&["--label", "team=sre"]), [one]);
}

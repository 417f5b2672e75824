//! `except`, `only_on`, `calendars` and `spread`: what is accepted, and what it comes to in a definition.

use std::time::Duration;

use funcron::config::definition;
use funcron::domain::job::Job;
use funcron::domain::schedule::TickKind;
use jiff::Timestamp;

use super::*;

fn company() -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/calendar");
    format!(
        "calendars: {{ company: {{ ics: {}/company.ics }} }}\n",
        fixtures.display()
    )
}

fn with_company(job: &str) -> Result<Loaded, ConfigErrors> {
    parse(&format!(
        "{HEAD}{}jobs:\n  - {{ name: a, func_id: a__b.c, schedule: '@daily', {job} }}\n",
        company()
    ))
}

fn only(loaded: &Loaded) -> &Job {
    assert_eq!(loaded.config.jobs.len(), 1);
    &loaded.config.jobs[0]
}

fn definition_of(loaded: &Loaded) -> serde_json::Value {
    serde_json::from_str(&only(loaded).definition.to_string()).unwrap()
}

/// The days of May 2026, in UTC, on which the job runs.
fn days_of_may(job: &Job) -> Vec<String> {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let ticks = job
        .schedule
        .ticks(at("2026-04-30T23:00:00Z"), at("2026-05-31T23:00:00Z"));
    ticks
        .filter(|tick| tick.kind == TickKind::Fire)
        .map(|tick| tick.at.to_string()[8..10].to_owned())
        .collect()
}

#[test]
fn a_definition_without_these_keys_is_what_it_was() {
    let plain = accept(jobs(
        "  - { name: a, func_id: a__b.c, schedule: '@daily' }\n",
    ));
    for key in ["except", "only_on", "calendars", "spread"] {
        assert_eq!(definition_of(&plain).get(key), None, "{key}");
    }
    // As a ledger of the release before this one has it.
    assert_eq!(
        &*only(&plain).hash.0,
        "0ec49f69e7de6804c9cafe1db30934dd91013b60dcd7f8005b32bf3b3cd1eed9"
    );
    let empty = accept(with_company("except: [], only_on: [], spread: 0s"));
    assert_eq!(only(&empty).hash, only(&plain).hash);
}

#[test]
fn what_is_listed_is_in_the_definition_with_the_days_of_the_calendars_it_names() {
    let loaded = accept(with_company(
        "except: ['2026-05-01/2026-05-05', SAT-sun, company], only_on: [workdays-cn, 2026-05-10], spread: 600s",
    ));
    let definition = definition_of(&loaded);
    assert_eq!(
        definition["except"].to_string(),
        r#"["2026-05-01/2026-05-05","sat-sun","company"]"#
    );
    assert_eq!(
        definition["only_on"].to_string(),
        r#"["workdays-cn","2026-05-10"]"#
    );
    assert_eq!(definition["spread"], "10m");
    let calendars = &definition["calendars"];
    assert_eq!(calendars.as_object().unwrap().len(), 2);
    assert_eq!(
        calendars["workdays-cn"]["weekdays"].to_string(),
        r#"["mon","tue","wed","thu","fri"]"#
    );
    let dates = calendars["company"]["dates"].as_array().unwrap();
    assert_eq!(dates[..2], ["2020-05-03", "2021-05-03"]);
    assert!(dates.contains(&"2026-06-30/2026-07-01".into()));
    assert_eq!(dates.len(), 82);
    assert_eq!(only(&loaded).spread, Duration::from_secs(600));
}

#[test]
fn a_stored_definition_has_the_days_without_the_calendars_file() {
    let loaded = accept(with_company(
        "only_on: [workdays-cn, company], except: ['2026-05-06'], spread: 90s",
    ));
    let job = only(&loaded);
    let read = definition::read(&job.definition.to_string()).unwrap();
    assert_eq!(read.schedule.days(), job.schedule.days());
    assert_eq!(read.spread, job.spread);
    let days = days_of_may(job);
    assert_eq!(days_of_may(&read), days);
    assert_eq!(
        days.join(" "),
        "03 07 08 09 11 12 13 14 15 18 19 20 21 22 25 26 27 28 29"
    );
}

#[test]
fn a_stored_definition_that_names_a_calendar_it_does_not_carry_is_not_planned_by() {
    let loaded = accept(with_company("except: [company]"));
    let text = only(&loaded)
        .definition
        .to_string()
        .replace(r#""calendars":{"company":"#, r#""calendars":{"other":"#);
    let refused = definition::read(&text).unwrap_err().to_string();
    assert!(refused.contains("except"), "{refused}");
}

#[test]
fn defaults_give_lists_that_a_job_may_replace_or_empty() {
    let loaded = accept(parse(
        "workspaces: { prod: { site: cn1, api_key: { env: K } } }
defaults: { workspace: prod, except: [sat-sun], spread: 5m }
jobs:
  - { name: a, func_id: a__b.c, schedule: '@daily' }
  - { name: b, func_id: a__b.c, schedule: '@daily', except: [mon], spread: 0s }
  - { name: c, func_id: a__b.c, schedule: '@daily', except: [] }
",
    ));
    let counts: Vec<usize> = loaded
        .config
        .jobs
        .iter()
        .map(|job| days_of_may(job).len())
        .collect();
    assert_eq!(counts, [21, 27, 31]);
    let spreads: Vec<u64> = loaded
        .config
        .jobs
        .iter()
        .map(|job| job.spread.as_secs())
        .collect();
    assert_eq!(spreads, [300, 0, 300]);
}

#[test]
fn a_calendars_file_is_one_of_the_configurations_files() {
    let loaded = accept(with_company("except: [company]"));
    assert!(
        loaded.files[1].ends_with("company.ics"),
        "{:?}",
        loaded.files
    );
}

#[test]
fn a_calendar_is_found_from_the_files_directory_and_its_faults_are_placed_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("jobs.yaml");
    let text = format!(
        "{HEAD}calendars: {{ own: {{ ics: own.ics }} }}\njobs:\n  - {{ name: a, func_id: a__b.c, schedule: '@daily', except: [own] }}\n"
    );
    let refused = refusal(config::parse(&text, &main));
    assert!(
        refused
            .contains("jobs.yaml:3:26: calendars.own.ics: there is no such file; check the path"),
        "{refused}"
    );
    let ics = |event: &str| {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n");
        fs::write(directory.path().join("own.ics"), text).unwrap();
    };
    ics("DTSTART:20261001T080000Z");
    let refused = refusal(config::parse(&text, &main));
    assert!(
        refused.contains("own.ics:2:1: calendars.own: the event has a time of day"),
        "{refused}"
    );
    assert_eq!(refused.lines().count(), 1, "{refused}");
    ics("DTSTART:20261001");
    accept(config::parse(&text, &main));
    fs::write(directory.path().join("own.ics"), "x".repeat((1 << 20) + 1)).unwrap();
    let refused = refusal(config::parse(&text, &main));
    assert!(refused.contains("larger than 1 MiB"), "{refused}");
}

#[test]
fn days_beyond_the_notices_are_warned_of_a_month_ahead() {
    let loaded = accept(jobs(
        "  - { name: far, func_id: a__b.c, schedule: '0 0 1 7 *', except: [sun, holidays-cn] }
  - { name: near, func_id: a__b.c, schedule: '@daily', timezone: Asia/Shanghai, only_on: [workdays-cn] }
  - { name: off, func_id: a__b.c, schedule: '@daily', enabled: false, only_on: [workdays-cn] }
  - { name: none, func_id: a__b.c, schedule: '@daily', except: ['2026-10-01'] }
",
    ));
    let told = |at: &str| -> Vec<String> {
        let told = loaded.uncovered(at.parse().unwrap());
        told.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told("2026-11-30T00:00:00Z"), [""; 0]);
    let december = told("2026-12-02T00:00:00Z");
    assert_eq!(december.len(), 1, "{december:?}");
    assert!(december[0].starts_with(
        "/etc/funcron/jobs.yaml:5:91: jobs.near.only_on[0]: workdays-cn knows the days up to 2026-12-31; later ones"
    ), "{december:?}");
    assert_eq!(told("2027-06-15T00:00:00Z").len(), 2);
}

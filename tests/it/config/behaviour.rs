//! Each key of the schema and the tests of what it does, once it is loaded: a key may not come to
//! nothing further down. That it is loaded at all, [`super::schema`] shows.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::Path;

use super::schema::{base, put, sample, sections};
use super::*;

/// Each key with the tests, by path, that fail if it is ignored; or a dash where whoever uses it is
/// refused. What a key means in `defaults` is what it means in a job.
const TABLE: &str = "
Config.version           config::meanings::a_version_to_come_is_refused
Config.database          cli::list::last_runs_come_from_the_ledger_that_the_configuration_names
Config.drain_timeout     process::stop::a_call_that_outlasts_the_drain_is_cut_off_and_its_end_is_unknown
Config.workspaces        engine::settings::a_job_calls_its_own_workspace
Config.defaults          config::meanings::a_default_says_what_the_jobs_own_key_would
Config.jobs              config::meanings::a_job_that_is_loaded_is_there
Config.include           config::include::included_jobs_come_after_the_mains_in_the_order_of_file_names
Config.calendars         engine::settings::a_day_that_is_in_a_calendar_of_ones_own_is_skipped
Config.notifiers         -
Config.retention         engine::prune::runs_go_by_their_age_and_failures_by_their_own
Config.server            -
Calendar.ics             engine::settings::a_day_that_is_in_a_calendar_of_ones_own_is_skipped
Workspace.site           config::meanings::a_site_is_its_documented_host
Workspace.base_url       wire::a_path_before_the_documented_one_is_kept
Workspace.api_key        engine::settings::a_job_calls_its_own_workspace
Workspace.api_keys       engine::quota::several_keys_share_the_load
Workspace.quota          engine::deadlines::a_run_that_the_quota_holds_back_beyond_its_start_deadline_is_missed
Workspace.max_in_flight  engine::quota::no_more_calls_are_in_flight_than_the_workspace_allows
Workspace.max_reply      engine::settings::a_reply_beyond_the_workspaces_max_reply_is_none
Workspace.insecure       config::accepted::plain_http_is_for_this_machine_or_for_who_says_insecure guance::client::tests::plain_http_is_for_this_machine_only_unless_the_configuration_insists
Workspace.ca_file        process::tls::a_server_behind_ca_file_is_called_and_one_that_is_not_is_retried_and_never_sent_to
Workspace.proxy          wire::proxy::plain_http_goes_through_the_proxy_by_its_absolute_url wire::proxy::https_goes_through_a_tunnel_and_the_proxy_sees_no_key
Limits.per_key           engine::deadlines::a_run_that_the_quota_holds_back_beyond_its_start_deadline_is_missed
Limits.per_workspace     engine::quota::a_workspace_has_a_quota_over_all_its_keys
Secret.env               config::secrets::the_three_ways_to_give_a_secret_all_lead_to_it
Secret.file              config::secrets::the_three_ways_to_give_a_secret_all_lead_to_it process::reload::the_key_in_a_file_is_read_again
Secret.credential        config::secrets::the_three_ways_to_give_a_secret_all_lead_to_it
Job.name                 config::meanings::a_job_that_is_loaded_is_there
Job.description          config::meanings::a_job_that_is_loaded_is_there
Job.labels               config::meanings::a_job_that_is_loaded_is_there
Job.enabled              engine::reload::a_disabled_job_ticks_no_more_and_an_enabled_one_does_not_make_up_for_it
Job.workspace            engine::settings::a_job_calls_its_own_workspace
Job.func_id              engine::settings::a_request_is_of_func_id_kwargs_secret_kwargs_and_return_type
Job.funcId               engine::settings::the_names_of_the_api_document_say_the_same
Job.funcBody             engine::settings::the_names_of_the_api_document_say_the_same
Job.kwargs               engine::settings::a_request_is_of_func_id_kwargs_secret_kwargs_and_return_type
Job.secret_kwargs        engine::settings::a_request_is_of_func_id_kwargs_secret_kwargs_and_return_type
Job.return_type          engine::settings::a_request_is_of_func_id_kwargs_secret_kwargs_and_return_type
Job.schedule             engine::settings::each_schedule_of_a_list_fires
Job.timezone             engine::settings::a_timezone_says_when_it_is_that_late
Job.timeZone             engine::settings::the_names_of_the_api_document_say_the_same
Job.dst                  engine::settings::dst_says_which_of_two_hours_and_what_of_none
Job.starts_at            engine::settings::starts_at_and_ends_at_bound_the_ticks_and_are_within
Job.ends_at              engine::settings::starts_at_and_ends_at_bound_the_ticks_and_are_within
Job.except               engine::calendars::a_tick_of_an_excluded_day_is_skipped_with_its_reason_and_not_called engine::settings::a_day_that_is_in_a_calendar_of_ones_own_is_skipped
Job.only_on              engine::settings::a_day_that_is_in_a_calendar_of_ones_own_is_skipped
Job.spread               engine::spread::a_run_waits_for_its_jobs_own_delay_and_keeps_its_nominal_tick
Job.overlap              engine::overlap_queue::a_queue_for_one_keeps_the_first_that_waits_and_skips_the_later_ones
Job.catchup              engine::catchup::the_policy_none_makes_the_past_missed
Job.catchup_window       engine::catchup::a_tick_outside_the_window_is_missed_though_it_is_the_latest
Job.max_catchup          engine::catchup_all::a_hundred_are_caught_up_unless_the_job_says_otherwise
Job.start_deadline       engine::deadlines::a_run_that_is_planned_after_its_start_deadline_is_not_opened
Job.timeout              engine::settings::an_attempt_ends_at_its_timeout
Job.deadline             engine::deadlines::retries_end_at_the_runs_deadline
Job.idempotent           engine::retries::what_may_have_run_is_repeated_only_if_the_job_says_that_it_may
Job.retry                engine::settings::delays_grow_by_multiplier_from_initial_delay_up_to_max_delay
Job.expect               engine::settings::a_reply_that_does_not_meet_what_the_job_expects_is_no_success
Job.budget               -
Job.notify               -
FuncBody.kwargs          engine::settings::the_names_of_the_api_document_say_the_same
FuncBody.options         engine::settings::the_names_of_the_api_document_say_the_same
FuncOptions.returnType   engine::settings::the_names_of_the_api_document_say_the_same
Dst.gap                  engine::settings::dst_says_which_of_two_hours_and_what_of_none
Dst.overlap              engine::settings::dst_says_which_of_two_hours_and_what_of_none
Retry.max_attempts       engine::settings::delays_grow_by_multiplier_from_initial_delay_up_to_max_delay
Retry.initial_delay      engine::settings::delays_grow_by_multiplier_from_initial_delay_up_to_max_delay
Retry.multiplier         engine::settings::delays_grow_by_multiplier_from_initial_delay_up_to_max_delay
Retry.max_delay          engine::settings::delays_grow_by_multiplier_from_initial_delay_up_to_max_delay
Retry.jitter             engine::settings::jitter_spreads_retries_that_would_come_at_once
Retry.on                 engine::settings::what_is_repeated_is_what_on_names_without_what_not_on_takes_from_it
Retry.not_on             engine::settings::what_is_repeated_is_what_on_names_without_what_not_on_takes_from_it
Retry.into_next_tick     engine::retries::a_job_may_let_its_retries_go_into_the_next_tick
Budget.cost              -
Budget.duration          -
Notify.on                -
Notify.after             -
Notify.to                -
Retention.runs           engine::prune::runs_go_by_their_age_and_failures_by_their_own
Retention.failures       engine::prune::runs_go_by_their_age_and_failures_by_their_own
Retention.bodies         engine::prune::bodies_go_before_their_runs_and_leave_their_lengths_and_hashes
Retention.max_size       engine::prune::a_ledger_beyond_its_max_size_is_told_once_and_loses_nothing_for_it
Server.listen            -
Server.tokens            -
Token.name               -
Token.role               -
Token.hash               -
";

/// The tests of each key.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows = TABLE.lines().filter(|line| !line.is_empty()).map(|line| {
        let (key, tests) = line.split_once(' ').unwrap();
        (key, tests.split_whitespace().collect())
    });
    rows.collect()
}

/// Whether the contract has the key, such as `Job.notify`, and this version refuses it.
pub(super) fn is_for_later(key: &str) -> bool {
    table()[key] == ["-"]
}

#[test]
fn each_key_names_the_tests_of_its_behaviour_or_is_refused() {
    let (table, tests) = (table(), tests());
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for (section, place, keys) in sections() {
        for key in keys {
            let meant = match section.as_str() {
                "Defaults" => format!("Job.{key}"),
                _ => format!("{section}.{key}"),
            };
            let Some((row, names)) = table.get_key_value(meant.as_str()) else {
                wrong.push(format!("{meant}: nothing shows what it does"));
                continue;
            };
            known.insert(*row);
            if is_for_later(row) {
                let mut config = base();
                put(&mut config, place, &key, sample(&section, &key).unwrap());
                let told = told(&parse(&config.to_string()));
                if !told.contains("not supported yet") {
                    wrong.push(format!("{section}.{key} is not refused: {told}"));
                }
                continue;
            }
            let faults = faults(names, &key, &tests);
            wrong.extend(faults.map(|fault| format!("{meant}: {fault}")));
        }
    }
    for row in table.keys().filter(|row| !known.contains(*row)) {
        wrong.push(format!("{row} is in the table and not in the schema"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with these names for the tests of `key`.
fn faults<'t>(
    names: &'t [&'t str],
    key: &'t str,
    tests: &'t BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 't {
    let none = names.is_empty().then(|| "no test is named".to_owned());
    let bad = names.iter().filter_map(move |name| match tests.get(*name) {
        None => Some(format!("there is no test {name}")),
        Some(text) if !says(text, key) => Some(format!("{name} is in a file without the word")),
        Some(_) => None,
    });
    iter::chain(none, bad)
}

/// Whether the word stands in the text, and not only as a part of another.
fn says(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}

/// Every test of the project by its path, with the text of its file and of the module above, which
/// may hold the configuration.
fn tests() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for root in ["src", "tests/it"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        let sources = crate::tidy::sources(folder.to_str().unwrap());
        for (path, text) in &sources {
            let above = path.parent().unwrap().with_extension("rs");
            let above = sources.get(&above).map_or("", String::as_str);
            let module = path.strip_prefix(&folder).unwrap().with_extension("");
            let module = module.to_str().unwrap().replace('/', "::");
            let module = module.trim_end_matches("::mod");
            for name in names_of_tests(text) {
                found.insert(format!("{module}::{name}"), format!("{text}{above}"));
            }
        }
    }
    found
}

/// The functions behind `#[test]` and `#[tokio::test…]`.
fn names_of_tests(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        let signature = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = signature.strip_prefix("fn ") {
            if is_test {
                names.extend(rest.split(['(', '<']).next());
            }
            is_test = false;
        }
    }
    names
}

//! What other schedulers call our keys, so that an unknown key can be answered with ours.

/// `(section, their key, what to write)`. Sections are the names in the JSON Schema.
const SPELLINGS: &[(&str, &str, &str)] = &[
    ("Job", "id", "`name`"),
    ("Job", "cron", "`schedule`"),
    ("Job", "cronExpr", "`schedule`"),
    ("Job", "crontab", "`schedule`"),
    ("Job", "schedules", "`schedule`; it takes a list too"),
    ("Job", "func", "`func_id`"),
    ("Job", "function", "`func_id`"),
    (
        "Job",
        "func_body",
        "`kwargs` and `return_type`, or the API document's `funcBody`",
    ),
    (
        "Job",
        "args",
        "`kwargs`; Guance functions take keyword arguments only",
    ),
    ("Job", "params", "`kwargs`"),
    ("Job", "returnType", "`return_type`"),
    (
        "Job",
        "options",
        "`return_type`, or the API document's `funcBody: {options: …}`",
    ),
    ("Job", "target", "`workspace`"),
    ("Job", "secrets", "`secret_kwargs`"),
    ("Job", "time_zone", "`timezone`"),
    ("Job", "tz", "`timezone`"),
    (
        "Job",
        "concurrencyPolicy",
        "`overlap` (Forbid is `skip`, Allow is `allow`, Replace is `cancel_running`)",
    ),
    ("Job", "concurrency", "`overlap`"),
    ("Job", "concurrency_policy", "`overlap`"),
    ("Job", "overlap_policy", "`overlap`"),
    (
        "Job",
        "startingDeadlineSeconds",
        "`start_deadline`, a duration such as `5m`",
    ),
    ("Job", "misfire_grace_time", "`start_deadline`"),
    (
        "Job",
        "activeDeadlineSeconds",
        "`deadline`, a duration such as `15m`",
    ),
    ("Job", "attempt_deadline", "`timeout`"),
    ("Job", "timeout_sec", "`timeout`, a duration such as `60s`"),
    ("Job", "suspend", "`enabled: false`"),
    ("Job", "disabled", "`enabled: false`"),
    (
        "Job",
        "paused",
        "`enabled: false`, or pause it with `funcron pause`",
    ),
    ("Job", "backoffLimit", "`retry: { max_attempts: … }`"),
    (
        "Job",
        "retries",
        "`retry: { max_attempts: … }`, the first attempt counted",
    ),
    ("Job", "retry_policy", "`retry`"),
    ("Job", "recoverMissedSchedules", "`catchup`"),
    ("Job", "coalesce", "`catchup: latest`"),
    ("Job", "jitter", "`spread`"),
    ("Job", "expires_at", "`ends_at`"),
    ("Job", "start_date", "`starts_at`"),
    ("Job", "end_date", "`ends_at`"),
    ("Job", "tags", "`labels`, a map"),
    ("Job", "assert", "`expect`"),
    ("Defaults", "time_zone", "`timezone`"),
    ("Defaults", "concurrencyPolicy", "`overlap`"),
    (
        "Defaults",
        "startingDeadlineSeconds",
        "`start_deadline`, a duration such as `5m`",
    ),
    ("Defaults", "tags", "`labels`, a map"),
    (
        "Defaults",
        "retries",
        "`retry: { max_attempts: … }`, the first attempt counted",
    ),
    (
        "Defaults",
        "name",
        "it in each job: a default name makes no sense",
    ),
    (
        "Defaults",
        "schedule",
        "it in each job: a schedule has no default",
    ),
    ("Retry", "maxAttempts", "`max_attempts`"),
    ("Retry", "attempts", "`max_attempts`"),
    ("Retry", "interval", "`initial_delay`"),
    ("Retry", "delay", "`initial_delay`"),
    ("Retry", "backoff", "`multiplier`"),
    ("Retry", "factor", "`multiplier`"),
    ("Retry", "maxInterval", "`max_delay`"),
    ("Retry", "max_elapsed", "the job's `deadline`"),
    ("Workspace", "region", "`site`"),
    ("Workspace", "url", "`base_url`"),
    ("Workspace", "endpoint", "`base_url`"),
    ("Workspace", "host", "`base_url`"),
    ("Workspace", "key", "`api_key`"),
    ("Workspace", "token", "`api_key`"),
    ("Workspace", "df_api_key", "`api_key`"),
    ("Workspace", "DF-API-KEY", "`api_key`"),
    ("Workspace", "limits", "`quota`"),
    ("Workspace", "rate_limit", "`quota`"),
    ("Config", "targets", "`workspaces`"),
    (
        "Config",
        "workspace",
        "`workspaces`, a map from name to workspace",
    ),
    ("Config", "job", "`jobs`, a list"),
    ("Config", "db", "`database`"),
    ("Config", "timezone", "it under `defaults`"),
    ("Retention", "days", "`runs`, a duration such as `90d`"),
];

/// What to write instead of a key that another scheduler has.
pub(super) fn spelling(section: &str, theirs: &str) -> Option<&'static str> {
    SPELLINGS
        .iter()
        .find(|(of, key, _)| *of == section && *key == theirs)
        .map(|(_, _, ours)| *ours)
}

/// The key in what to write: of "`enabled: false`" it is `enabled`.
pub(super) fn key_of(ours: &str) -> Option<&str> {
    let word = ours.strip_prefix('`')?;
    word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw;

    #[test]
    fn what_to_write_is_a_key_that_there_is() {
        for (section, theirs, ours) in SPELLINGS {
            let keys = match *section {
                "Config" => raw::Config::KEYS,
                "Workspace" => raw::Workspace::KEYS,
                "Job" => raw::Job::KEYS,
                "Defaults" => raw::Defaults::KEYS,
                "Retry" => raw::Retry::KEYS,
                "Retention" => raw::Retention::KEYS,
                other => panic!("no section {other}"),
            };
            assert!(!keys.contains(theirs), "{section}.{theirs} is ours");
            if let Some(key) = key_of(ours) {
                assert!(keys.contains(&key), "{section}.{theirs}: {ours}");
            }
        }
    }
}

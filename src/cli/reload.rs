//! `funcron reload`: the configuration as it is now, or a word on why not.

use serde_json::json;

use super::daemon::{self, Daemon, number};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::output::counted;

/// Has the daemon reload, and says what changed.
pub(super) async fn execute(global: &Global) -> Result<Exit, Failure> {
    let reloaded = Daemon::of(global)?.post("reload", &json!({})).await?;
    let mut lines = vec![format!(
        "reloaded: {} loaded",
        counted(number(&reloaded, "jobs"), "job")
    )];
    let changes = reloaded["changes"].as_object();
    lines.extend(
        changes
            .into_iter()
            .flatten()
            .map(|(job, change)| format!("  {job}: {}", change.as_str().unwrap_or_default())),
    );
    if changes.is_none_or(serde_json::Map::is_empty) {
        lines.push("no job changed".to_owned());
    }
    let at_next_start = reloaded["at_next_start"].as_array();
    let keys = at_next_start.into_iter().flatten();
    lines.extend(keys.filter_map(|key| {
        let key = key.as_str()?;
        Some(format!(
            "`{key}` has changed, which takes effect at the next start"
        ))
    }));
    daemon::print(&mut global.printer(), &reloaded, &lines.join("\n"))?;
    Ok(Exit::Done)
}

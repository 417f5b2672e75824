//! What befalls the daemon beside what people order, told in the ledger: the wall clock was stepped, a
//! key is held, a key is free again. Each is told once, when it happens and not for as long as it lasts.

use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use super::command::act;
use crate::domain::workspace::{KeyId, WorkspaceName};
use crate::store::{Order, StoreError};

/// Whose doing it is.
const DAEMON: &str = "daemon";

impl Engine {
    /// Writes what has happened since the last step; what the ledger refuses is told by the next.
    pub(super) async fn tell_news(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let monotonic = self.clock.monotonic();
        let steps = self.watch.untold(monotonic);
        let mut acts = self.news.clone();
        acts.extend(steps.map(|steps| {
            let detail = json!({ "seconds": steps.by.as_secs(), "steps": steps.number });
            act(now, "clock_jump", DAEMON, None, None, &detail)
        }));
        if acts.is_empty() {
            return Ok(());
        }
        let order = Order {
            acts,
            ..Order::nothing(now)
        };
        self.ledger.order(order).await?;
        self.news.clear();
        if steps.is_some() {
            self.watch.told(monotonic);
        }
        Ok(())
    }

    /// A key is held from now on.
    pub(super) fn note_held(&mut self, workspace: &WorkspaceName, key: &KeyId) {
        self.note_key("key_held", workspace, key, "the server calls it invalid");
    }

    /// A key is held no longer.
    pub(super) fn note_freed(&mut self, workspace: &WorkspaceName, key: &KeyId, why: &str) {
        self.note_key("key_freed", workspace, key, why);
    }

    /// It changes only with a reply, whose attempt had to be recorded: while the ledger fails no more of
    /// these can come than calls are under way.
    fn note_key(&mut self, kind: &'static str, workspace: &WorkspaceName, key: &KeyId, why: &str) {
        let detail = json!({ "workspace": &*workspace.0, "key": &*key.0, "why": why });
        let now = self.clock.now();
        self.news.push(act(now, kind, DAEMON, None, None, &detail));
    }
}

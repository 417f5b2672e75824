//! Permits to call: in-flight limits, quota windows, and keys that are held.
//!
//! A permit is taken before the attempt's task is spawned and belongs to it until the call is over
//! (architecture, invariant 7). Everything here is rebuilt from the ledger at a start.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::gate::{Gate, Pace};
use super::jobset::JobSet;
use crate::domain::quota::{Room, Window};
use crate::domain::workspace::{ApiKey, KeyId, Workspace, WorkspaceName};

/// How long a held key rests before one run is let through as a probe (contract, section 4).
pub(super) const PROBE_AFTER: Duration = Duration::from_secs(600);

/// The right to open one attempt.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) workspace: Arc<Workspace>,
    pub(super) origin: Arc<str>,
    pub(super) key: ApiKey,
    /// Where its call passes once its attempt is durable.
    pub(super) gate: Arc<Gate>,
    /// The server has called the key invalid.
    refused: Arc<AtomicBool>,
    /// Of a probe of a held key: since when the key was held before it.
    probes: Option<Duration>,
}

/// Why no permit is given, and when to ask again; `None`: when a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    InFlight,
    Quota(Option<Duration>),
    KeyHeld(Option<Duration>),
    NoWorkspace,
}

/// How a permit comes back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Returned {
    /// There was no attempt: it is as if the permit had never been taken.
    Unopened,
    /// Nothing was sent.
    Unsent,
    /// The slot is held from this instant on: the request's writing, or the attempt's closing.
    Sent(Duration),
}

impl Permit {
    /// The server called the key invalid just now, which the engine is told when it has time.
    pub(super) fn refuse_key(&self) {
        self.refused.store(true, Ordering::Release);
    }

    /// Whether the key is held, and this is not the call that tries it again.
    pub(super) fn is_key_held(&self) -> bool {
        self.probes.is_none() && self.refused.load(Ordering::Acquire)
    }
}

#[derive(Debug, Default)]
pub(super) struct Permits {
    workspaces: HashMap<WorkspaceName, WorkspacePermits>,
    keys: HashMap<(Arc<str>, KeyId), KeyPermits>,
}

#[derive(Debug)]
struct WorkspacePermits {
    workspace: Arc<Workspace>,
    origin: Arc<str>,
    keys: Vec<ApiKey>,
    /// Permits that are out: calls under way, attempts that are being opened, and such as wait at the gate.
    in_flight: usize,
    gate: Arc<Gate>,
    pace: Pace,
    window: Window,
}

#[derive(Debug)]
struct KeyPermits {
    window: Window,
    /// When the server last called the key invalid; no reply since has freed it.
    held_since: Option<Duration>,
    /// The same for those who hold a permit.
    refused: Arc<AtomicBool>,
    probing: bool,
}

impl Permits {
    /// Takes over a configuration: limits change, what is in flight and what was sent stays.
    pub(super) fn configure(&mut self, jobs: &JobSet) {
        for workspace in self.workspaces.values_mut() {
            workspace.keys.clear();
        }
        let mut limits: BTreeMap<(Arc<str>, KeyId), Option<NonZeroU32>> = BTreeMap::new();
        for (name, workspace) in &jobs.workspaces {
            let origin: Arc<str> = Arc::from(workspace.origin());
            let keys = jobs.keys.get(name).cloned().unwrap_or_default();
            for key in &keys {
                let limit = limits.entry((origin.clone(), key.id.clone())).or_default();
                // One key in two entries is one key to the server: the tighter limit holds.
                *limit = match (*limit, workspace.quota.per_key) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            let workspace = Arc::new(workspace.clone());
            let entry = self
                .workspaces
                .entry(name.clone())
                .or_insert_with(|| WorkspacePermits {
                    workspace: workspace.clone(),
                    origin: origin.clone(),
                    keys: Vec::new(),
                    in_flight: 0,
                    gate: Arc::new(Gate::new(workspace.max_in_flight)),
                    pace: Pace::default(),
                    window: Window::new(workspace.quota.per_workspace),
                });
            entry.window.set_limit(workspace.quota.per_workspace);
            entry.gate.set_limit(workspace.max_in_flight);
            entry.workspace = workspace;
            entry.origin = origin;
            entry.keys = keys;
        }
        for (key, limit) in limits {
            self.keys
                .entry(key)
                .or_insert_with(|| KeyPermits::new(limit))
                .window
                .set_limit(limit);
        }
    }

    /// Every key in use, for asking the ledger about it.
    pub(super) fn keys(&self) -> Vec<(Arc<str>, KeyId)> {
        self.keys.keys().cloned().collect()
    }

    /// Counts a call of before this start.
    pub(super) fn hold(
        &mut self,
        workspace: &WorkspaceName,
        origin: &Arc<str>,
        key: &KeyId,
        since: Duration,
    ) {
        if let Some(workspace) = self.workspaces.get_mut(workspace) {
            workspace.window.hold(since);
        }
        if let Some(key) = self.keys.get_mut(&(origin.clone(), key.clone())) {
            key.window.hold(since);
        }
    }

    /// The server called the key invalid; answers whether that is new.
    pub(super) fn hold_key(&mut self, origin: &Arc<str>, key: &KeyId, since: Duration) -> bool {
        self.keys
            .get_mut(&(origin.clone(), key.clone()))
            .is_some_and(|key| {
                key.probing = false;
                key.refused.store(true, Ordering::Release);
                key.held_since.replace(since).is_none()
            })
    }

    /// The server took the key; answers whether it was held.
    pub(super) fn free_key(&mut self, origin: &Arc<str>, key: &KeyId) -> bool {
        self.keys
            .get_mut(&(origin.clone(), key.clone()))
            .and_then(KeyPermits::free)
            .is_some()
    }

    /// A reload frees every key; answers those that were held, each with a workspace that uses it.
    pub(super) fn free_all_keys(&mut self) -> Vec<(WorkspaceName, KeyId)> {
        let mut freed = Vec::new();
        for (name, workspace) in &self.workspaces {
            for key in &workspace.keys {
                let place = (workspace.origin.clone(), key.id.clone());
                let held = self.keys.get_mut(&place).and_then(KeyPermits::free);
                freed.extend(held.map(|_| (name.clone(), key.id.clone())));
            }
        }
        freed
    }

    /// Takes a permit for a call of the workspace, with the key that is best used now. `at_once`: the call
    /// is one of those that are due at the same instant, and have not begun.
    pub(super) fn take(
        &mut self,
        name: &WorkspaceName,
        at_once: bool,
        now: Duration,
    ) -> Result<Permit, Refusal> {
        let Some(workspace) = self
            .workspaces
            .get_mut(name)
            .filter(|found| !found.keys.is_empty())
        else {
            return Err(Refusal::NoWorkspace);
        };
        let places = workspace.workspace.max_in_flight;
        let ahead = match at_once {
            true => workspace.pace.ahead_at_once(now, places),
            false => workspace.pace.ahead(now, places),
        };
        if workspace.in_flight >= places + ahead {
            return Err(Refusal::InFlight);
        }
        if let Room::Full(until) = workspace.window.room(now) {
            return Err(Refusal::Quota(until));
        }
        let chosen = choose(&workspace.keys, &workspace.origin, &mut self.keys, now)?;
        let Some(key) = self
            .keys
            .get_mut(&(workspace.origin.clone(), chosen.id.clone()))
        else {
            return Err(Refusal::NoWorkspace);
        };
        let probes = key.held_since;
        if probes.is_some() {
            // The next probe is due ten minutes after this one, whatever the server makes of it.
            key.held_since = Some(now);
            key.probing = true;
        }
        let refused = key.refused.clone();
        key.window.open();
        workspace.window.open();
        workspace.in_flight += 1;
        Ok(Permit {
            workspace: workspace.workspace.clone(),
            origin: workspace.origin.clone(),
            key: chosen,
            gate: workspace.gate.clone(),
            refused,
            probes,
        })
    }

    /// Takes a permit back at `now`.
    pub(super) fn give_back(&mut self, permit: &Permit, returned: Returned, now: Duration) {
        let workspace = self.workspaces.get_mut(&permit.workspace.name);
        let key = self
            .keys
            .get_mut(&(permit.origin.clone(), permit.key.id.clone()));
        if let Some(workspace) = workspace {
            workspace.in_flight = workspace.in_flight.saturating_sub(1);
            if let Returned::Sent(since) = returned {
                let places = workspace.workspace.max_in_flight;
                let taken = now.saturating_sub(since);
                workspace.pace.note(now, taken, places);
            }
            settle(&mut workspace.window, returned);
        }
        if let Some(key) = key {
            // A reload may have freed the key meanwhile.
            let untried = matches!(returned, Returned::Unopened) && key.held_since.is_some();
            if let Some(since) = permit.probes.filter(|_| untried) {
                key.held_since = Some(since);
            }
            key.probing = false;
            settle(&mut key.window, returned);
        }
    }

    /// Whether every key of the workspace is held.
    pub(super) fn is_held(&self, name: &WorkspaceName) -> bool {
        self.workspaces.get(name).is_some_and(|workspace| {
            !workspace.keys.is_empty()
                && workspace.keys.iter().all(|key| {
                    self.keys
                        .get(&(workspace.origin.clone(), key.id.clone()))
                        .is_some_and(|key| key.held_since.is_some())
                })
        })
    }
}

impl KeyPermits {
    /// Answers since when it was held.
    fn free(&mut self) -> Option<Duration> {
        self.probing = false;
        self.refused.store(false, Ordering::Release);
        self.held_since.take()
    }

    fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            window: Window::new(limit),
            held_since: None,
            refused: Arc::default(),
            probing: false,
        }
    }
}

fn settle(window: &mut Window, returned: Returned) {
    match returned {
        Returned::Unopened | Returned::Unsent => window.release(),
        Returned::Sent(since) => window.close(since),
    }
}

/// Of the usable keys the one with the least to do, and a held one that may be probed only where no
/// other has room: the run that probes is likely to fail. Else the reason that passes first.
fn choose(
    candidates: &[ApiKey],
    origin: &Arc<str>,
    keys: &mut HashMap<(Arc<str>, KeyId), KeyPermits>,
    now: Duration,
) -> Result<ApiKey, Refusal> {
    let mut best: Option<((bool, usize), &ApiKey)> = None;
    let mut full: Option<Option<Duration>> = None;
    let mut held: Option<Duration> = None;
    for candidate in candidates {
        let Some(key) = keys.get_mut(&(origin.clone(), candidate.id.clone())) else {
            continue;
        };
        if let Some(since) = key.held_since {
            let probe_at = since.saturating_add(PROBE_AFTER);
            if key.probing || now < probe_at {
                held = earliest(held, (!key.probing).then_some(probe_at));
                continue;
            }
        }
        match key.window.room(now) {
            Room::Free => {
                let rank = (key.held_since.is_some(), key.window.load());
                if best.is_none_or(|(least, _)| rank < least) {
                    best = Some((rank, candidate));
                }
            }
            Room::Full(until) => full = Some(earliest(full.flatten(), until)),
        }
    }
    match (best, full) {
        (Some((_, key)), _) => Ok(key.clone()),
        (None, Some(until)) => Err(Refusal::Quota(until)),
        (None, None) => Err(Refusal::KeyHeld(held)),
    }
}

fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

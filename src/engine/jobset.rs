//! What is loaded: jobs, workspaces, keys, secrets. Immutable; a reload makes a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::job::{Job, JobName};
use crate::domain::retention::Retention;
use crate::domain::secret::{Secret, SecretRef};
use crate::domain::workspace::{ApiKey, Workspace, WorkspaceName};

/// A validated configuration with its secrets resolved.
#[derive(Clone, Debug, Default)]
pub struct JobSet {
    /// By name.
    pub jobs: BTreeMap<JobName, Arc<Job>>,
    /// By name.
    pub workspaces: BTreeMap<WorkspaceName, Workspace>,
    /// The resolved keys of each workspace.
    pub keys: BTreeMap<WorkspaceName, Vec<ApiKey>>,
    /// The values behind `secret_kwargs`.
    pub secrets: BTreeMap<SecretRef, Secret>,
    /// How long the ledger keeps what.
    pub retention: Retention,
    /// The release of the zone data that the schedules were parsed with.
    pub zone_data: String,
}

//! Which definitions rule which span of time, and the events: who did what.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::domain::job::{DefinitionHash, JobName};

/// A definition whose interval is open: what the ledger believes to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedVersion {
    /// Whose.
    pub job: JobName,
    /// Which.
    pub definition_hash: DefinitionHash,
    /// Its canonical text.
    pub definition: Arc<str>,
    /// The release of the zone data that its ticks were computed with.
    pub zone_data: String,
    /// Its interval's beginning, exclusive.
    pub from: Timestamp,
}

/// A change of what is loaded, of one job, at one instant.
#[derive(Clone, Debug)]
pub struct VersionChange {
    /// The job.
    pub job: JobName,
    /// What is loaded from now on; `None`: the job is removed.
    pub loaded: Option<(DefinitionHash, Arc<str>)>,
    /// The release of the zone data that rules from now on.
    pub zone_data: String,
    /// The end of the old interval and the beginning of the new one.
    pub at: Timestamp,
}

/// Something somebody did, or that befell the daemon.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// One of the kinds that the migration lists.
    pub kind: &'static str,
    /// Who: `daemon`, a signal, a user.
    pub actor: String,
    /// A JSON object, free of secrets.
    pub detail: String,
}

/// Ends the open interval of the job and begins the next, if there is one.
pub(super) async fn change(
    connection: &mut SqliteConnection,
    change: &VersionChange,
) -> Result<(), sqlx::Error> {
    let at = change.at.as_microsecond();
    sqlx::query(
        "UPDATE job_versions SET until_us = max(from_us, $2) WHERE job = $1 AND until_us IS NULL",
    )
    .bind(change.job.as_str())
    .bind(at)
    .execute(&mut *connection)
    .await?;
    let Some((hash, definition)) = &change.loaded else {
        sqlx::query("UPDATE jobs SET loaded = 0 WHERE name = $1")
            .bind(change.job.as_str())
            .execute(connection)
            .await?;
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO jobs (name, definition_hash, loaded) VALUES ($1, $2, 1) \
         ON CONFLICT (name) DO UPDATE SET definition_hash = excluded.definition_hash, loaded = 1",
    )
    .bind(change.job.as_str())
    .bind(hash.0.to_string())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO job_versions (job, definition_hash, definition, zone_data, from_us) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(change.job.as_str())
    .bind(hash.0.to_string())
    .bind(definition.to_string())
    .bind(change.zone_data.as_str())
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Appends an event.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    event: &Event,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO events (at_us, kind, actor, detail) VALUES ($1, $2, $3, $4)")
        .bind(event.at.as_microsecond())
        .bind(event.kind)
        .bind(event.actor.as_str())
        .bind(event.detail.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads a row of `job_versions`.
pub(super) fn loaded_version(row: &SqliteRow) -> Result<LoadedVersion, sqlx::Error> {
    Ok(LoadedVersion {
        job: super::resume::job_name(row, "job")?,
        definition_hash: DefinitionHash(Arc::from(row.try_get::<&str, _>("definition_hash")?)),
        definition: Arc::from(row.try_get::<&str, _>("definition")?),
        zone_data: row.try_get("zone_data")?,
        from: super::resume::timestamp(row, "from_us")?,
    })
}

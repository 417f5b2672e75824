//! Which definitions rule which span of time, and the events: who did what.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::rows::{Bound, Part, RowsStatement};
use crate::domain::job::{DefinitionHash, DefinitionText, JobName};

/// A definition whose interval is open: what the ledger believes to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedVersion {
    /// Whose.
    pub job: JobName,
    /// Which.
    pub definition_hash: DefinitionHash,
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
    pub loaded: Option<(DefinitionHash, DefinitionText)>,
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

/// Ends the open interval of each loaded job and begins the next.
static LOAD: RowsStatement<3> = RowsStatement::new([
    END,
    Part {
        head: "INSERT INTO jobs (name, definition_hash, loaded) SELECT * FROM ",
        columns: 3,
        tail: " WHERE column1 IS NOT NULL ON CONFLICT (name) DO UPDATE SET definition_hash = excluded.definition_hash, loaded = excluded.loaded",
    },
    Part {
        head: "INSERT INTO job_versions (job, definition_hash, definition, zone_data, from_us) SELECT * FROM ",
        columns: 5,
        tail: " WHERE column1 IS NOT NULL",
    },
]);

/// Ends the open interval of each removed job.
static REMOVE: RowsStatement<2> = RowsStatement::new([
    END,
    Part {
        head: "UPDATE jobs SET loaded = 0 WHERE name IN ",
        columns: 1,
        tail: "",
    },
]);

const END: Part = Part {
    head: "WITH v (job, at) AS ",
    columns: 2,
    tail: " UPDATE job_versions SET until_us = max(from_us, v.at) \
           FROM v WHERE job_versions.job = v.job AND job_versions.until_us IS NULL",
};

/// A change that has a definition.
type Load<'p> = (&'p VersionChange, &'p DefinitionHash, &'p DefinitionText);

/// Ends the open intervals of the jobs and begins their next ones, where they have one. No job is named
/// twice.
pub(super) async fn change(
    connection: &mut SqliteConnection,
    changes: &[VersionChange],
) -> Result<(), sqlx::Error> {
    let loaded: Vec<Load<'_>> = changes
        .iter()
        .filter_map(|change| {
            let (hash, definition) = change.loaded.as_ref()?;
            Some((change, hash, definition))
        })
        .collect();
    LOAD.execute(
        connection,
        &loaded,
        [
            &|query, (change, ..): &Load<'_>| bind_end(query, change),
            &|query, (change, hash, _): &Load<'_>| {
                query
                    .bind(change.job.as_str().to_owned())
                    .bind(hash.0.to_string())
                    .bind(true)
            },
            &|query, (change, hash, definition): &Load<'_>| {
                query
                    .bind(change.job.as_str().to_owned())
                    .bind(hash.0.to_string())
                    .bind(definition.to_string())
                    .bind(change.zone_data.clone())
                    .bind(change.at.as_microsecond())
            },
        ],
    )
    .await?;
    let is_removed = |change: &&VersionChange| change.loaded.is_none();
    let removed: Vec<&VersionChange> = changes.iter().filter(is_removed).collect();
    REMOVE
        .execute(
            connection,
            &removed,
            [
                &|query, change: &&VersionChange| bind_end(query, change),
                &|query, change: &&VersionChange| query.bind(change.job.as_str().to_owned()),
            ],
        )
        .await?;
    Ok(())
}

fn bind_end<'q>(query: Bound<'q>, change: &VersionChange) -> Bound<'q> {
    query
        .bind(change.job.as_str().to_owned())
        .bind(change.at.as_microsecond())
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
        zone_data: row.try_get("zone_data")?,
        from: super::resume::timestamp(row, "from_us")?,
    })
}

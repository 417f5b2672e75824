//! Is the ledger's file whole? SQLite goes through its pages; what they say is for `audit verify`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{StoreError, StoreErrorKind};
use super::ground::{LARGE_JOURNAL, journal_of};
use super::reader::Reader;

/// Steps of SQLite's machine between two looks at whether to go on: a millisecond or so.
const STEPS: i32 = 10_000;

/// Findings that are told, at most: a page that is gone makes hundreds.
const FINDINGS: usize = 5;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Every page once, as long as the journal is small: what is written while somebody looks stays in
    /// it, which of a large ledger with a busy daemon would be gigabytes.
    Quick,
    /// That every row is in its indexes, too; on a large ledger, minutes.
    Thorough,
}

/// What became of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// All is well.
    Whole,
    /// What was found.
    Damaged(String),
    /// It was not come to an end, and nothing was found.
    BrokenOff,
}

/// Half of what the journal may have before people are told of it.
const JOURNAL: u64 = LARGE_JOURNAL / 2;

impl Reader {
    /// Looks for damage until `enough` is set.
    ///
    /// # Errors
    /// Where the ledger cannot be read for another reason than damage.
    pub async fn damage(&self, care: Care, enough: Arc<AtomicBool>) -> Result<Look, StoreError> {
        let result = self.findings(care, enough.clone()).await;
        match result {
            Ok(findings) if findings == ["ok"] => Ok(Look::Whole),
            Ok(findings) => {
                let told: Vec<String> = findings
                    .iter()
                    .take(FINDINGS)
                    .map(|finding| one_line(finding))
                    .collect();
                let more = findings.len() - told.len();
                let more = match more {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                Ok(Look::Damaged(format!("{}{more}", told.join("; "))))
            }
            Err(_) if enough.load(Ordering::Relaxed) => Ok(Look::BrokenOff),
            Err(error) => {
                let error = StoreError::from_sqlx("looking for damage in the ledger", error);
                match error.kind() {
                    StoreErrorKind::Corrupt | StoreErrorKind::NotALedger => {
                        Ok(Look::Damaged(error.cause().unwrap_or_default()))
                    }
                    _ => Err(error),
                }
            }
        }
    }

    async fn findings(
        &self,
        care: Care,
        enough: Arc<AtomicBool>,
    ) -> Result<Vec<String>, sqlx::Error> {
        let mut connection = self.pool().acquire().await?;
        let mut handle = connection.lock_handle().await?;
        let journal = journal_of(self.pool().connect_options().get_filename());
        handle.set_progress_handler(STEPS, move || {
            if care == Care::Quick && std::fs::metadata(&journal).is_ok_and(|j| j.len() > JOURNAL) {
                enough.store(true, Ordering::Relaxed);
            }
            !enough.load(Ordering::Relaxed)
        });
        drop(handle);
        let pragma = match care {
            Care::Quick => "PRAGMA quick_check",
            Care::Thorough => "PRAGMA integrity_check",
        };
        let findings = sqlx::query_scalar(pragma).fetch_all(&mut *connection).await;
        connection.lock_handle().await?.remove_progress_handler();
        findings
    }
}

fn one_line(finding: &str) -> String {
    finding.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions};

    use super::super::open::Ledger;
    use super::*;

    #[tokio::test]
    async fn a_quick_look_is_broken_off_where_the_journal_has_become_large() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("funcron.db");
        let now = jiff::Timestamp::UNIX_EPOCH;
        let (ledger, held) = Ledger::open(&path, now).await.unwrap();
        let look = |care| ledger.reader().damage(care, Default::default());
        assert_eq!(look(Care::Quick).await.unwrap(), Look::Whole);

        let options = SqliteConnectOptions::new().filename(&path);
        let mut writer = options.connect().await.unwrap();
        let event = "INSERT INTO events (at_us, kind, actor, detail) VALUES (1, 'reload', 'a test', hex(randomblob(500)))";
        // In one transaction, whose pages all stay in the journal.
        let many = format!("BEGIN; {}; COMMIT", vec![event; 100].join("; "));
        sqlx::raw_sql("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF")
            .execute(&mut writer)
            .await
            .unwrap();
        while std::fs::metadata(journal_of(&path)).unwrap().len() <= JOURNAL {
            sqlx::raw_sql(AssertSqlSafe(many.clone()))
                .execute(&mut writer)
                .await
                .unwrap();
        }
        assert_eq!(look(Care::Quick).await.unwrap(), Look::BrokenOff);
        assert_eq!(look(Care::Thorough).await.unwrap(), Look::Whole);
        drop(writer);
        held.release(ledger).await;
    }
}

//! Is the ledger's file whole? SQLite goes through its pages; what they say is for `audit verify`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{StoreError, StoreErrorKind};
use super::reader::Reader;

/// Steps of SQLite's machine between two looks at whether to go on: some milliseconds.
const STEPS: i32 = 100_000;

/// Findings that are told, at most: a page that is gone makes hundreds.
const FINDINGS: usize = 5;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Every page once.
    Quick,
    /// That every row is in its indexes, too; on a large ledger, minutes.
    Thorough,
}

impl Reader {
    /// Looks for damage until `enough` is set: what was found, `None` where all is well or the look
    /// was broken off.
    ///
    /// # Errors
    /// Where the ledger cannot be read for another reason than damage.
    pub async fn damage(
        &self,
        care: Care,
        enough: Arc<AtomicBool>,
    ) -> Result<Option<String>, StoreError> {
        let result = self.findings(care, enough.clone()).await;
        match result {
            Ok(findings) if findings == ["ok"] => Ok(None),
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
                Ok(Some(format!("{}{more}", told.join("; "))))
            }
            Err(_) if enough.load(Ordering::Relaxed) => Ok(None),
            Err(error) => {
                let error = StoreError::from_sqlx("looking for damage in the ledger", error);
                match error.kind() {
                    StoreErrorKind::Corrupt | StoreErrorKind::NotALedger => {
                        Ok(Some(error.cause().unwrap_or_default()))
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
        handle.set_progress_handler(STEPS, move || !enough.load(Ordering::Relaxed));
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

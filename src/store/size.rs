//! How large the ledger's file is, and how it becomes smaller.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::error::StoreError;
use super::reader::Reader;

/// The ledger's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its pages.
    pub pages: u64,
    /// Of these, those that nothing is in.
    pub free_pages: u64,
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Whether free pages can be given back to the file system bit by bit: it was made so.
    pub can_shrink: bool,
}

impl Size {
    /// The file's bytes.
    pub fn bytes(&self) -> u64 {
        self.pages.saturating_mul(self.page_bytes)
    }

    /// Bytes that nothing is in.
    pub fn free_bytes(&self) -> u64 {
        self.free_pages.saturating_mul(self.page_bytes)
    }
}

const SIZE: &str = "\
SELECT page_count, freelist_count, page_size, auto_vacuum \
FROM pragma_page_count, pragma_freelist_count, pragma_page_size, pragma_auto_vacuum";

/// `auto_vacuum` of a ledger that can shrink.
const INCREMENTAL: i64 = 2;

/// An order to give free pages back.
#[derive(Clone, Copy, Debug)]
pub struct Shrink {
    /// In one go, at most.
    pub pages: u32,
    /// The share of the file that may stay free: one in so many.
    pub spare: u64,
}

impl Shrink {
    /// Whether there is something to give back in a file of this size.
    pub fn has_work(&self, size: &Size) -> bool {
        size.can_shrink && size.free_pages > size.pages / self.spare.max(1)
    }
}

impl Reader {
    /// The file's size.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn size(&self) -> Result<Size, StoreError> {
        let failed = |error| StoreError::from_sqlx("reading the ledger's size", error);
        let mut connection = self.pool().acquire().await.map_err(failed)?;
        size(&mut connection).await.map_err(failed)
    }
}

/// The file's size.
pub(super) async fn size(connection: &mut SqliteConnection) -> Result<Size, sqlx::Error> {
    let row = sqlx::query(SIZE).fetch_one(connection).await?;
    let number = |index: usize| row.try_get::<i64, _>(index).map(i64::unsigned_abs);
    Ok(Size {
        pages: number(0)?,
        free_pages: number(1)?,
        page_bytes: number(2)?,
        can_shrink: row.try_get::<i64, _>(3)? == INCREMENTAL,
    })
}

/// Gives a piece back, if there is one; answers the size after it.
pub(super) async fn shrink(
    connection: &mut SqliteConnection,
    shrink: Shrink,
) -> Result<Size, sqlx::Error> {
    let before = size(connection).await?;
    if !shrink.has_work(&before) {
        return Ok(before);
    }
    let pragma = format!("PRAGMA incremental_vacuum({})", shrink.pages);
    // A row comes for each page, and the next goes only when it is fetched.
    sqlx::query(sqlx::AssertSqlSafe(pragma))
        .fetch_all(&mut *connection)
        .await?;
    size(connection).await
}

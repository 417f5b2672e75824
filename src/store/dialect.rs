//! What differs between databases, each with its reason.

/// Differs because a deferred transaction of SQLite that reads and then writes fails at once with
/// `SQLITE_BUSY_SNAPSHOT` when another connection has written in between; no busy timeout helps.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// Differs because only SQLite is a file that could be anything: "fcrn", kept in the file's header.
pub(super) const APPLICATION_ID: i64 = 0x6663_726e;

/// Differs because only SQLite has a journal beside the file: who may not write the directory cannot
/// read a WAL database whose `-wal` and `-shm` are gone (guarantee G8).
pub(super) const LEAVE_WAL: &str = "PRAGMA journal_mode = DELETE";

/// Differs because a list of names is one parameter, however long it is, and each database has its own
/// way to unfold it; SQLite has no arrays and takes no more than 32,766 parameters.
pub(super) const JOB_IS_AMONG: &str = "job IN (SELECT value FROM json_each($))";

/// Differs because only SQLite is a file that keeps the pages of deleted rows: this way they can be given
/// back to the file system bit by bit.
pub(super) const GIVE_PAGES_BACK: &str = "PRAGMA auto_vacuum = INCREMENTAL";

/// Differs because only SQLite keeps what one statement may have to take back in a file of its own, in
/// `/var/tmp`, as soon as that is more than 64 KiB: a few dozen planned runs. That costs two writes a page
/// and fails where that directory is full or cannot be written. Here a statement has few rows.
pub(super) const TAKE_BACK_IN_MEMORY: &str = "PRAGMA temp_store = MEMORY";

/// Differs because only SQLite keeps what is committed in a journal beside the file until somebody copies it
/// into the file. `PASSIVE` waits for nobody, and nobody for it.
pub(super) const COPY_JOURNAL: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Differs for the same reason: a commit copies by itself only where the journal has come to so many pages,
/// 16 MiB, because [`super::checkpoint`] did not.
pub(super) const COPY_AT_LAST: &str = "PRAGMA wal_autocheckpoint = 4000";

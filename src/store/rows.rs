//! Statements over many rows.
//!
//! One `execute` costs a hop to the connection's thread, three to four times the insert itself, so
//! rows travel together, and what is written of each in two tables goes in one text. The row counts are
//! fixed sizes, so that each text is prepared once; the last tuples of one may be empty.
//!
//! The parameters have no names: for one that has, `$7` too, SQLite goes through the list of them all
//! each time it is bound, which was a fifth of the writer's time.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use crate::domain::outcome::Outcome;
use crate::domain::run::{Reason, RunId, RunState, Trigger};

/// A word of a closed set, a parameter of nearly every statement. Shared, as every other text is that a
/// row shares with its job: sqlx takes an `Arc<str>` as it is, and of any other text makes two
/// allocations, which SQLite's thread gives back while others wait for the allocator.
pub(super) fn word(text: &'static str) -> Arc<str> {
    static WORDS: LazyLock<HashMap<&'static str, Arc<str>>> = LazyLock::new(|| {
        let states = RunState::ALL.into_iter().map(RunState::as_str);
        let triggers = Trigger::ALL.into_iter().map(Trigger::as_str);
        let outcomes = Outcome::ALL.into_iter().map(Outcome::as_str);
        let words = states.chain(triggers).chain(outcomes);
        let words = words.chain(Reason::names());
        words.map(|word| (word, Arc::from(word))).collect()
    });
    WORDS.get(text).cloned().unwrap_or_else(|| text.into())
}

/// A run's id.
pub(super) fn id(run: RunId) -> Arc<str> {
    let mut buffer = uuid::Uuid::encode_buffer();
    Arc::from(&*run.0.hyphenated().encode_lower(&mut buffer))
}

/// A text that may be absent.
pub(super) fn text(text: Option<&String>) -> Option<Arc<str>> {
    text.map(|text| Arc::from(text.as_str()))
}

/// Rows that one text takes in, at most.
pub(super) const MOST: usize = 128;

/// Rows per text. 128 rows of 29 columns stay far
/// below SQLite's 32,766 parameters.
const SIZES: [usize; 8] = [MOST, 64, 32, 16, 8, 4, 2, 1];

/// A statement over a list of tuples of parameters: `head`, `(VALUES (?, …), …)`, `tail`.
///
/// The list may end with tuples of NULLs, which are no rows: an update's `WHERE` does not find them, an
/// insert takes them out by `WHERE column1 IS NOT NULL`.
///
/// An update of what every attempt writes says `OR FAIL`: whatever fails takes back the whole transaction, so that SQLite need not keep
/// what each statement would take back alone, which was a tenth of its work.
pub(super) struct Part {
    pub(super) head: &'static str,
    /// Parameters in each tuple.
    pub(super) columns: usize,
    pub(super) tail: &'static str,
}

/// Statements that are executed over the same rows, one after another.
pub(super) struct RowsStatement<const PARTS: usize> {
    parts: [Part; PARTS],
    texts: OnceLock<[String; SIZES.len()]>,
}

/// A query being bound.
pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds the tuple of a row.
pub(super) type Bind<'b, R> = &'b (dyn for<'q> Fn(Bound<'q>, &R) -> Bound<'q> + Sync);

impl<const PARTS: usize> RowsStatement<PARTS> {
    pub(super) const fn new(parts: [Part; PARTS]) -> Self {
        Self {
            parts,
            texts: OnceLock::new(),
        }
    }

    /// Executes the parts over all rows and returns how many rows they changed, all in all. `binds` are
    /// those of the parts.
    pub(super) async fn execute<R: Sync>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[R],
        binds: [Bind<'_, R>; PARTS],
    ) -> Result<u64, sqlx::Error> {
        let mut changed = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let (text, size) = self.fitting(rest.len());
            let (now, later) = rest.split_at(size.min(rest.len()));
            let mut query = sqlx::query(text);
            for (part, bind) in self.parts.iter().zip(binds) {
                for row in now {
                    query = bind(query, row);
                }
                for _ in 0..part.columns * (size - now.len()) {
                    query = query.bind(None::<i64>);
                }
            }
            changed += query.execute(&mut *connection).await?.rows_affected();
            rest = later;
        }
        Ok(changed)
    }

    /// The smallest text that takes all of so many rows, unless more than a quarter of it would be empty;
    /// then the largest that is filled.
    fn fitting(&'static self, rows: usize) -> (&'static str, usize) {
        let fits = |size: &usize| rows <= *size && rows * 4 >= *size * 3;
        let at = SIZES.iter().rposition(fits);
        let at = at.or_else(|| SIZES.iter().position(|size| *size <= rows));
        let at = at.unwrap_or(SIZES.len() - 1);
        (&self.texts()[at], SIZES[at])
    }

    fn texts(&self) -> &[String; SIZES.len()] {
        self.texts.get_or_init(|| {
            SIZES.map(|rows| {
                let parts = self.parts.iter().map(|part| part.text(rows));
                parts.collect::<Vec<_>>().join(";")
            })
        })
    }
}

impl Part {
    fn text(&self, rows: usize) -> String {
        let tuple = format!("({})", vec!["?"; self.columns].join(","));
        let tuples = vec![tuple; rows].join(",");
        format!("{}(VALUES {tuples}){}", self.head, self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_repeats_the_tuple_of_each_part() {
        let part = |head, columns| Part {
            head,
            columns,
            tail: "!",
        };
        let statement = RowsStatement::new([part("A ", 2), part("B ", 1)]);
        let texts = statement.texts();
        assert_eq!(texts[7], "A (VALUES (?,?))!;B (VALUES (?))!");
        assert_eq!(texts[6], "A (VALUES (?,?),(?,?))!;B (VALUES (?),(?))!");
    }

    #[test]
    fn a_text_that_fits_is_taken_where_it_is_not_mostly_empty() {
        static STATEMENT: RowsStatement<1> = RowsStatement::new([Part {
            head: "",
            columns: 1,
            tail: "",
        }]);
        let size = |rows| STATEMENT.fitting(rows).1;
        let sizes = [1, 2, 3, 4, 5, 6, 7, 95, 96, 128, 300].map(size);
        assert_eq!(sizes, [1, 2, 4, 4, 4, 8, 8, 64, 128, 128, 128]);
    }
}

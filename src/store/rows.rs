//! Statements over many rows.
//!
//! One `execute` costs a hop to the connection's thread, three to four times the insert itself, so
//! rows travel together, and what is written of each in two tables goes in one text. The row counts are
//! fixed sizes, so that each text is prepared once.
//!
//! The parameters have no names: for one that has, `$7` too, SQLite goes through the list of them all
//! each time it is bound, which was a fifth of the writer's time.

use std::sync::OnceLock;

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

/// Rows per text: the largest that fits is taken, again and again. 128 rows of 29 columns stay far
/// below SQLite's 32,766 parameters.
const SIZES: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

/// A statement whose text repeats a tuple of parameters: `head`, the tuples, `tail`.
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
            let (text, size) = self.largest(rest.len());
            let (now, later) = rest.split_at(size);
            let mut query = sqlx::query(text);
            for bind in binds {
                for row in now {
                    query = bind(query, row);
                }
            }
            changed += query.execute(&mut *connection).await?.rows_affected();
            rest = later;
        }
        Ok(changed)
    }

    fn largest(&'static self, rows: usize) -> (&'static str, usize) {
        let at = SIZES
            .iter()
            .position(|size| *size <= rows)
            .unwrap_or(SIZES.len() - 1);
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
        format!("{}{tuples}{}", self.head, self.tail)
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
        assert_eq!(texts[7], "A (?,?)!;B (?)!");
        assert_eq!(texts[6], "A (?,?),(?,?)!;B (?),(?)!");
    }
}

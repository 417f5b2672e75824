//! Statements over many rows.
//!
//! One `execute` costs a hop to the connection's thread, three to four times the insert itself, so
//! rows travel together. The row counts are fixed sizes, so that each text is prepared once.

use std::sync::LazyLock;

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

/// Rows per statement: the largest that fits is taken, again and again. 64 rows of 20 columns stay
/// far below SQLite's 32,766 parameters.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// A statement whose text repeats a tuple of parameters.
pub(super) struct RowsStatement {
    texts: LazyLock<[String; SIZES.len()], fn() -> [String; SIZES.len()]>,
}

/// A query being bound.
pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

impl RowsStatement {
    /// `make` builds the texts, with [`texts`].
    pub(super) const fn new(make: fn() -> [String; SIZES.len()]) -> Self {
        Self {
            texts: LazyLock::new(make),
        }
    }

    /// Executes the statement over all rows and returns how many rows it changed.
    pub(super) async fn execute<R>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[R],
        bind: impl for<'q> Fn(Bound<'q>, &R) -> Bound<'q>,
    ) -> Result<u64, sqlx::Error> {
        let mut changed = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let (text, size) = self.largest(rest.len());
            let (now, later) = rest.split_at(size);
            let mut query = sqlx::query(text);
            for row in now {
                query = bind(query, row);
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
        (&self.texts[at], SIZES[at])
    }
}

/// The texts of a statement for each row count: `head`, the tuples of `columns` parameters, `tail`.
pub(super) fn texts(head: &str, columns: usize, tail: &str) -> [String; SIZES.len()] {
    SIZES.map(|rows| {
        let tuples: Vec<String> = (0..rows)
            .map(|row| {
                let parameters: Vec<String> = (1..=columns)
                    .map(|column| format!("${}", row * columns + column))
                    .collect();
                format!("({})", parameters.join(","))
            })
            .collect();
        format!("{head}{}{tail}", tuples.join(","))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_count_their_parameters_through() {
        let texts = texts("VALUES ", 2, ";");
        assert_eq!(texts[3], "VALUES ($1,$2);");
        assert_eq!(texts[2], "VALUES ($1,$2),($3,$4),($5,$6),($7,$8);");
    }
}

//! Everything that the two engines say differently. Nothing else in the code asks which engine runs.
//!
//! These are macros, because diesel types a statement per engine: the body is checked twice, once for
//! each. Budget: ten.

use super::Conn;

/// A gate that many pass at once, and that somebody closes once in a while: whoever closes it waits for those who have passed and are not
/// done, and whoever comes then waits for them. On SQLite, where one writes at a time, it stands open.
#[derive(Debug, Clone, Copy)]
pub struct Gate(pub i64);

impl Gate {
    /// Passes, until the end of the transaction.
    pub fn pass_in_tx(self, conn: &mut Conn) -> diesel::QueryResult<()> {
        self.take(conn, "SELECT pg_advisory_xact_lock_shared($1)")
    }

    /// Closes it, until the end of the transaction.
    pub fn close_in_tx(self, conn: &mut Conn) -> diesel::QueryResult<()> {
        self.take(conn, "SELECT pg_advisory_xact_lock($1)")
    }

    fn take(self, conn: &mut Conn, query: &str) -> diesel::QueryResult<()> {
        if let Conn::Postgres(c) = conn {
            let query = diesel::sql_query(query).bind::<diesel::sql_types::BigInt, _>(self.0);
            diesel::RunQueryDsl::execute(query, c)?;
        }
        Ok(())
    }
}

/// Runs `$body` with `$c` bound to the connection of the engine at hand.
#[macro_export]
macro_rules! on_each {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::platform::db::Conn::Postgres($c) => $body,
            $crate::platform::db::Conn::Sqlite($c) => $body,
        }
    };
}

/// Rows in one PostgreSQL INSERT at most: 65,535 parameters are allowed in a statement.
pub const INSERT_ROWS: usize = 500;

/// From how many rows on PostgreSQL gets them as a COPY: an INSERT of varying length is parsed and planned anew each time, and
/// one for each row waits for as many answers.
pub const COPY_ROWS: usize = 3;

/// Inserts `$rows` (a slice) into `$table` and gives the number inserted. PostgreSQL takes many rows as a stream;
/// SQLite takes one at a time and caches the statement. The row's type says `treat_none_as_default_value = false`, so that
/// every row names every column.
#[macro_export]
macro_rules! insert_rows {
    ($conn:expr, $table:expr, $rows:expr) => {{
        let rows = $rows;
        let mut inserted: usize = 0;
        match $conn {
            $crate::platform::db::Conn::Postgres(c)
                if rows.len() >= $crate::platform::db::dialect::COPY_ROWS =>
            {
                inserted +=
                    diesel::ExecuteCopyFromDsl::execute(diesel::copy_from($table).from_insertable(rows), c)?;
            }
            $crate::platform::db::Conn::Postgres(c) => {
                for row in rows {
                    inserted += diesel::RunQueryDsl::execute(diesel::insert_into($table).values(row), c)?;
                }
            }
            $crate::platform::db::Conn::Sqlite(c) => {
                for row in rows {
                    inserted += diesel::RunQueryDsl::execute(diesel::insert_into($table).values(row), c)?;
                }
            }
        }
        Ok::<usize, diesel::result::Error>(inserted)
    }};
}

/// Runs a statement for `$rows`: on PostgreSQL once with all of them as `$values`, on SQLite, where a statement costs no journey, row by row.
/// Write the statement where it is used: it is typed once for each engine.
#[macro_export]
macro_rules! write_rows {
    ($conn:expr, $rows:expr, $values:ident => $statement:expr) => {{
        let rows = $rows;
        let mut changed: usize = 0;
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => {
                if !rows.is_empty() {
                    let $values = rows;
                    changed += diesel::RunQueryDsl::execute($statement, c)?;
                }
            }
            $crate::platform::db::Conn::Sqlite(c) => {
                for $values in rows {
                    changed += diesel::RunQueryDsl::execute($statement, c)?;
                }
            }
        }
        Ok::<usize, diesel::result::Error>(changed)
    }};
}

/// Inserts those of `$rows` that break no unique key, and gives `$column` of the inserted ones. `$of` reads the
/// same value from a row. Write the query where it is used: it is typed once for each engine.
#[macro_export]
macro_rules! insert_new {
    ($conn:expr, $table:expr, $rows:expr, $column:expr => $of:expr) => {{
        let rows = $rows;
        let of = $of;
        // The first call fixes the type of what is given back.
        let mut inserted = rows.iter().map(of).take(0).collect::<Vec<_>>();
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => {
                for chunk in rows.chunks($crate::platform::db::dialect::INSERT_ROWS) {
                    inserted.append(&mut diesel::RunQueryDsl::get_results(
                        diesel::insert_into($table).values(chunk).on_conflict_do_nothing().returning($column),
                        c,
                    )?);
                }
            }
            $crate::platform::db::Conn::Sqlite(c) => {
                for row in rows {
                    let statement = diesel::insert_into($table).values(row).on_conflict_do_nothing();
                    if diesel::RunQueryDsl::execute(statement, c)? == 1 {
                        inserted.push(of(row));
                    }
                }
            }
        }
        Ok::<_, diesel::result::Error>(inserted)
    }};
}

/// Loads `$query` and locks its rows until the end of the transaction. On SQLite the transaction itself is
/// the lock.
#[macro_export]
macro_rules! load_locked {
    ($conn:expr, $query:expr) => {
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => diesel::RunQueryDsl::load($query.for_update(), c),
            $crate::platform::db::Conn::Sqlite(c) => diesel::RunQueryDsl::load($query, c),
        }
    };
}

/// Loads `$query` and shares its rows until the end of the transaction: nobody changes them, and others may share them too.
#[macro_export]
macro_rules! load_shared {
    ($conn:expr, $query:expr) => {
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => diesel::RunQueryDsl::load($query.for_share(), c),
            $crate::platform::db::Conn::Sqlite(c) => diesel::RunQueryDsl::load($query, c),
        }
    };
}

/// Loads `$query` and locks its rows, passing over rows that another instance holds.
#[macro_export]
macro_rules! load_unclaimed {
    ($conn:expr, $query:expr) => {
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => {
                diesel::RunQueryDsl::load($query.for_update().skip_locked(), c)
            }
            $crate::platform::db::Conn::Sqlite(c) => diesel::RunQueryDsl::load($query, c),
        }
    };
}

/// Loads the rows whose two key columns are one of `$pairs`, as `$row`. `$one` is the query for one pair; PostgreSQL is given
/// all in one query, for which the names of the table and of the columns, and these columns' SQL types, are said once more, and a condition if there is one.
/// Two lists of alternatives would not do: either engine may go through all combinations, or through the whole table. `OFFSET 0`
/// keeps PostgreSQL from joining otherwise than pair by pair (a plan is made anew each time: one that is kept from when a table was nearly
/// empty goes through all of it later): with many pairs it would go through all rows of the first column.
/// After the condition, `"FOR UPDATE"` locks the rows, pair by pair.
#[macro_export]
macro_rules! load_pairs {
    ($conn:expr, $row:ty, $pairs:expr, ($p:ident, $q:ident) => $one:expr,
     $table:literal, $a:literal: $A:ty, $b:literal: $B:ty $(, $and:literal $(, $lock:literal)?)?) => {{
        let pairs = $pairs;
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => {
                use diesel::sql_types::Array;
                let (a, b): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
                #[rustfmt::skip]
                let query = diesel::sql_query(concat!(
                    "SELECT kept.* FROM unnest($1, $2) AS pair (a, b) CROSS JOIN LATERAL (SELECT * FROM ", $table,
                    " AS one WHERE one.", $a, " = pair.a AND one.", $b, " = pair.b" $(, " AND one.", $and)?,
                    " OFFSET 0" $($(, " ", $lock)?)?, ") AS kept"
                ));
                diesel::RunQueryDsl::load::<$row>(query.bind::<Array<$A>, _>(a).bind::<Array<$B>, _>(b), c)
            }
            $crate::platform::db::Conn::Sqlite(c) => {
                let mut rows: Vec<$row> = Vec::new();
                for ($p, $q) in pairs.iter().copied() {
                    rows.append(&mut diesel::RunQueryDsl::load($one, c)?);
                }
                Ok(rows)
            }
        }
    }};
}

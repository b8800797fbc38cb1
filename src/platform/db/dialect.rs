//! Everything that the two engines say differently. Nothing else in the code asks which engine runs.
//!
//! These are macros, because diesel types a statement per engine: the body is checked twice, once for
//! each. Budget: ten.

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
///
/// What is written many times a second, a few dozen rows each time, is named with its columns instead: PostgreSQL gets it in one journey.
#[macro_export]
macro_rules! insert_rows {
    ($conn:expr, $table:ident [$($column:ident),+ $(,)?], $rows:expr) => {{
        let rows = $rows;
        match &mut *$conn {
            $crate::platform::db::Conn::Postgres(c)
                if (1..=$crate::platform::db::dialect::LISTED_ROWS).contains(&rows.len()) =>
            {
                diesel::RunQueryDsl::execute($crate::listed!(rows, $table [$($column),+] ""), c)
            }
            _ => $crate::insert_rows!($conn, $crate::platform::db::schema::$table::table, rows),
        }
    }};
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

/// Up to how many rows PostgreSQL gets them as lists: of more, a COPY, which writes a page at a time, is quicker for all its journeys.
pub const LISTED_ROWS: usize = 128;

/// The statement that inserts `$rows` into `$table` on PostgreSQL, as one list a column, whose text is the same for however many. `$and`
/// follows it: what to do where a key is known, or what to give back.
#[macro_export]
macro_rules! listed {
    ($rows:expr, $table:ident [$first:ident $(, $more:ident)*] $and:expr) => {{
        use diesel::sql_types::Array;
        use $crate::platform::db::schema::$table as of;
        let rows = $rows;
        #[rustfmt::skip]
        let statement = $crate::platform::db::fixed::Fixed::new(concat!(
            "INSERT INTO ", stringify!($table), " (", stringify!($first) $(, ", ", stringify!($more))*,
            ") SELECT unnest(?) AS ", stringify!($first) $(, ", unnest(?) AS ", stringify!($more))*, " ", $and
        ));
        statement
            .bind::<Array<diesel::dsl::SqlTypeOf<of::$first>>, _>(
                rows.iter().map(|row| &row.$first).collect::<Vec<_>>(),
            )
            $(.bind::<Array<diesel::dsl::SqlTypeOf<of::$more>>, _>(
                rows.iter().map(|row| &row.$more).collect::<Vec<_>>(),
            ))*
    }};
}

/// Runs a statement for `$rows`: on PostgreSQL the one that `$and` ends (see [`listed!`]) with all of them, on SQLite, where a statement costs
/// no journey, `$statement` for each as `$row`.
#[macro_export]
macro_rules! write_rows {
    ($conn:expr, $rows:expr, $table:ident [$($column:ident),+ $(,)?] $and:literal, $row:ident => $statement:expr) => {{
        let rows = $rows;
        let mut changed: usize = 0;
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => {
                if !rows.is_empty() {
                    changed +=
                        diesel::RunQueryDsl::execute($crate::listed!(rows, $table [$($column),+] $and), c)?;
                }
            }
            $crate::platform::db::Conn::Sqlite(c) => {
                for $row in rows {
                    changed += diesel::RunQueryDsl::execute($statement, c)?;
                }
            }
        }
        Ok::<usize, diesel::result::Error>(changed)
    }};
}

/// Runs the statement that `$text` and a key are, as in `UPDATE … WHERE id`, for all `$keys`: on PostgreSQL once.
#[macro_export]
macro_rules! write_keyed {
    ($conn:expr, $text:literal: $Key:ty, $keys:expr) => {{
        use $crate::platform::db::fixed::Fixed;
        let keys = $keys;
        match $conn {
            $crate::platform::db::Conn::Postgres(c) => {
                let statement = Fixed::reading(concat!($text, " = ANY(?)"));
                diesel::RunQueryDsl::execute(statement.bind::<diesel::sql_types::Array<$Key>, _>(keys), c)
            }
            $crate::platform::db::Conn::Sqlite(c) => {
                let mut changed: usize = 0;
                for key in keys {
                    let statement = Fixed::new(concat!($text, " = ?"));
                    changed += diesel::RunQueryDsl::execute(statement.bind::<$Key, _>(key), c)?;
                }
                Ok::<usize, diesel::result::Error>(changed)
            }
        }
    }};
}

/// Inserts those of `$rows` that break no unique key, and gives `$column` of the inserted ones. `$of` reads the
/// same value from a row. Write the query where it is used: it is typed once for each engine. As with [`insert_rows!`], a table may be named with
/// its columns.
#[macro_export]
macro_rules! insert_new {
    ($conn:expr, $table:ident [$($field:ident),+ $(,)?], $rows:expr, $column:ident => $of:expr) => {{
        let rows = $rows;
        match &mut *$conn {
            $crate::platform::db::Conn::Postgres(c) if !rows.is_empty() => {
                let statement = $crate::listed!(
                    rows, $table [$($field),+] concat!("ON CONFLICT DO NOTHING RETURNING ", stringify!($column))
                );
                let given = statement.giving::<diesel::dsl::SqlTypeOf<$crate::platform::db::schema::$table::$column>>();
                diesel::RunQueryDsl::get_results(given, c)
            }
            _ => $crate::insert_new!(
                $conn, $crate::platform::db::schema::$table::table, rows, $crate::platform::db::schema::$table::$column => $of
            ),
        }
    }};
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
/// keeps PostgreSQL from joining otherwise than pair by pair: with many pairs it would go through all rows of the first column.
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
                let query = $crate::platform::db::fixed::Fixed::reading(concat!(
                    "SELECT kept.* FROM unnest(?, ?) AS pair (a, b) CROSS JOIN LATERAL (SELECT * FROM ", $table,
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

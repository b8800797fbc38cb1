//! Statements whose text never varies, however many rows they are about: to PostgreSQL lists go as arrays.
//!
//! The connection keeps such a statement, so that it is parsed once and costs one journey. Diesel's own `sql_query`, an update, an insert of
//! many rows and a COPY are prepared anew each time, which costs one or two more: at the door that was half of what a batch waits for.

use std::cell::Cell;
use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};
use diesel::{QueryResult, RunQueryDsl};

thread_local! {
    static KEEPS: Cell<bool> = const { Cell::new(false) };
}

/// Lets the connection of this thread keep statements that look for rows, too. A plan is kept with them: one from when a table was nearly
/// empty would go through all of it later, so that the connection must plan by index in any case.
pub(super) fn keep_what_reads() {
    KEEPS.set(true);
}

/// A statement and its parameters. It gives rows of named columns, or of the SQL type `R`.
pub struct Fixed<'a, DB: Backend, R = Untyped> {
    text: &'static str,
    binds: Vec<Box<dyn QueryFragment<DB> + 'a>>,
    is_kept: bool,
    rows: PhantomData<R>,
}

impl<'a, DB: Backend> Fixed<'a, DB> {
    /// `text` says `?` where a parameter stands. It goes through no table.
    pub fn new(text: &'static str) -> Self {
        Self { text, binds: Vec::new(), is_kept: true, rows: PhantomData }
    }

    /// One that looks for rows by other than one whole key: planned anew each time where plans may be outgrown.
    pub fn reading(text: &'static str) -> Self {
        Self { is_kept: KEEPS.get(), ..Self::new(text) }
    }

    /// The same, giving one column of the SQL type `R`.
    #[must_use]
    pub fn giving<R>(self) -> Fixed<'a, DB, R> {
        Fixed { text: self.text, binds: self.binds, is_kept: self.is_kept, rows: PhantomData }
    }

    /// The next parameter.
    #[must_use]
    pub fn bind<T, V>(mut self, value: V) -> Self
    where
        DB: HasSqlType<T>,
        T: 'a,
        V: ToSql<T, DB> + 'a,
    {
        self.binds.push(Box::new(Bind { value, sql_type: PhantomData }));
        self
    }
}

struct Bind<T, V> {
    value: V,
    sql_type: PhantomData<T>,
}

impl<DB, T, V> QueryFragment<DB> for Bind<T, V>
where
    DB: Backend + HasSqlType<T>,
    V: ToSql<T, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_bind_param(&self.value)
    }
}

impl<DB: Backend, R> QueryFragment<DB> for Fixed<'_, DB, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.is_kept {
            out.unsafe_to_cache_prepared();
        }
        let mut parts = self.text.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for (bind, part) in self.binds.iter().zip(parts) {
            bind.walk_ast(out.reborrow())?;
            out.push_sql(part);
        }
        Ok(())
    }
}

/// It is kept by its text.
impl<DB: Backend, R> QueryId for Fixed<'_, DB, R> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Backend, R> Query for Fixed<'_, DB, R> {
    type SqlType = R;
}

impl<DB: Backend, R, Conn> RunQueryDsl<Conn> for Fixed<'_, DB, R> {}

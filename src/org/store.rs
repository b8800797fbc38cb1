//! Queries of the union tree.

use std::collections::HashMap;

use diesel::prelude::*;

use super::model::{Organisation, OrganisationKind};
use crate::error::{Error, Result};
use crate::ids::OrganisationId;
use crate::platform::db::Conn;
use crate::platform::db::schema::organisations;

/// The node `id`, or 404.
pub fn get(conn: &mut Conn, id: OrganisationId) -> Result<Organisation> {
    let found = organisations::table.find(id).select(Organisation::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The node with `code`, if there is one.
pub fn find_by_code(conn: &mut Conn, code: &str) -> Result<Option<Organisation>> {
    let query = organisations::table.filter(organisations::code.eq(code)).select(Organisation::as_select());
    Ok(query.first(conn).optional()?)
}

/// Nodes in the order of their codes, after `after`.
pub fn list(
    conn: &mut Conn,
    kind: Option<OrganisationKind>,
    parent: Option<OrganisationId>,
    after: Option<String>,
    limit: i64,
) -> Result<Vec<Organisation>> {
    let mut query = organisations::table
        .filter(organisations::closed_on.is_null())
        .order(organisations::code)
        .limit(limit)
        .select(Organisation::as_select())
        .into_boxed();
    if let Some(kind) = kind {
        query = query.filter(organisations::kind.eq(kind));
    }
    if let Some(parent) = parent {
        query = query.filter(organisations::parent_id.eq(parent));
    }
    if let Some(after) = after {
        query = query.filter(organisations::code.gt(after));
    }
    Ok(query.load(conn)?)
}

/// All nodes by id: the tree is small (hundreds), and reports name most of it.
pub fn all(conn: &mut Conn) -> Result<HashMap<OrganisationId, Organisation>> {
    let rows: Vec<Organisation> = organisations::table.select(Organisation::as_select()).load(conn)?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Organisations by their codes.
pub fn ids_by_code(conn: &mut Conn, codes: &[&str]) -> Result<HashMap<String, OrganisationId>> {
    if codes.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, OrganisationId)> = organisations::table
        .filter(organisations::code.eq_any(codes))
        .select((organisations::code, organisations::id))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Short names of organisations.
pub fn short_names(conn: &mut Conn, ids: &[OrganisationId]) -> Result<HashMap<OrganisationId, String>> {
    let rows: Vec<(OrganisationId, String)> = organisations::table
        .filter(organisations::id.eq_any(ids))
        .select((organisations::id, organisations::short_name))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// The district federation: the root.
pub fn root(conn: &mut Conn) -> Result<Organisation> {
    let query = organisations::table.filter(organisations::parent_id.is_null()).order(organisations::code);
    let found = query.select(Organisation::as_select()).first(conn).optional()?;
    found.ok_or_else(|| Error::internal("there is no root organisation: run `unionhall seed`"))
}

/// A condition on `organisations::path`: under one of the subtrees whose LIKE patterns are given; nothing for none.
pub fn under<QS: 'static>(
    patterns: Vec<String>,
) -> Box<
    dyn diesel::BoxableExpression<
            QS,
            <Conn as diesel::Connection>::Backend,
            SqlType = diesel::sql_types::Bool,
        >,
>
where
    organisations::path: diesel::SelectableExpression<QS>,
{
    use diesel::sql_types::Bool;
    let none: Box<dyn diesel::BoxableExpression<QS, <Conn as diesel::Connection>::Backend, SqlType = Bool>> =
        Box::new(false.into_sql::<Bool>());
    patterns.into_iter().fold(none, |any, pattern| Box::new(any.or(organisations::path.like(pattern))))
}

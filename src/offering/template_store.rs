//! Queries of templates.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::clash;
use super::model::{Quota, Template};
use super::pattern::Pattern;
use super::{completion, resource_store, store};
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, TemplateId};
use crate::org;
use crate::platform::access::Scope;
use crate::platform::db::schema::{activities, activity_templates, organisations, quotas};
use crate::platform::db::{Conn, unique_violation};

/// The template `id` with the path of whose it is, where somebody with `scope` may use it: their own, and those above
/// their subtrees; else 404.
pub fn seen(conn: &mut Conn, id: TemplateId, scope: &Scope) -> Result<(Template, String)> {
    let query =
        activity_templates::table.inner_join(organisations::table).filter(activity_templates::id.eq(id));
    let found: Option<(Template, String)> =
        query.select((Template::as_select(), organisations::path)).first(conn).optional()?;
    let seen = |path: &str| scope.roots().any(|root| clash::is_usable(path, root, |path| scope.covers(path)));
    found.filter(|(_, path)| seen(path)).ok_or_else(Error::not_found)
}

/// Templates that somebody with `scope` may use, after `after`.
pub fn list(conn: &mut Conn, scope: &Scope, after: Option<TemplateId>, limit: i64) -> Result<Vec<Template>> {
    let above: BTreeSet<String> = scope.roots().flat_map(org::rules::lineage).collect();
    let mut query = activity_templates::table
        .inner_join(organisations::table)
        .filter(organisations::path.eq_any(above).or(org::store::under(scope.patterns().collect())))
        .order(activity_templates::id)
        .limit(limit)
        .select(Template::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(activity_templates::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Keeps a new template.
///
/// # Errors
/// 409 when the organisation has one of this name.
pub fn create_in_tx(conn: &mut Conn, row: &Template) -> Result<()> {
    match diesel::insert_into(activity_templates::table).values(row).execute(conn) {
        Err(error) if unique_violation(&error) => Err(Error::new(Code::UniqueTaken)
            .detail("该组织已有同名模板", "The organisation has a template of this name already")
            .cause(error)),
        done => Ok(done.map(|_| ())?),
    }
}

/// Removes a template; false when it is gone already.
pub fn delete_in_tx(conn: &mut Conn, id: TemplateId) -> Result<bool> {
    Ok(diesel::delete(activity_templates::table.find(id)).execute(conn)? == 1)
}

/// The pattern of an activity of `scope`, or 404.
pub fn pattern_of_activity(conn: &mut Conn, id: ActivityId, scope: &Scope) -> Result<Pattern> {
    let found = store::activity_get(conn, id)?;
    scope.require(&found.path)?;
    let sessions = store::sessions_of(conn, id)?;
    let resources = resource_store::resources_of_activity(conn, id)?;
    let quotas = store::quotas_of(conn, id)?;
    let completion = completion::rule_of(conn, id)?;
    Pattern::of(&found.activity, &sessions, &resources, &quotas, completion)
}

/// Gives a new activity its quotas, parents before children.
pub fn quotas_create_in_tx(conn: &mut Conn, id: ActivityId, rows: &[Quota]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    crate::insert_rows!(conn, quotas::table, rows)?;
    diesel::update(activities::table.find(id)).set(activities::split.eq(true)).execute(conn)?;
    Ok(())
}

//! Proposing a division and answering it. The versions of a target are locked together, so that two who answer at once see each other.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{Cascade, CascadeState, Share, ShareAnswer};
use super::{rules, store};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{CascadeId, OrganisationId, PersonId};
use crate::org;
use crate::plan;
use crate::plan::rules::units;
use crate::platform::access::Scope;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;

/// A division to propose.
#[derive(Debug, Clone)]
pub struct Proposing {
    /// The id that it is to have.
    pub id: CascadeId,
    /// Of which plan.
    pub year: i64,
    /// Which target.
    pub code: String,
    /// A share for each sub-district.
    pub shares: Vec<(OrganisationId, i64)>,
    /// Why there is another version.
    pub reason: Option<String>,
    /// Who proposes.
    pub actor: PersonId,
    /// Where they may.
    pub scope: Scope,
}

/// Proposes the next version of a division; the one that waited for answers is replaced by it.
///
/// # Errors
/// 403 for whoever keeps less than the whole plan; 404; `target_undivided`; `validation_failed` with everything that is wrong;
/// `conflict`.
pub fn propose_in_tx(conn: &mut Conn, proposing: &Proposing, now: DateTime<Utc>) -> Result<(Cascade, Entry)> {
    if !proposing.scope.covers(&org::store::root(conn)?.path) {
        return Err(Error::new(Code::Forbidden).detail(
            "指标由区总工会分解",
            "Targets are divided by the district: this needs a grant over all of it",
        ));
    }
    let plan = plan::store::plan_of_year(conn, proposing.year)?;
    let target = plan::store::target(conn, plan.id, &proposing.code)?;
    rules::may_be_divided(&target)?;
    let organisations = org::store::all(conn)?;
    let named = |id: OrganisationId| {
        (id, organisations.get(&id).map(|row| row.short_name.clone()).unwrap_or_default())
    };
    let streets: Vec<_> = units::streets(&organisations).into_iter().map(named).collect();
    let versions = store::versions_lock_in_tx(conn, target.id)?;
    let reason = proposing.reason.as_deref();
    rules::check(&target, &streets, &proposing.shares, reason, versions.is_empty())?;
    for open in versions.iter().filter(|one| one.state == CascadeState::Proposed) {
        store::state_set_in_tx(conn, open, CascadeState::Replaced, now)?;
    }
    let row = Cascade {
        id: proposing.id,
        target_id: target.id,
        number: versions.last().map_or(1, |last| last.number + 1),
        reason: reason.map(str::trim).unwrap_or_default().to_owned(),
        state: CascadeState::Proposed,
        made_by: proposing.actor,
        made_at: db_time(now),
        in_force_at: None,
        replaced_at: None,
        version: 1,
    };
    let shares: Vec<Share> = proposing
        .shares
        .iter()
        .map(|(unit, value)| Share {
            cascade_id: row.id,
            organisation_id: *unit,
            value: *value,
            answer: None,
            reason: None,
            answered_by: None,
            answered_at: None,
        })
        .collect();
    store::insert_in_tx(conn, &row, &shares)?;
    let detail = json!({ "target": target.code, "version": row.number });
    let entry = Entry::new(proposing.actor, "cascade.propose", row.id).detail(detail);
    Ok((row, entry))
}

/// An answer to give.
#[derive(Debug, Clone)]
pub struct Answering {
    /// To which division.
    pub id: CascadeId,
    /// For which sub-district.
    pub unit: OrganisationId,
    /// What it says.
    pub answer: ShareAnswer,
    /// Why.
    pub reason: Option<String>,
    /// Who says so.
    pub actor: PersonId,
    /// Where they may.
    pub scope: Scope,
}

/// A sub-district answers. With the last agreement the division is in force, and takes the place of the one before it.
///
/// # Errors
/// 404 for a division that is not there and for another's sub-district; `second_officer_required` for who proposed it; what
/// [`rules::may_answer`] says.
pub fn answer_in_tx(conn: &mut Conn, answering: &Answering, now: DateTime<Utc>) -> Result<Vec<Entry>> {
    let seen = store::get(conn, answering.id)?;
    let unit = org::store::get(conn, answering.unit)?;
    // An officer of the sub-district itself: the district that proposes does not agree for it.
    if !answering.scope.roots().any(|root| root == unit.path) {
        return Err(Error::not_found());
    }
    let versions = store::versions_lock_in_tx(conn, seen.target_id)?;
    let row = versions.iter().find(|one| one.id == seen.id).ok_or_else(Error::not_found)?;
    if row.made_by == answering.actor {
        return Err(Error::new(Code::SecondOfficer));
    }
    let shares = store::shares_of(conn, &[row.id])?;
    let share = shares.iter().find(|share| share.organisation_id == unit.id).ok_or_else(Error::not_found)?;
    let reason = answering.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    rules::may_answer(row.state, share, answering.answer, reason)?;
    store::answer_in_tx(conn, share, answering.answer, reason, answering.actor, now)?;
    let action = match answering.answer {
        ShareAnswer::Agreed => "cascade.agree",
        ShareAnswer::Objected => "cascade.object",
    };
    let detail = json!({ "unit": unit.code });
    let mut entries = vec![Entry::new(answering.actor, action, row.id).detail(detail)];
    if rules::is_agreed(&store::shares_of(conn, &[row.id])?) {
        for former in versions.iter().filter(|one| one.state == CascadeState::Current) {
            store::state_set_in_tx(conn, former, CascadeState::Replaced, now)?;
        }
        store::state_set_in_tx(conn, row, CascadeState::Current, now)?;
        entries.push(Entry::system("cascade.in_force", row.id).detail(json!({ "version": row.number })));
    }
    Ok(entries)
}

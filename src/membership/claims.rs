//! Claiming a membership: the row, and the review that decides about it, in one transaction.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::model::{Membership, MembershipState};
use super::{rules, store};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::{MembershipId, OrganisationId, PersonId, ReviewId, SubjectId};
use crate::notify::beside::Beside;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review;
use crate::review::chain::{Answers, ReviewKind};
use crate::review::deciding::{Desk, Opening};

/// The chain that claims go through.
pub const CHAIN: &str = "membership";

/// That somebody says to be a member.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The id that it is to have.
    pub id: MembershipId,
    /// Who.
    pub person: PersonId,
    /// Of which union.
    pub organisation: OrganisationId,
    /// Since when.
    pub since: Option<NaiveDate>,
    /// What the desk asks for.
    pub form: Answers,
}

/// What a claim led to.
#[derive(Debug)]
pub struct Claimed {
    /// The claim.
    pub membership: Membership,
    /// The short name of its union.
    pub union: String,
    /// Which decides about it.
    pub review: ReviewId,
}

/// Claims a membership. The chain begins at the union that is claimed, wherever the person works by their profile.
///
/// # Errors
/// All wrong fields; `membership_held` for a verified member of the union; `review_live` while another claim, or an appeal
/// about one, waits for a decision.
pub fn claim_in_tx(
    conn: &mut Conn,
    desk: &Desk,
    claim: &Claim,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Claimed> {
    let organisation = store::organisation(conn, claim.organisation)?;
    rules::check(organisation.as_ref(), claim.since, civil_day(now))?;
    let union = organisation.ok_or_else(Error::not_found)?.short_name;
    let own = store::lock_in_tx(conn, claim.person)?;
    let is_held = |one: &Membership| {
        one.state == MembershipState::Verified && one.organisation_id == claim.organisation
    };
    if own.iter().any(is_held) {
        return Err(rules::held_here());
    }
    let subjects: Vec<SubjectId> = own.iter().map(|one| SubjectId(one.id.0)).collect();
    if !review::store::live_of(conn, &subjects)?.is_empty() {
        return Err(live());
    }
    let membership = Membership {
        id: claim.id,
        person_id: claim.person,
        organisation_id: claim.organisation,
        state: MembershipState::Claimed,
        since: claim.since,
        claimed_at: db_time(now),
        verified_at: None,
        ended_at: None,
        ended_because: None,
        version: 1,
    };
    // Two at once: the unique key lets one of them through.
    if !store::insert_in_tx(conn, &membership)? {
        return Err(live());
    }
    let opening = Opening {
        kind: ReviewKind::Membership,
        chains: vec![CHAIN.to_owned()],
        subject: SubjectId(claim.id.0),
        title: format!("会籍认证：{union}"),
        applicant: claim.person,
        answers: claim.form.clone(),
        at: Some(claim.organisation),
    };
    let review = desk.open_in_tx(conn, opening, now, beside)?.id;
    let detail = json!({ "organisation": claim.organisation, "review": review });
    beside.entries.push(Entry::new(claim.person, "membership.claim", claim.id).detail(detail));
    Ok(Claimed { membership, union, review })
}

fn live() -> Error {
    Error::new(Code::ReviewLive)
        .detail("您已有一项会籍认证正在审核", "A claim of yours is being reviewed already")
}

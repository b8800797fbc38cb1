//! What the desk decides about a claim: an approval verifies the membership, and moves it where there was another.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{Membership, MembershipEnd, MembershipState};
use super::rules::{self, MembershipEvent};
use super::store;
use crate::clock::civil_day;
use crate::error::{Code, Error, Result};
use crate::ids::{MembershipId, SubjectId};
use crate::notify::beside::Beside;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review::chain::ReviewKind;
use crate::review::model::Review;
use crate::review::subject::{Refused, Subject};
use crate::{org, people};

/// Lets memberships learn what the desk decides.
pub struct MembershipSubject;

impl Subject for MembershipSubject {
    fn kind(&self) -> ReviewKind {
        ReviewKind::Membership
    }

    /// All memberships of the person: an approval may end another one.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()> {
        store::locked_in_tx(conn, id(subject))?;
        Ok(())
    }

    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String> {
        let (row, all) = store::locked_in_tx(conn, id(review.subject_id))?;
        let union = org::store::get(conn, row.organisation_id)?;
        if rules::is_closed(&union, civil_day(now)) {
            return Err(Error::new(Code::StateForbids).detail(
                "该工会已撤销，不能再认证会籍",
                "This union exists no more; nobody becomes a member of it",
            ));
        }
        let verified = rules::verified(&row, now)?;
        let mut said = format!("您已认证为{}会员，可以报名仅限会员的活动。", union.short_name);
        // First the old one, since a person is verified in one place.
        if let Some(old) = rules::moved_from(&row, &all)? {
            let ended = rules::ended(old, MembershipEvent::Move, MembershipEnd::Moved, now)?;
            store::update_in_tx(conn, old, &ended)?;
            let names = org::store::short_names(conn, &[old.organisation_id])?;
            let from = names.get(&old.organisation_id).map(String::as_str).unwrap_or_default();
            said.push_str(&format!("您在{from}的会籍同时转出。"));
            let detail = json!({ "because": MembershipEnd::Moved, "to": row.id });
            beside.entries.push(Entry::system("membership.end", old.id).detail(detail));
        }
        store::update_in_tx(conn, &row, &verified)?;
        let detail = json!({ "organisation": row.organisation_id, "review": review.id });
        beside.entries.push(Entry::system("membership.verify", row.id).detail(detail));
        // Quotas and figures go by where people work.
        if people::store::workplace_set_in_tx(conn, row.person_id, row.organisation_id, now)? {
            said.push_str("您资料中的工作单位已相应更新。");
            let detail = json!({ "workplace": row.organisation_id, "membership": row.id });
            beside.entries.push(Entry::system("person.workplace_set", row.person_id).detail(detail));
        }
        Ok(said)
    }

    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        _: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let (row, _) = store::locked_in_tx(conn, id(review.subject_id))?;
        let (event, action) = match why {
            Refused::Rejected => (MembershipEvent::Reject, "membership.refuse"),
            Refused::Withdrawn | Refused::Lapsed => (MembershipEvent::Withdraw, "membership.withdraw"),
        };
        // An appeal changes nothing by being refused.
        if row.state != MembershipState::Claimed {
            return Ok(());
        }
        let state = rules::transition(event, row.state)?;
        let after = Membership { state, version: row.version + 1, ..row.clone() };
        store::update_in_tx(conn, &row, &after)?;
        beside.entries.push(Entry::system(action, row.id).detail(json!({ "review": review.id })));
        Ok(())
    }
}

fn id(subject: SubjectId) -> MembershipId {
    MembershipId(subject.0)
}

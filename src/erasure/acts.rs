//! An erasure, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::model::{ErasedKind, Erasure, ErasureKept, ErasureObstacle, ErasureWay, KeptKind};
use super::{rules, store};
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Result};
use crate::ids::{CaseId, CaseMemberId, Ids, PersonId, ReviewId};
use crate::legal_aid::erasing::Ended;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::files;
use crate::platform::http::idempotency;
use crate::platform::outbox::{self, NewJob};
use crate::platform::vault::Vault;
use crate::policy;
use crate::{attendance, content, identity, legal_aid, membership, notify, people, review, signup, visits};

/// How long the file of a case is kept.
pub const CASE_KEPT: &str = "erasure.keep.legal_case";
/// The job that erases once more.
pub const AGAIN: &str = "erasure.again";
/// When it does: what was under way at the erasure is over by then, in every instance.
const AFTER: TimeDelta = TimeDelta::minutes(15);

/// What erasing is done with.
#[derive(Clone)]
pub struct ErasureTools {
    /// New ids.
    pub ids: Ids,
    /// Opens a number, to find who else is meant by it.
    pub vault: Vault,
}

/// Who erases whom.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whom.
    pub person: PersonId,
    /// Who asks for it.
    pub by: PersonId,
    /// Why, where it is not the person.
    pub reason: Option<&'a str>,
}

/// All rows that are one human: accounts that are merged, and whom lists of the injured have made of their number and name.
pub fn together(conn: &mut Conn, vault: &Vault, person: PersonId) -> Result<Vec<PersonId>> {
    let mut all = BTreeSet::new();
    for account in people::merging::store::accounts(conn, &[person])?.into_keys() {
        all.extend(visits::finding::accounts(conn, vault, account)?);
    }
    Ok(all.into_iter().collect())
}

/// What stands in the way of erasing `people`.
pub fn obstacles(conn: &mut Conn, people: &[PersonId], now: DateTime<Utc>) -> Result<Vec<rules::Standing>> {
    let one = |kind, id: String, name: String| rules::Standing { kind, id, name };
    let mut found = Vec::new();
    for (id, _) in legal_aid::erasing::open(conn, people)? {
        found.push(one(ErasureObstacle::LegalCase, id.to_string(), String::new()));
    }
    for (id, title) in review::erasing::undecided(conn, people)? {
        found.push(one(ErasureObstacle::Review, id.to_string(), title));
    }
    for (id, title) in signup::erasing::ahead(conn, people, now)? {
        found.push(one(ErasureObstacle::Signup, id.to_string(), title));
    }
    for id in attendance::erasing::undecided(conn, people)? {
        found.push(one(ErasureObstacle::CheckinConflict, id.to_string(), String::new()));
    }
    for (id, role) in identity::erasing::roles_held(conn, people)? {
        found.push(one(ErasureObstacle::StaffRole, id.to_string(), role.to_string()));
    }
    Ok(found)
}

/// What is kept of `people` beyond today; what else has ended is not.
pub fn kept(conn: &mut Conn, people: &[PersonId], today: NaiveDate) -> Result<Vec<ErasureKept>> {
    let mut kept = Vec::new();
    for one in legal_aid::erasing::ended(conn, people)?.iter().filter(|one| !one.undecided) {
        let term = policy::store::on(conn, CASE_KEPT, today)?
            .ok_or_else(|| Error::internal(format!("the policy {CASE_KEPT} is not set")))?;
        let until_on = rules::until(one.on, policy::store::number(&term)?);
        if until_on >= today {
            let (kind, row_id) = row_of(one);
            kept.push(ErasureKept {
                kind,
                row_id,
                person_id: one.person,
                until_on,
                policy: term.policy_key,
                policy_from: term.effective_from,
                ended_at: None,
            });
        }
    }
    kept.sort_by(|a, b| (a.kind.as_str(), &a.row_id).cmp(&(b.kind.as_str(), &b.row_id)));
    Ok(kept)
}

fn row_of(one: &Ended) -> (KeptKind, Vec<u8>) {
    match one.member {
        Some(member) => (KeptKind::LegalMember, member.0.as_bytes().to_vec()),
        None => (KeptKind::LegalCase, one.case.0.as_bytes().to_vec()),
    }
}

/// Erases somebody. Whoever was erased already stays as they are, and the answer is the same.
///
/// # Errors
/// `erasure_held`, with everything that is still running.
pub fn erase_in_tx(
    conn: &mut Conn,
    tools: &ErasureTools,
    asked: Asked<'_>,
    now: DateTime<Utc>,
) -> Result<Erasure> {
    // Whoever takes a place or is let in at this moment is waited for; whoever comes later sees the mark.
    people::erasing::GATE.close_in_tx(conn)?;
    if let Some(done) = store::find(conn, asked.person)? {
        return Ok(done);
    }
    let people = together(conn, &tools.vault, asked.person)?;
    people::erasing::mark_in_tx(conn, &people, now)?;
    rules::nothing_is_running(&obstacles(conn, &people, now)?)?;
    let kept = kept(conn, &people, civil_day(now))?;
    let removed = wipe_in_tx(conn, tools, &people, &kept, now)?;
    let way = if asked.by == asked.person { ErasureWay::Own } else { ErasureWay::Officer };
    let removed_json = serde_json::to_string(&removed).map_err(Error::internal)?;
    let rows: Vec<Erasure> = people
        .iter()
        .map(|person| Erasure {
            person_id: *person,
            way,
            asked_by: asked.by,
            erased_at: db_time(now),
            removed: removed_json.clone(),
        })
        .collect();
    store::insert_in_tx(conn, &rows, &kept)?;
    // At once for what takes longer than others should wait, and later for what was under way.
    let again =
        |run_at| NewJob { kind: AGAIN, payload: json!({ "people": people }), run_at, dedupe_key: None };
    outbox::enqueue_in_tx(conn, &tools.ids, now, vec![again(now), again(now + AFTER)])?;
    let detail = json!({
        "way": way, "reason": asked.reason, "removed": removed, "kept": kept.len(),
        "with": people.iter().filter(|one| **one != asked.person).collect::<Vec<_>>(),
    });
    let entry = Entry::new(asked.by, "person.erase", asked.person).detail(detail);
    audit::append_in_tx(conn, now, vec![entry])?;
    rows.into_iter()
        .find(|row| row.person_id == asked.person)
        .ok_or_else(|| Error::internal("nobody was erased"))
}

/// Has every room erase what it knows of `people`, but for what is `kept`. A second time finds nothing.
pub fn wipe_in_tx(
    conn: &mut Conn,
    tools: &ErasureTools,
    people: &[PersonId],
    kept: &[ErasureKept],
    now: DateTime<Utc>,
) -> Result<BTreeMap<ErasedKind, usize>> {
    let mut done = BTreeMap::new();
    let mut did = |kind: ErasedKind, number: usize| *done.entry(kind).or_insert(0) += number;
    // First what the rows of others are found by.
    let held = [review::erasing::holders(conn, people)?, visits::erasing::holders(conn, people)?];
    did(ErasedKind::Files, files::store::erase_of_in_tx(conn, &tools.ids, people, &held, now)?);
    let cases = cases_of(kept)?;
    did(ErasedKind::ContentChecks, content::erasing::erase_in_tx(conn, people, &cases)?);
    did(ErasedKind::LegalFiles, legal_in_tx(conn, tools, people, kept, now)?);
    did(ErasedKind::Injuries, visits::erasing::erase_in_tx(conn, people)?);
    did(ErasedKind::Memberships, membership::erasing::erase_in_tx(conn, people, now)?);
    did(ErasedKind::Excuses, attendance::erasing::erase_in_tx(conn, people)?);
    did(ErasedKind::SignupTexts, signup::erasing::erase_in_tx(conn, people)?);
    did(ErasedKind::ReviewFiles, review::erasing::erase_in_tx(conn, people)?);
    did(ErasedKind::Notices, notify::erasing::erase_in_tx(conn, people)?);
    did(ErasedKind::Answers, idempotency::forget_in_tx(conn, people)?);
    did(ErasedKind::Logins, identity::erasing::erase_in_tx(conn, people, now)?);
    did(ErasedKind::Profile, people::erasing::erase_in_tx(conn, people)?);
    done.retain(|_, number| *number > 0);
    Ok(done)
}

/// Empties what others were answered about `people`, but for their cases that are kept.
pub fn answers_in_tx(conn: &mut Conn, people: &[PersonId], kept: &[ErasureKept]) -> Result<usize> {
    let mut ids: Vec<String> = people.iter().map(ToString::to_string).collect();
    ids.extend(visits::erasing::of(conn, people)?.iter().map(ToString::to_string));
    let (_, own) = review::erasing::holders(conn, people)?;
    ids.extend(own.into_iter().map(|id| ReviewId(id).to_string()));
    let cases = cases_of(kept)?;
    for one in legal_aid::erasing::ended(conn, people)? {
        // In another's group case their own part only is theirs.
        match one.member {
            Some(member) => ids.push(member.to_string()),
            None if cases.contains(&one.case) => {}
            None => ids.push(one.case.to_string()),
        }
    }
    // That somebody was erased may be said again.
    idempotency::empty_in_tx(conn, &ids, "erased_at")
}

fn legal_in_tx(
    conn: &mut Conn,
    tools: &ErasureTools,
    people: &[PersonId],
    kept: &[ErasureKept],
    now: DateTime<Utc>,
) -> Result<usize> {
    let mut done = legal_aid::erasing::lawyers_in_tx(conn, people)?;
    for one in legal_aid::erasing::ended(conn, people)? {
        let (kind, row) = row_of(&one);
        if kept.iter().any(|kept| kept.kind == kind && kept.row_id == row) {
            continue;
        }
        done += match one.member {
            Some(member) => legal_aid::erasing::member_in_tx(conn, member)?,
            None => legal_aid::erasing::case_in_tx(conn, &tools.ids, one.case, now)?,
        };
    }
    done += legal_aid::erasing::rest_in_tx(conn, &cases_of(kept)?, now)?;
    Ok(done)
}

/// The cases of which `kept` is the file.
fn cases_of(kept: &[ErasureKept]) -> Result<Vec<CaseId>> {
    let files = kept.iter().filter(|kept| kept.kind == KeptKind::LegalCase);
    files.map(|kept| Ok(CaseId(id(&kept.row_id)?))).collect()
}

fn id(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(Error::internal)
}

/// Erases what was kept and whose last day is over; false where that was done already.
pub fn end_in_tx(conn: &mut Conn, ids: &Ids, row: &ErasureKept, now: DateTime<Utc>) -> Result<bool> {
    if !store::ended_in_tx(conn, row, now)? {
        return Ok(false);
    }
    let which = id(&row.row_id)?;
    let object = match row.kind {
        KeptKind::LegalCase => {
            legal_aid::erasing::case_in_tx(conn, ids, CaseId(which), now)?;
            CaseId(which).to_string()
        }
        KeptKind::LegalMember => {
            legal_aid::erasing::member_in_tx(conn, CaseMemberId(which))?;
            CaseMemberId(which).to_string()
        }
    };
    let entry =
        Entry::system("erasure.end", object).detail(json!({ "until": row.until_on, "policy": row.policy }));
    audit::append_in_tx(conn, now, vec![entry])?;
    Ok(true)
}

/// Lets the teams of kept files go whose work on them is done.
pub fn rest_in_tx(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize> {
    let kept = store::live(conn, KeptKind::LegalCase)?;
    let cases: Result<Vec<CaseId>> = kept.iter().map(|row| Ok(CaseId(id(row)?))).collect();
    legal_aid::erasing::rest_in_tx(conn, &cases?, now)
}

//! Another lawyer, asked for by the applicant (法律援助法 第五十五条) and decided by the team.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::model::{CHANGE_ANSWER, CHANGE_REASON, ChangeState, LawyerChange};
use super::{opened, rota, sealed};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseId, Ids, LawyerChangeId, PersonId};
use crate::legal_aid::machine::Act;
use crate::legal_aid::model::{Case, TeamRole};
use crate::legal_aid::{acting, team};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_lawyer_changes;
use crate::platform::vault::Vault;
use crate::policy;
use crate::policy::clock::Trail;

/// How long the decision may take.
const TERM: &str = "legal_aid.lawyer_change";
/// What staff are told a message is about. Messages name no case by its parties.
const ABOUT: &str = "更换援助律师";

/// All wishes of a case for another lawyer, the latest first.
pub fn of_case(conn: &mut Conn, case: CaseId) -> Result<Vec<LawyerChange>> {
    let query = legal_lawyer_changes::table
        .filter(legal_lawyer_changes::case_id.eq(case))
        .order(legal_lawyer_changes::id.desc())
        .limit(100);
    Ok(query.select(LawyerChange::as_select()).load(conn)?)
}

/// Why another lawyer is asked for.
pub fn reason(vault: &Vault, row: &LawyerChange) -> Result<String> {
    opened(vault, CHANGE_REASON, row.id.0.as_bytes(), &row.reason_sealed)
}

/// What was answered, where it was decided.
pub fn answer(vault: &Vault, row: &LawyerChange) -> Result<Option<String>> {
    let open = |text: &str| opened(vault, CHANGE_ANSWER, row.id.0.as_bytes(), text);
    row.answer_sealed.as_deref().map(open).transpose()
}

/// The wish that waits for a decision. The caller holds the case's lock, behind which all of this is written.
fn live(conn: &mut Conn, case: CaseId) -> Result<Option<LawyerChange>> {
    let query = legal_lawyer_changes::table
        .filter(legal_lawyer_changes::case_id.eq(case))
        .filter(legal_lawyer_changes::state.eq(ChangeState::Asked));
    Ok(query.select(LawyerChange::as_select()).first(conn).optional()?)
}

/// Asks for another lawyer in a case of one's own, which is locked.
///
/// # Errors
/// `state_forbids` where nobody is the lawyer of the case, and while a wish waits for its decision.
pub fn ask_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    id: LawyerChangeId,
    case: &Case,
    reason: &str,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<LawyerChange> {
    let members = team::of(conn, case.id)?;
    let lawyer = members.iter().filter(|one| one.role == TeamRole::Lawyer).max_by_key(|one| one.joined_at);
    let Some(lawyer) = lawyer.filter(|_| case.ended_at.is_none()) else {
        return Err(Error::new(Code::StateForbids)
            .detail("该案目前没有可更换的援助律师", "Nobody is the lawyer of this case now"));
    };
    let row = LawyerChange {
        id,
        case_id: case.id,
        lawyer_id: lawyer.person_id,
        reason_sealed: sealed(vault, CHANGE_REASON, id.0.as_bytes(), reason)?,
        state: ChangeState::Asked,
        asked_at: db_time(now),
        due_at: db_time(due(conn, now)?),
        decided_by: None,
        decided_at: None,
        answer_sealed: None,
        successor_id: None,
        version: 1,
    };
    let rows = std::slice::from_ref(&row);
    let new: Vec<LawyerChangeId> = crate::insert_new!(
        &mut *conn, legal_lawyer_changes::table, rows,
        legal_lawyer_changes::id => |row: &LawyerChange| row.id
    )?;
    if new.is_empty() {
        return Err(Error::new(Code::StateForbids)
            .detail("您已申请更换律师，正在等待决定", "You have asked already; it is being decided"));
    }
    let handlers = members.iter().filter(|one| one.role == TeamRole::Handler);
    beside
        .messages
        .extend(handlers.map(|one| to_staff(one.person_id, case, "受援人申请更换律师，请按期决定。")));
    let detail = json!({ "by": "applicant", "change": id });
    beside.entries.push(Entry::system("legal_lawyer_change.ask", case.id).detail(detail));
    Ok(row)
}

/// When a wish that was expressed at `now` is due.
fn due(conn: &mut Conn, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let rule = policy::store::rule_on(conn, TERM, civil_day(now))?;
    let trail = Trail::reckon(rule, now, Vec::new(), &policy::store::calendar(conn)?);
    let deadline = trail.due.deadline().ok_or_else(|| Error::internal("a clock that runs is due"))?;
    Ok(deadline.at)
}

/// Takes one's wish back.
///
/// # Errors
/// `state_forbids` where none waits.
pub fn withdraw_in_tx(
    conn: &mut Conn,
    case: &Case,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<LawyerChange> {
    let before = live(conn, case.id)?.ok_or_else(nothing_waits)?;
    let after =
        LawyerChange { state: ChangeState::Withdrawn, decided_at: Some(db_time(now)), ..before.clone() };
    let after = update_in_tx(conn, &before, after)?;
    let detail = json!({ "by": "applicant", "change": after.id });
    beside.entries.push(Entry::system("legal_lawyer_change.withdraw", case.id).detail(detail));
    Ok(after)
}

/// What the team says to a wish.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Who decides.
    pub actor: PersonId,
    /// Who comes in the lawyer's place; none where it is refused.
    pub successor: Option<PersonId>,
    /// Why somebody who stands before the successor is passed over.
    pub note: Option<String>,
    /// What the applicant is answered.
    pub answer: String,
}

/// Decides about the wish that waits in a case, which is locked. Granted, the successor joins the team and the lawyer leaves it in one
/// transaction, so that the case is never without.
///
/// # Errors
/// `state_forbids` where none waits; `second_officer_required` for the lawyer whom it is about; what [`rota::choose_in_tx`] refuses.
pub fn decide_in_tx(
    conn: &mut Conn,
    (ids, vault): (&Ids, &Vault),
    case: &Case,
    decision: &Decision,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<(LawyerChange, Case)> {
    let before = live(conn, case.id)?.ok_or_else(nothing_waits)?;
    if before.lawyer_id == decision.actor || decision.successor == Some(decision.actor) {
        return Err(Error::new(Code::SecondOfficer));
    }
    let state = match decision.successor {
        Some(_) => ChangeState::Granted,
        None => ChangeState::Refused,
    };
    let answer = sealed(vault, CHANGE_ANSWER, before.id.0.as_bytes(), &decision.answer)?;
    let mut case = case.clone();
    if let Some(successor) = decision.successor {
        let is_of_team = team::of(conn, case.id)?.iter().any(|one| one.person_id == successor);
        if is_of_team {
            let text = Text::new("该人员已是本案成员", "this person is of the team already");
            return Err(Error::invalid(vec![Fault::new("/person_id", "unfit", text)]));
        }
        rota::choose_in_tx(conn, vault, &case, successor, decision.note.as_deref(), now)?;
        team::leave_in_tx(conn, case.id, before.lawyer_id, now)?;
        team::join_in_tx(conn, ids, case.id, successor, TeamRole::Lawyer, now)?;
        case =
            acting::act_in_tx(conn, ids, vault, &case, Act::Reassign, Some(decision.actor), None, None, now)?;
        beside.messages.push(to_staff(successor, &case, "您已被指派承办一宗法律援助案件，请打开查看。"));
        beside.messages.push(to_staff(before.lawyer_id, &case, "该案已改由其他律师承办，请办理材料移交。"));
    }
    let after = LawyerChange {
        state,
        decided_by: Some(decision.actor),
        decided_at: Some(db_time(now)),
        answer_sealed: Some(answer),
        successor_id: decision.successor,
        ..before.clone()
    };
    let after = update_in_tx(conn, &before, after)?;
    beside.messages.push(Message {
        person: case.person_id,
        kind: NoticeKind::LegalStep,
        subject: ABOUT.to_owned(),
        detail: match state {
            ChangeState::Granted => "已为您更换援助律师，请打开查看。".to_owned(),
            _ => "您更换律师的申请已有答复，请打开查看。".to_owned(),
        },
        link: format!("/api/v1/me/legal-requests/{}", case.id),
    });
    let detail = json!({ "change": after.id, "state": state });
    beside.entries.push(Entry::new(decision.actor, "legal_lawyer_change.decide", case.id).detail(detail));
    Ok((after, case))
}

/// Writes what changes, from the version that `before` has.
fn update_in_tx(conn: &mut Conn, before: &LawyerChange, after: LawyerChange) -> Result<LawyerChange> {
    let after = LawyerChange { version: before.version + 1, ..after };
    let same = legal_lawyer_changes::table
        .filter(legal_lawyer_changes::id.eq(before.id))
        .filter(legal_lawyer_changes::state.eq(before.state))
        .filter(legal_lawyer_changes::version.eq(before.version));
    let changed = diesel::update(same)
        .set((
            legal_lawyer_changes::state.eq(after.state),
            legal_lawyer_changes::decided_by.eq(after.decided_by),
            legal_lawyer_changes::decided_at.eq(after.decided_at),
            legal_lawyer_changes::answer_sealed.eq(&after.answer_sealed),
            legal_lawyer_changes::successor_id.eq(after.successor_id),
            legal_lawyer_changes::version.eq(after.version),
        ))
        .execute(conn)?;
    if changed == 1 {
        Ok(after)
    } else {
        Err(Error::internal(format!("{} changed behind its lock", before.id)))
    }
}

fn nothing_waits() -> Error {
    Error::new(Code::StateForbids)
        .detail("没有待决定的更换律师申请", "No wish for another lawyer waits for a decision")
}

fn to_staff(person: PersonId, case: &Case, detail: &str) -> Message {
    Message {
        person,
        kind: NoticeKind::LegalWork,
        subject: ABOUT.to_owned(),
        detail: detail.to_owned(),
        link: format!("/api/v1/legal-cases/{}", case.id),
    }
}

//! An applicant objects to a refusal or a termination, and somebody who had no part in it answers within the days of the law
//! (法律援助法 第四十九条). Right, and the case goes on; wrong, and the decision stands, with reasons either way.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

use super::acting;
use super::deciding::acts::{Acting, accepted_after_all_in_tx, asked, begin_in_tx, standing_refusal, told};
use super::hands::conflicts;
use super::machine::{self, Act};
use super::model::{Case, CaseState, ClockKind, TeamRole};
use super::papers::issuing::{self, Office, Words};
use super::papers::model::DocumentKind;
use super::{LegalTools, clocks, desk, own, store, team};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{CaseDocumentId, CaseId, ObjectionId, OrganisationId, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::org;
use crate::platform::access::{Role, Scope};
use crate::platform::audit::Entry;
use crate::platform::db::schema::{legal_cases, legal_objections, legal_team};
use crate::platform::db::{Conn, unique_violation};
use crate::platform::vault::{Field, Vault};

/// Where what applicants object is kept.
pub const TEXT: Field = Field("legal_objections.text");
/// Where the answers are kept.
pub const ANSWER: Field = Field("legal_objections.answer");

crate::text_enum! {
    /// What came of an objection.
    pub enum ObjectionOutcome {
        /// 异议成立，予以改正
        Uphold = "uphold",
        /// 异议不成立，维持原决定
        Dismiss = "dismiss",
    }
}

/// An objection.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_objections, treat_none_as_default_value = false)]
pub struct Objection {
    /// Its id.
    pub id: ObjectionId,
    /// About which case.
    pub case_id: CaseId,
    /// The version of the decision that it is against.
    pub case_version: i64,
    /// What it is against: a case that is refused, or terminated.
    pub against: CaseState,
    /// Who objects.
    pub raised_by: PersonId,
    /// Who decided.
    pub decided_by: PersonId,
    /// Why, sealed.
    pub text_sealed: String,
    /// When.
    pub raised_at: NaiveDateTime,
    /// Who answers it.
    pub taken_by: Option<PersonId>,
    /// Since when.
    pub taken_at: Option<NaiveDateTime>,
    /// What came of it.
    pub outcome: Option<ObjectionOutcome>,
    /// The reasons of the answer, sealed.
    pub answer_sealed: Option<String>,
    /// The answer's document.
    pub document_id: Option<CaseDocumentId>,
    /// When it was answered.
    pub answered_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

/// What an objection says, and its answer.
pub fn opened(vault: &Vault, row: &Objection) -> Result<(String, Option<String>)> {
    let open = |field, sealed: &str| {
        let text = vault.open(field, row.id.0.as_bytes(), sealed).map_err(Error::internal)?;
        Ok::<_, Error>(text.expose_secret().to_owned())
    };
    let text = open(TEXT, &row.text_sealed)?;
    Ok((text, row.answer_sealed.as_deref().map(|sealed| open(ANSWER, sealed)).transpose()?))
}

/// Objections about a case, in order.
pub fn of(conn: &mut Conn, case: CaseId) -> Result<Vec<Objection>> {
    Ok(legal_objections::table
        .filter(legal_objections::case_id.eq(case))
        .order(legal_objections::id)
        .select(Objection::as_select())
        .load(conn)?)
}

/// Whether its applicant may object to what was decided about `case`.
pub fn may_object(conn: &mut Conn, case: &Case) -> Result<bool> {
    let Some(decision) = standing_refusal(conn, case)? else { return Ok(false) };
    Ok(of(conn, case.id)?.iter().all(|one| one.case_version != decision.case_version))
}

/// `person` objects to what was decided about their request.
///
/// # Errors
/// 404 for another's; `state_forbids` where nothing was taken from them; `legal_objected` for a second time.
pub fn raise_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (person, id): (PersonId, CaseId),
    text: &str,
    now: DateTime<Utc>,
) -> Result<(Objection, Beside)> {
    let case = own::locked_in_tx(conn, person, id)?;
    machine::transition(Act::Object, case.state)?;
    let decision = standing_refusal(conn, &case)?
        .ok_or_else(|| Error::internal(format!("{id} was refused without a decision")))?;
    let objection: ObjectionId = tools.ids.id();
    let row = Objection {
        id: objection,
        case_id: id,
        case_version: decision.case_version,
        against: case.state,
        raised_by: person,
        decided_by: decision.decided_by,
        text_sealed: tools.vault.seal(TEXT, objection.0.as_bytes(), text.trim()).map_err(Error::internal)?,
        raised_at: db_time(now),
        taken_by: None,
        taken_at: None,
        outcome: None,
        answer_sealed: None,
        document_id: None,
        answered_at: None,
        version: 1,
    };
    match diesel::insert_into(legal_objections::table).values(&row).execute(conn) {
        Err(error) if unique_violation(&error) => {
            return Err(Error::new(Code::LegalObjected).cause(error));
        }
        other => _ = other?,
    }
    clocks::start_in_tx(conn, &tools.ids, id, ClockKind::Objection, now)?;
    acting::act_in_tx(conn, &tools.ids, &tools.vault, &case, Act::Object, Some(person), None, None, now)?;
    let mut beside = Beside::default();
    for lead in leads(conn, &row, case.desk_id)? {
        beside.messages.push(to_answer(lead, row.id));
    }
    // Who asked is not in the chain that auditors read.
    let entry = Entry::system("legal_request.object", id);
    beside.entries.push(entry.detail(json!({ "by": "applicant", "objection": row.id })));
    Ok((row, beside))
}

/// The line that waits is nameless, and so is this.
fn to_answer(person: PersonId, id: ObjectionId) -> Message {
    Message {
        person,
        kind: NoticeKind::LegalWork,
        subject: "有法律援助异议待答复".to_owned(),
        detail: "请在期限内由未参与原决定的负责人答复。".to_owned(),
        link: format!("/api/v1/legal-objections/{id}"),
    }
}

/// Leads over `desk` who may answer an objection.
pub fn leads(conn: &mut Conn, objection: &Objection, desk: OrganisationId) -> Result<Vec<PersonId>> {
    let mut who = desk::holders(conn, desk, &[Role::LegalLead])?;
    let had_part = took_part(conn, objection.case_id)?;
    who.retain(|person| *person != objection.raised_by && !had_part.contains(person));
    who.retain(|person| *person != objection.decided_by);
    Ok(who)
}

/// Who is or was of a case's team, other than to answer objections.
fn took_part(conn: &mut Conn, case: CaseId) -> Result<Vec<PersonId>> {
    Ok(legal_team::table
        .filter(legal_team::case_id.eq(case))
        .filter(legal_team::role.ne(TeamRole::Objection))
        .select(legal_team::person_id)
        .distinct()
        .load(conn)?)
}

/// Objections at `desks` that wait for somebody, and those that `person` answers, oldest first, after `after`.
pub fn waiting(
    conn: &mut Conn,
    desks: &[OrganisationId],
    person: PersonId,
    after: Option<ObjectionId>,
    limit: i64,
) -> Result<Vec<(Objection, Case)>> {
    let free = legal_objections::taken_by.is_null().and(legal_cases::desk_id.eq_any(desks.to_vec()));
    let mine = legal_objections::taken_by.assume_not_null().eq(person);
    let mut query = legal_objections::table
        .inner_join(legal_cases::table)
        .filter(legal_objections::outcome.is_null())
        .filter(free.or(legal_objections::taken_by.is_not_null().and(mine)))
        .order(legal_objections::id)
        .limit(limit)
        .select((Objection::as_select(), Case::as_select()))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_objections::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// The objection `id` with its case, both locked, in the order in which everybody locks them: the case first.
fn locked_in_tx(conn: &mut Conn, id: ObjectionId) -> Result<(Objection, Case)> {
    let of: Option<CaseId> =
        legal_objections::table.find(id).select(legal_objections::case_id).first(conn).optional()?;
    let case = store::locked_in_tx(conn, of.ok_or_else(Error::not_found)?)?;
    let found: Vec<Objection> = crate::load_locked!(
        conn,
        legal_objections::table.filter(legal_objections::id.eq(id)).select(Objection::as_select())
    )?;
    Ok((found.into_iter().next().ok_or_else(Error::not_found)?, case))
}

/// `acting` takes an objection that waits at a desk inside `scope`, and is of the team of its case until it is answered.
///
/// # Errors
/// 404 for what is elsewhere, taken, or not there; `second_officer_required` for whoever had a part in the case; `legal_conflict`.
pub fn take_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    id: ObjectionId,
    scope: &Scope,
) -> Result<Objection> {
    let (row, case) = locked_in_tx(conn, id)?;
    let desk = org::store::get(conn, case.desk_id)?;
    if row.taken_by.is_some() || !scope.covers(&desk.path) {
        return Err(Error::not_found());
    }
    if row.decided_by == acting.by || took_part(conn, case.id)?.contains(&acting.by) {
        return Err(Error::new(Code::SecondOfficer).detail(
            "异议由没有参与原决定的负责人答复",
            "Somebody who had no part in the decision answers it",
        ));
    }
    conflicts::require(conn, &acting.tools.vault, &case, acting.by)?;
    let at = db_time(acting.now);
    diesel::update(legal_objections::table.find(id))
        .set((
            legal_objections::taken_by.eq(Some(acting.by)),
            legal_objections::taken_at.eq(Some(at)),
            legal_objections::version.eq(row.version + 1),
        ))
        .execute(conn)?;
    team::join_in_tx(conn, &acting.tools.ids, case.id, acting.by, TeamRole::Objection, acting.now)?;
    acting.beside.entries.push(Entry::new(acting.by, "legal_objection.take", id));
    Ok(Objection { taken_by: Some(acting.by), taken_at: Some(at), version: row.version + 1, ..row })
}

/// The objection `id` for whoever answers it.
///
/// # Errors
/// 404 for everybody else.
pub fn mine(conn: &mut Conn, person: PersonId, id: ObjectionId) -> Result<Objection> {
    let own = legal_objections::table
        .filter(legal_objections::id.eq(id))
        .filter(legal_objections::taken_by.eq(person));
    own.select(Objection::as_select()).first(conn).optional()?.ok_or_else(Error::not_found)
}

/// `acting` answers the objection that they have taken.
///
/// # Errors
/// 404 where they have not; `state_forbids` where it is answered; 412 for another version.
pub fn answer_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (ObjectionId, i64),
    (outcome, reasons): (ObjectionOutcome, &str),
) -> Result<Objection> {
    let (row, case) = locked_in_tx(conn, id)?;
    if row.taken_by != Some(acting.by) {
        return Err(Error::not_found());
    }
    if row.outcome.is_some() {
        return Err(
            Error::new(Code::StateForbids).detail("该异议已答复", "This objection is answered already")
        );
    }
    if row.version != version {
        return Err(Error::new(Code::PreconditionFailed));
    }
    let (text, is_right) = (reasons.trim(), outcome == ObjectionOutcome::Uphold);
    let (tools, now) = (acting.tools, acting.now);
    let about = standing_refusal(conn, &case)?.map(|decision| decision.document_id);
    let words = Words { reasons: Some(text.to_owned()), about, upheld: Some(is_right), ..Words::default() };
    let office = Office { vault: &tools.vault, ids: &tools.ids };
    let kind = DocumentKind::ObjectionAnswer;
    let document = issuing::issue_in_tx(conn, &office, kind, &case, words, Some(acting.by), now)?;
    let accepts = is_right && case.state == CaseState::Refused;
    let acceptance = if accepts { Some(accepted_after_all_in_tx(conn, acting, &case, text)?) } else { None };
    let act = if is_right { Act::Uphold } else { Act::Dismiss };
    let (by, said) = (Some(acting.by), Some(document));
    let case = acting::act_in_tx(conn, &tools.ids, &tools.vault, &case, act, by, None, said, now)?;
    clocks::stop_in_tx(conn, case.id, ClockKind::Objection, now)?;
    let case = match acceptance {
        Some(acceptance) => begin_in_tx(conn, acting, case, acceptance)?,
        None => case,
    };
    team::leave_in_tx(conn, case.id, acting.by, now)?;
    let sealed = tools.vault.seal(ANSWER, id.0.as_bytes(), text).map_err(Error::internal)?;
    let at = db_time(now);
    diesel::update(legal_objections::table.find(id))
        .set((
            legal_objections::outcome.eq(Some(outcome)),
            legal_objections::answer_sealed.eq(Some(&sealed)),
            legal_objections::document_id.eq(Some(document)),
            legal_objections::answered_at.eq(Some(at)),
            legal_objections::version.eq(row.version + 1),
        ))
        .execute(conn)?;
    acting.beside.messages.push(told(&case, "您的异议已有答复", "答复书写明了决定和理由，请打开查看。"));
    if is_right {
        for member in team::of(conn, case.id)? {
            let subject = "一件法律援助事项经异议改正，恢复办理";
            acting.beside.messages.push(asked(member.person_id, case.id, subject, "请打开查看。"));
        }
    }
    let entry = Entry::new(acting.by, "legal_objection.answer", id);
    acting.beside.entries.push(entry.detail(json!({ "document": document })));
    Ok(Objection {
        outcome: Some(outcome),
        answer_sealed: Some(sealed),
        document_id: Some(document),
        answered_at: Some(at),
        version: row.version + 1,
        ..row
    })
}

//! What the team and the applicant do at the end of a case, each in its transaction.

use chrono::{DateTime, Days, Utc};
use serde_json::json;

use super::model::{
    CHECK_NOTE, CaseReport, CaseResult, FileCheck, OPINION, ReturnVisit, ReturnVisitOutcome, ReturnVisitWay,
    SUMMARY, Satisfaction, Subsidy, VISIT_NOTE,
};
use super::{rules, store};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::legal_aid::LegalTools;
use crate::legal_aid::acting;
use crate::legal_aid::clocks;
use crate::legal_aid::deciding::acts::told;
use crate::legal_aid::machine::Act;
use crate::legal_aid::model::{Case, CaseState, ClockKind, TeamRole};
use crate::legal_aid::own;
use crate::legal_aid::papers;
use crate::legal_aid::papers::issuing::{Ending, Office, Words};
use crate::legal_aid::papers::model::DocumentKind;
use crate::legal_aid::team;
use crate::notify::beside::Beside;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::vault::{Field, Vault};
use crate::policy;

/// The policy that lists what a file must hold.
pub const FILE_ITEMS: &str = "legal_aid.file_items";

/// What is reported of a case.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it ended.
    pub result: CaseResult,
    /// What the applicant got back, in fen.
    pub recovered_fen: i64,
    /// The time spent.
    pub minutes: i64,
    /// What was done.
    pub summary: String,
}

/// What was heard on a return visit.
#[derive(Debug, Clone)]
pub struct Heard {
    /// How somebody was asked.
    pub way: ReturnVisitWay,
    /// What was found.
    pub outcome: ReturnVisitOutcome,
    /// In words.
    pub note: Option<String>,
}

/// Keeps the report of a case that is being handled.
pub fn report_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    person: PersonId,
    id: CaseId,
    report: &Report,
    now: DateTime<Utc>,
) -> Result<Entry> {
    let case = held_in_tx(conn, person, id, &[TeamRole::Handler, TeamRole::Deputy, TeamRole::Lawyer], now)?;
    in_state(&case, CaseState::Handling)?;
    let row = CaseReport {
        case_id: id,
        result: report.result,
        recovered_fen: report.recovered_fen,
        minutes: report.minutes,
        summary_sealed: seal(vault, SUMMARY, id, said(&report.summary, "/summary")?)?,
        reported_by: person,
        reported_at: db_time(now),
        document_id: None,
        closed_by: None,
        version: 1,
    };
    store::report_write_in_tx(conn, &row)?;
    Ok(Entry::new(person, "legal_case.report", id).detail(json!({ "result": report.result })))
}

/// Closes a case: the report becomes a document, and the sample says whether somebody is asked.
///
/// # Errors
/// `legal_report_missing` without a report.
pub fn close_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    person: PersonId,
    id: CaseId,
    now: DateTime<Utc>,
) -> Result<(Case, Beside)> {
    let case = held_in_tx(conn, person, id, LEADS, now)?;
    in_state(&case, CaseState::Handling)?;
    let report = store::report(conn, id)?.ok_or_else(|| Error::new(Code::LegalReportMissing))?;
    let summary = opened(&tools.vault, SUMMARY, id, &report.summary_sealed)?;
    let ending = Ending {
        result: report.result.zh().to_owned(),
        recovered_fen: report.recovered_fen,
        minutes: report.minutes,
        summary,
    };
    let words = Words { ending: Some(ending), ..Words::default() };
    let office = Office { vault: &tools.vault, ids: &tools.ids };
    let kind = DocumentKind::ClosingReport;
    let document = papers::issuing::issue_in_tx(conn, &office, kind, &case, words, Some(person), now)?;
    store::report_fix_in_tx(conn, id, document, person)?;
    let drawn = draw_in_tx(conn, id, document, now)?;
    clocks::stop_in_tx(conn, id, ClockKind::Papers, now)?;
    let (ids, vault) = (&tools.ids, &tools.vault);
    let case =
        acting::act_in_tx(conn, ids, vault, &case, Act::Close, Some(person), None, Some(document), now)?;
    let told = told(&case, "您的法律援助案件已办结", "请查看结案报告，并对本次服务作出评价。");
    let detail = json!({ "document": document, "return_visit": drawn });
    let entry = Entry::new(person, "legal_case.close", id).detail(detail);
    Ok((case, Beside { messages: vec![told], entries: vec![entry], ..Beside::default() }))
}

/// Plans a return visit, if the sample wants one.
fn draw_in_tx(conn: &mut Conn, case: CaseId, document: CaseDocumentId, now: DateTime<Utc>) -> Result<bool> {
    let today = civil_day(now);
    let percent = policy::store::number_on(conn, "legal_aid.return_visit_percent", today)?;
    if !rules::sampled(document, percent) {
        return Ok(false);
    }
    let days = policy::store::number_on(conn, "legal_aid.return_visit", today)?;
    let due_on = today.checked_add_days(Days::new(u64::try_from(days).unwrap_or(0))).unwrap_or(today);
    let row = ReturnVisit {
        case_id: case,
        percent,
        due_on,
        visited_by: None,
        visited_at: None,
        way: None,
        outcome: None,
        note_sealed: None,
    };
    store::return_visit_plan_in_tx(conn, &row)?;
    Ok(true)
}

/// Keeps what was heard on the return visit that the sample wants. Whoever reported, and the lawyer, do not ask about their own work.
pub fn visit_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    person: PersonId,
    id: CaseId,
    heard: &Heard,
    now: DateTime<Utc>,
) -> Result<Entry> {
    let report = closed(conn, person, id, now)?;
    let lawyers = lawyers(conn, id)?;
    if report.reported_by == person || lawyers.contains(&person) {
        return Err(Error::new(Code::SecondOfficer));
    }
    let planned = store::return_visit(conn, id)?.ok_or_else(|| {
        Error::new(Code::StateForbids)
            .detail("该案件未被抽中回访", "The sample does not want this case asked about")
    })?;
    let row = ReturnVisit {
        visited_by: Some(person),
        visited_at: Some(db_time(now)),
        way: Some(heard.way),
        outcome: Some(heard.outcome),
        note_sealed: noted(vault, VISIT_NOTE, id, heard.note.as_deref())?,
        ..planned
    };
    if !store::return_visit_record_in_tx(conn, &row)? {
        return Err(Error::new(Code::StateForbids).detail("已登记回访结果", "It was recorded already"));
    }
    let detail = json!({ "way": heard.way, "outcome": heard.outcome });
    Ok(Entry::new(person, "legal_case.return_visit", id).detail(detail))
}

/// Keeps what the applicant thinks, once the case is closed or terminated.
pub fn satisfy_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    person: PersonId,
    id: CaseId,
    (score, text): (i64, Option<&str>),
    now: DateTime<Utc>,
) -> Result<(Satisfaction, Entry)> {
    let case = own::locked_in_tx(conn, person, id)?;
    if !matches!(case.state, CaseState::Closed | CaseState::Terminated) {
        let early = Error::new(Code::StateForbids);
        return Err(early.detail("案件办结后才能评价", "The case has not been handled to its end"));
    }
    let text_sealed = noted(vault, OPINION, id, text)?;
    let row = Satisfaction { case_id: id, score, text_sealed, given_at: db_time(now) };
    if !store::satisfaction_give_in_tx(conn, &row)? {
        return Err(Error::new(Code::StateForbids).detail("已评价过", "It was said already"));
    }
    // Whose it is says the case; whoever reads the audit is not told that this person has one.
    let detail = json!({ "score": score, "by": "applicant" });
    Ok((row, Entry::system("legal_case.satisfaction", id).detail(detail)))
}

/// Keeps how another officer found the file. Neither who reported, nor who closed, nor the lawyer checks it.
pub fn check_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    person: PersonId,
    id: CaseId,
    (present, note): (&[String], Option<&str>),
    now: DateTime<Utc>,
) -> Result<Entry> {
    let report = closed(conn, person, id, now)?;
    let lawyers = lawyers(conn, id)?;
    if report.reported_by == person || report.closed_by == Some(person) || lawyers.contains(&person) {
        return Err(Error::new(Code::SecondOfficer));
    }
    let required = file_items(conn, now)?;
    let missing = rules::missing(&required, present, &papers::store::kinds(conn, id)?)?;
    let row = FileCheck {
        case_id: id,
        present: serde_json::to_string(present).map_err(Error::internal)?,
        missing: serde_json::to_string(&missing).map_err(Error::internal)?,
        complete: missing.is_empty(),
        note_sealed: noted(vault, CHECK_NOTE, id, note)?,
        checked_by: person,
        checked_at: db_time(now),
        version: 1,
    };
    if !store::file_check_write_in_tx(conn, &row)? {
        return Err(
            Error::new(Code::StateForbids).detail("该案卷已核对齐全", "The file was found complete already")
        );
    }
    let detail = json!({ "complete": row.complete, "missing": missing });
    Ok(Entry::new(person, "legal_case.file_check", id).detail(detail))
}

/// Grants the subsidy of a case to its lawyer, as the policy says on the day of the closing.
///
/// # Errors
/// `legal_file_unchecked` before another officer has found the file complete.
pub fn subsidise_in_tx(
    conn: &mut Conn,
    person: PersonId,
    id: CaseId,
    lawyer: PersonId,
    now: DateTime<Utc>,
) -> Result<Entry> {
    let case = held_in_tx(conn, person, id, LEADS, now)?;
    in_state(&case, CaseState::Closed)?;
    let checked = store::file_check(conn, id)?.is_some_and(|check| check.complete);
    if !checked {
        return Err(Error::new(Code::LegalFileUnchecked));
    }
    if !lawyers(conn, id)?.contains(&lawyer) {
        let text = Text::new("不是本案的援助律师", "is no lawyer of this case");
        return Err(Error::invalid(vec![Fault::new("/person_id", "unknown", text)]));
    }
    if lawyer == person {
        return Err(Error::new(Code::SecondOfficer));
    }
    let ended = case.ended_at.map_or(now, |at| at.and_utc());
    let key = format!("legal_aid.subsidy.{}", case.form.as_str());
    let in_force = policy::store::on(conn, &key, civil_day(ended))?;
    let amount = in_force.as_ref().and_then(|policy| policy.value.parse::<i64>().ok()).filter(|fen| *fen > 0);
    let (Some(in_force), Some(amount_fen)) = (in_force, amount) else {
        let none = Error::new(Code::StateForbids);
        return Err(none.detail("该援助形式没有补贴标准", "There is no subsidy for this form of aid"));
    };
    let row = Subsidy {
        case_id: id,
        person_id: lawyer,
        amount_fen,
        policy: in_force.policy_key,
        policy_from: in_force.effective_from,
        granted_by: person,
        granted_at: db_time(now),
    };
    if !store::subsidy_grant_in_tx(conn, &row)? {
        return Err(Error::new(Code::StateForbids).detail("已发放补贴", "It was granted already"));
    }
    let detail = json!({ "lawyer": lawyer, "amount_fen": amount_fen });
    Ok(Entry::new(person, "legal_case.subsidy", id).detail(detail))
}

/// What a file must hold, with names.
pub fn file_items(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<(String, String)>> {
    let policy = policy::store::on(conn, FILE_ITEMS, civil_day(now))?;
    let policy = policy.ok_or_else(|| Error::internal("the policy legal_aid.file_items is not set"))?;
    Ok(rules::items(&policy.value))
}

/// The report of a closed case of the team that `person` is of, whose row is held.
fn closed(conn: &mut Conn, person: PersonId, id: CaseId, now: DateTime<Utc>) -> Result<CaseReport> {
    let case = held_in_tx(conn, person, id, LEADS, now)?;
    in_state(&case, CaseState::Closed)?;
    store::report(conn, id)?.ok_or_else(|| Error::internal(format!("{id} was closed without a report")))
}

/// Who leads a case.
pub const LEADS: &[TeamRole] = &[TeamRole::Handler, TeamRole::Deputy];

/// The case `id`, held, for whoever is of its team as one of `roles`.
///
/// # Errors
/// 404 for whoever is not of its team, whether it is there or not; `forbidden` for those who are of it as something else.
pub fn held_in_tx(
    conn: &mut Conn,
    person: PersonId,
    id: CaseId,
    roles: &[TeamRole],
    now: DateTime<Utc>,
) -> Result<Case> {
    let case = team::locked_in_tx(conn, person, id, now)?.case;
    let is_one = team::of(conn, id)?.iter().any(|one| one.person_id == person && roles.contains(&one.role));
    if is_one {
        return Ok(case);
    }
    Err(Error::new(Code::Forbidden).detail("此事由本案承办人办理", "This is for whoever leads the case"))
}

/// The lawyers of a case.
fn lawyers(conn: &mut Conn, id: CaseId) -> Result<Vec<PersonId>> {
    let team = team::of(conn, id)?;
    Ok(team.into_iter().filter(|one| one.role == TeamRole::Lawyer).map(|one| one.person_id).collect())
}

fn in_state(case: &Case, state: CaseState) -> Result<()> {
    if case.state == state { Ok(()) } else { Err(Error::new(Code::StateForbids)) }
}

/// A text that says something.
fn said<'a>(text: &'a str, pointer: &str) -> Result<&'a str> {
    let text = text.trim();
    if !text.is_empty() {
        return Ok(text);
    }
    Err(Error::invalid(vec![Fault::new(pointer, "required", Text::new("请填写", "say something"))]))
}

fn seal(vault: &Vault, field: Field, case: CaseId, text: &str) -> Result<String> {
    vault.seal(field, case.0.as_bytes(), text).map_err(Error::internal)
}

fn noted(vault: &Vault, field: Field, case: CaseId, note: Option<&str>) -> Result<Option<String>> {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    note.map(|note| seal(vault, field, case, note)).transpose()
}

/// Opens a sealed text of a case.
pub fn opened(vault: &Vault, field: Field, case: CaseId, sealed: &str) -> Result<String> {
    use secrecy::ExposeSecret;
    let text = vault.open(field, case.0.as_bytes(), sealed).map_err(Error::internal)?;
    Ok(text.expose_secret().to_owned())
}

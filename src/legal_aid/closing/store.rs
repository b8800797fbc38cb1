//! Queries of reports, return visits, satisfaction, file checks and subsidies. Whoever writes holds the row of the case.

use diesel::prelude::*;

use super::model::{CaseReport, FileCheck, ReturnVisit, ReturnVisitOutcome, Satisfaction, Subsidy};
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    legal_file_checks, legal_reports, legal_return_visits, legal_satisfactions, legal_subsidies,
};

/// The report of a case, if there is one.
pub fn report(conn: &mut Conn, case: CaseId) -> Result<Option<CaseReport>> {
    Ok(legal_reports::table.find(case).select(CaseReport::as_select()).first(conn).optional()?)
}

/// Keeps a report, in place of an earlier one that no document was made of.
pub fn report_write_in_tx(conn: &mut Conn, row: &CaseReport) -> Result<()> {
    let rows = std::slice::from_ref(row);
    let new: Vec<CaseId> = crate::insert_new!(conn, legal_reports::table, rows, legal_reports::case_id => |row: &CaseReport| row.case_id)?;
    if !new.is_empty() {
        return Ok(());
    }
    let open = legal_reports::table
        .filter(legal_reports::case_id.eq(row.case_id))
        .filter(legal_reports::document_id.is_null());
    let changed = diesel::update(open)
        .set((
            legal_reports::result.eq(row.result),
            legal_reports::recovered_fen.eq(row.recovered_fen),
            legal_reports::minutes.eq(row.minutes),
            legal_reports::summary_sealed.eq(&row.summary_sealed),
            legal_reports::reported_by.eq(row.reported_by),
            legal_reports::reported_at.eq(row.reported_at),
            legal_reports::version.eq(legal_reports::version + 1),
        ))
        .execute(conn)?;
    one(changed, row.case_id)
}

/// Fixes a report with its document.
pub fn report_fix_in_tx(conn: &mut Conn, case: CaseId, document: CaseDocumentId, by: PersonId) -> Result<()> {
    let open = legal_reports::table
        .filter(legal_reports::case_id.eq(case))
        .filter(legal_reports::document_id.is_null());
    let changed = diesel::update(open)
        .set((
            legal_reports::document_id.eq(Some(document)),
            legal_reports::closed_by.eq(Some(by)),
            legal_reports::version.eq(legal_reports::version + 1),
        ))
        .execute(conn)?;
    one(changed, case)
}

/// The return visit that the sample wants, if it does.
pub fn return_visit(conn: &mut Conn, case: CaseId) -> Result<Option<ReturnVisit>> {
    Ok(legal_return_visits::table.find(case).select(ReturnVisit::as_select()).first(conn).optional()?)
}

/// Says that the sample wants the applicant asked.
pub fn return_visit_plan_in_tx(conn: &mut Conn, row: &ReturnVisit) -> Result<()> {
    diesel::insert_into(legal_return_visits::table).values(row).execute(conn)?;
    Ok(())
}

/// Says what was heard; false where it was heard before.
pub fn return_visit_record_in_tx(conn: &mut Conn, row: &ReturnVisit) -> Result<bool> {
    let open = legal_return_visits::table.filter(legal_return_visits::case_id.eq(row.case_id)).filter(
        legal_return_visits::outcome
            .is_null()
            .or(legal_return_visits::outcome.eq(Some(ReturnVisitOutcome::Unreachable))),
    );
    let changed = diesel::update(open)
        .set((
            legal_return_visits::visited_by.eq(row.visited_by),
            legal_return_visits::visited_at.eq(row.visited_at),
            legal_return_visits::way.eq(row.way),
            legal_return_visits::outcome.eq(row.outcome),
            legal_return_visits::note_sealed.eq(&row.note_sealed),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// What the applicant thinks, if they said so.
pub fn satisfaction(conn: &mut Conn, case: CaseId) -> Result<Option<Satisfaction>> {
    Ok(legal_satisfactions::table.find(case).select(Satisfaction::as_select()).first(conn).optional()?)
}

/// Keeps what the applicant thinks; false where they have said it already.
pub fn satisfaction_give_in_tx(conn: &mut Conn, row: &Satisfaction) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<CaseId> = crate::insert_new!(
        conn, legal_satisfactions::table, rows, legal_satisfactions::case_id => |row: &Satisfaction| row.case_id
    )?;
    Ok(!new.is_empty())
}

/// How the file was found, if it was looked at.
pub fn file_check(conn: &mut Conn, case: CaseId) -> Result<Option<FileCheck>> {
    Ok(legal_file_checks::table.find(case).select(FileCheck::as_select()).first(conn).optional()?)
}

/// Keeps how the file was found, in place of an earlier time at which something was missing; false where nothing was.
pub fn file_check_write_in_tx(conn: &mut Conn, row: &FileCheck) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<CaseId> = crate::insert_new!(
        conn, legal_file_checks::table, rows, legal_file_checks::case_id => |row: &FileCheck| row.case_id
    )?;
    if !new.is_empty() {
        return Ok(true);
    }
    let incomplete = legal_file_checks::table
        .filter(legal_file_checks::case_id.eq(row.case_id))
        .filter(legal_file_checks::complete.eq(false));
    let changed = diesel::update(incomplete)
        .set((
            legal_file_checks::present.eq(&row.present),
            legal_file_checks::missing.eq(&row.missing),
            legal_file_checks::complete.eq(row.complete),
            legal_file_checks::note_sealed.eq(&row.note_sealed),
            legal_file_checks::checked_by.eq(row.checked_by),
            legal_file_checks::checked_at.eq(row.checked_at),
            legal_file_checks::version.eq(legal_file_checks::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// The subsidy of a case, if one was granted.
pub fn subsidy(conn: &mut Conn, case: CaseId) -> Result<Option<Subsidy>> {
    Ok(legal_subsidies::table.find(case).select(Subsidy::as_select()).first(conn).optional()?)
}

/// Grants a subsidy; false where one was granted already.
pub fn subsidy_grant_in_tx(conn: &mut Conn, row: &Subsidy) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<CaseId> = crate::insert_new!(
        conn, legal_subsidies::table, rows, legal_subsidies::case_id => |row: &Subsidy| row.case_id
    )?;
    Ok(!new.is_empty())
}

fn one(changed: usize, case: CaseId) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{case} changed behind its lock"))) }
}

//! Cases of legal aid become ledger lines: acceptance makes the 宗.
//!
//! Which forms of aid make one, and whether a group is one or as many as it has members, are policies. How groups count is fixed for a
//! plan's year: what the policy says on the first day of it. A line says where and when, never whose: its source is the case, whose id
//! tells those who may not see the case nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{Measure, Plan, Target};
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{CaseId, Ids, OrganisationId, TargetId};
use crate::ledger::model::{Because, Cause, Grade, Line, NewLine, SourceKind};
use crate::legal_aid::counting::{self, CaseCounting};
use crate::legal_aid::model::Case;
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_cases, plans, targets};
use crate::{ledger, org, policy};

/// Names of the forms that make a 宗.
const FORMS: &str = "legal_aid.case_forms";
/// `case`: a group is one. `member`: it is as many as have consented.
const GROUPS: &str = "legal_aid.group_count";
/// What the ledger says of an acceptance that was annulled. The officer's own words stay in the case.
const ANNULLED: &str = "受理已撤销";
/// The same, of members who do not belong to the case any more.
const FEWER: &str = "案件人数变化";

/// Counts cases by the plan's rules.
pub struct PlanCaseCounting {
    /// New ids.
    pub ids: Ids,
}

impl CaseCounting for PlanCaseCounting {
    fn accepted_in_tx(&self, conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<()> {
        let lines = Rules::load(conn)?.lines(conn, case)?;
        ledger::store::post_in_tx(conn, &self.ids, now, Cause::New, &lines)?;
        Ok(())
    }

    fn members_changed_in_tx(&self, conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<()> {
        let lines = Rules::load(conn)?.lines(conn, case)?;
        let asked: BTreeSet<Told<'_>> = lines.iter().map(told).collect();
        // With what is held for a closed month.
        let standing = ledger::store::standing_locked_in_tx(conn, &[case.id.0])?;
        let fewer = standing.iter().any(|line| !asked.contains(&stands(line)));
        if fewer {
            let because = Because { cause: Cause::Undone, reason: FEWER };
            ledger::store::reverse_source_in_tx(conn, &self.ids, now, case.id.0, because)?;
        }
        // What stands already is not counted again.
        ledger::store::post_in_tx(conn, &self.ids, now, Cause::New, &lines)?;
        Ok(())
    }

    fn annulled_in_tx(&self, conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<()> {
        let because = Because { cause: Cause::Undone, reason: ANNULLED };
        ledger::store::reverse_source_in_tx(conn, &self.ids, now, case.id.0, because)?;
        Ok(())
    }
}

/// What is compared of a line.
type Told<'a> = (TargetId, &'a str, OrganisationId, NaiveDate, i64);

fn told(line: &NewLine) -> Told<'_> {
    (line.target, &line.dedup_key, line.organisation, line.day, line.quantity)
}

fn stands(line: &Line) -> Told<'_> {
    (line.target_id, &line.dedup_key, line.organisation_id, line.day, line.quantity)
}

/// A target of cases, with the days that count for it.
struct OfCases {
    target: TargetId,
    from: NaiveDate,
    until: NaiveDate,
    per_member: bool,
}

/// What lines are made by.
pub(super) struct Rules {
    targets: Vec<OfCases>,
    root: OrganisationId,
}

impl Rules {
    pub(super) fn load(conn: &mut Conn) -> Result<Self> {
        let query = targets::table
            .inner_join(plans::table)
            .filter(targets::measure.eq(Measure::CasesAccepted))
            .order(targets::id)
            .select((Target::as_select(), Plan::as_select()));
        let rows: Vec<(Target, Plan)> = query.load(conn)?;
        let of_cases = |(target, plan): (Target, Plan)| -> Result<OfCases> {
            let (from, until) = (plan.counts_from, plan.counts_until);
            let per_member = words_on(conn, GROUPS, plan.starts_on)?.iter().any(|word| word == "member");
            Ok(OfCases { target: target.id, from, until, per_member })
        };
        let targets = rows.into_iter().map(of_cases).collect::<Result<_>>()?;
        Ok(Self { targets, root: org::store::root(conn)?.id })
    }

    /// The lines that `case` ought to have now.
    pub(super) fn lines(&self, conn: &mut Conn, case: &Case) -> Result<Vec<NewLine>> {
        let Some(day) = case.decided_at.filter(|_| counting::counts(case)).map(|at| civil_day(at.and_utc()))
        else {
            return Ok(Vec::new());
        };
        let forms = words_on(conn, FORMS, day)?;
        if !forms.iter().any(|form| form == case.form.as_str()) {
            return Ok(Vec::new());
        }
        let counting = self.targets.iter().filter(|of| of.from <= day && day <= of.until);
        Ok(counting.flat_map(|of| self.of_target(of, case, day)).collect())
    }

    fn of_target(&self, of: &OfCases, case: &Case, day: NaiveDate) -> Vec<NewLine> {
        let line = |dedup_key| NewLine {
            target: of.target,
            organisation: case.street_id.unwrap_or(self.root),
            day,
            quantity: 1,
            dedup_key,
            source_kind: SourceKind::Case,
            source_id: case.id.0,
            activity: None,
            grade: Grade::B,
        };
        if of.per_member {
            // Numbered, not named: the ledger is read by people who may not know who they are.
            (1..=case.members).map(|number| line(format!("case/{}/{number}", case.id))).collect()
        } else {
            vec![line(format!("case/{}", case.id))]
        }
    }
}

/// The words that `key` is set to on `day`; none where nobody has set it.
fn words_on(conn: &mut Conn, key: &str, day: NaiveDate) -> Result<Vec<String>> {
    let policy = policy::store::on(conn, key, day)?;
    let words = |value: &str| value.split(';').map(|word| word.trim().to_owned()).collect::<Vec<_>>();
    Ok(policy.map(|policy| words(&policy.value)).unwrap_or_default())
}

/// Cases of one statement.
const PAGE: i64 = 1000;

/// All lines that cases ought to have, handed to `each`; for verification.
pub(super) fn expect_all(conn: &mut Conn, mut each: impl FnMut(&NewLine)) -> Result<()> {
    let rules = Rules::load(conn)?;
    let mut after: Option<CaseId> = None;
    loop {
        let mut query = legal_cases::table
            .filter(legal_cases::number.is_not_null())
            .order(legal_cases::id)
            .limit(PAGE)
            .select(Case::as_select())
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(legal_cases::id.gt(after));
        }
        let page: Vec<Case> = query.load(conn)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for case in &page {
            rules.lines(conn, case)?.iter().for_each(&mut each);
        }
    }
}

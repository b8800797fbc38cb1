//! What policies say today of terms, urgency and the declaration.

use chrono::NaiveDate;

use super::papers::naming;
use super::rules::terms::{self, Limits};
use super::rules::warnings::{Figure, Figures};
use crate::error::{Error, Result};
use crate::platform::db::Conn;
use crate::policy;
use crate::policy::clock::{DayUnit, Term};
use crate::policy::model::{Policy, PolicyUnit};

/// How long somebody may ask for arbitration.
const LABOUR: &str = "labour.limitation";
/// How long somebody may go to court about anything else.
const CIVIL: &str = "civil.limitation";
/// How long a worker may apply for the recognition of an injury.
const INJURY: &str = "injury.apply.worker";
/// Below how many days left a request cannot wait.
const URGENT: &str = "legal_aid.urgent_if_limitation_left_below";
/// What applicants declare of their means.
const DECLARATION: &str = "legal_aid.declaration";

fn on(conn: &mut Conn, key: &str, day: NaiveDate) -> Result<Policy> {
    let missing = || Error::internal(format!("the policy {key} is not set: run `unionhall seed`"));
    policy::store::on(conn, key, day)?.ok_or_else(missing)
}

/// How long one may claim.
pub fn limits(conn: &mut Conn, day: NaiveDate) -> Result<Limits> {
    Ok(Limits {
        labour: terms::months(&on(conn, LABOUR, day)?)?,
        civil: terms::months(&on(conn, CIVIL, day)?)?,
        injury: terms::months(&on(conn, INJURY, day)?)?,
    })
}

/// Below how many days left a request cannot wait.
pub fn urgent_below(conn: &mut Conn, day: NaiveDate) -> Result<i64> {
    policy::store::number_on(conn, URGENT, day)
}

/// What is said of the terms.
pub fn said(conn: &mut Conn, day: NaiveDate) -> Result<Figures> {
    let mut figure = |key: &str| -> Result<Figure> {
        let policy = on(conn, key, day)?;
        Ok(Figure { said: length(&policy)?, source: policy.source })
    };
    Ok(Figures {
        limitation: figure(LABOUR)?,
        civil: figure(CIVIL)?,
        mediation: figure("labour.mediation")?,
        acceptance: figure("labour.acceptance")?,
        award: figure("labour.award")?,
        award_extension: figure("labour.award_extension")?,
        sue: figure("labour.sue")?,
        injury_employer: figure("injury.apply.employer")?,
        injury_worker: figure(INJURY)?,
        injury_decision: figure("injury.decision")?,
    })
}

/// A length of time in Chinese.
fn length(policy: &Policy) -> Result<String> {
    let days = |unit| -> Result<String> {
        let wrong = |_| Error::internal(format!("the policy {} is not a number", policy.policy_key));
        Ok(naming::term(Term { days: policy.value.parse().map_err(wrong)?, unit }))
    };
    match policy.unit {
        PolicyUnit::CalendarDays => days(DayUnit::CalendarDays),
        PolicyUnit::WorkingDays => days(DayUnit::WorkingDays),
        PolicyUnit::Months => Ok(format!("{}个月", policy.value)),
        PolicyUnit::Years => Ok(format!("{}年", policy.value)),
        other => Err(Error::internal(format!("the policy {} is in {other}, no length", policy.policy_key))),
    }
}

/// What applicants declare of their means, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its version: the first day on which it is used.
    pub version: NaiveDate,
    /// What is declared.
    pub text: String,
}

/// What is declared on `day`.
pub fn declaration(conn: &mut Conn, day: NaiveDate) -> Result<Declaration> {
    let policy = on(conn, DECLARATION, day)?;
    Ok(Declaration { version: policy.effective_from, text: policy.value })
}

//! Who may see the papers behind a reported figure: who may see the report, and who decides about it.

use uuid::Uuid;

use super::{reporting, rules, store};
use crate::clock::SharedClock;
use crate::error::Result;
use crate::ids::{PlanReportId, SubjectId};
use crate::platform::access::policy::{Permission, ReportRead};
use crate::platform::access::{Actor, Scope};
use crate::platform::db::Conn;
use crate::platform::files::Holder;
use crate::review::papers::ReviewHolder;
use crate::{org, review};

/// The kind of holder that reported figures are.
pub const PLAN_REPORT: &str = "plan_report";

/// Lets staff of the unit and of the lead departments read, and those who decide.
pub struct ReportHolder {
    /// The present: delegations end.
    pub clock: SharedClock,
}

impl Holder for ReportHolder {
    fn kind(&self) -> &'static str {
        PLAN_REPORT
    }

    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool> {
        let row = store::get(conn, PlanReportId(holder))?;
        let (_, item, _) = store::target_whole(conn, row.target_id)?;
        let organisations = org::store::all(conn)?;
        let grants = actor.standing.grants.iter().filter(|grant| ReportRead::ROLES.contains(&grant.role));
        let scope = Scope::of(grants.map(|grant| grant.path.clone()).collect());
        let own = organisations.get(&row.organisation_id).is_some_and(|unit| scope.covers(&unit.path));
        if own || reporting::covers_lead(&scope, &rules::leads(&item)?, organisations.values()) {
            return Ok(true);
        }
        // Whoever decides in another's stead has no such role themselves.
        match review::store::of_subject(conn, SubjectId(holder))? {
            Some(review) => {
                ReviewHolder { clock: SharedClock::clone(&self.clock) }.may_read(conn, actor, review.id.0)
            }
            None => Ok(false),
        }
    }
}

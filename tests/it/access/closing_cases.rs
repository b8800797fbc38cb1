//! Valid requests for the operations on periods and restatements.

use chrono::NaiveDate;
use diesel::prelude::*;
use serde_json::json;
use unionhall::clock::db_time;
use unionhall::ids::{OrganisationId, PlanId, RestatementId, TargetId};
use unionhall::ledger;
use unionhall::ledger::model::{Because, Cause, Grade, NewLine, SourceKind};
use unionhall::plan::closing::model::{PeriodKind, Restatement, RestatementState, StreetMonth, StreetState};
use unionhall::plan::closing::store as closing;
use unionhall::plan::model::{Plan, Target};
use unionhall::plan::store as plans;
use unionhall::platform::db::schema::{plan_street_months, plans as plan_rows, targets};

use super::cases::{Call, Stage, get, post};
use crate::harness::Actor;

/// A plan of long ago that no other case has, how far its January is closed, and a restatement of it.
struct Past {
    year: i64,
    restatement: RestatementId,
}

/// How far January is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Far {
    Open,
    Soft,
    Proposed,
    Hard,
    Restating,
}

impl Stage {
    async fn past(&self, far: Far) -> Past {
        let ids = self.app.ids().clone();
        let (plan_id, target_id, restatement): (PlanId, TargetId, RestatementId) =
            (ids.id(), ids.id(), ids.id());
        let officers = [self.organiser.person(), self.guest.person()];
        let (organisation, now) = (self.organisation, self.app.now());
        let year = self
            .app
            .write(move |conn| {
                let old = plans::plan_of_year(conn, 2025)?;
                let year = 1900 + plan_rows::table.count().get_result::<i64>(conn)?;
                let day = |month, day| NaiveDate::from_ymd_opt(year as i32, month, day).unwrap();
                let (starts_on, ends_on) = (day(1, 1), day(12, 31));
                let of_old = old.id;
                let plan = Plan {
                    id: plan_id,
                    year,
                    starts_on,
                    ends_on,
                    counts_from: starts_on,
                    counts_until: ends_on,
                    ..old
                };
                diesel::insert_into(plan_rows::table).values(&plan).execute(conn)?;
                closing::periods_make_in_tx(conn, &plan)?;
                let target = plans::target(conn, of_old, "07b")?;
                let target = Target { id: target_id, plan_id, ..target };
                diesel::insert_into(targets::table).values(&target).execute(conn)?;
                let row = closing::period(conn, plan_id, PeriodKind::Month, starts_on)?;
                if far >= Far::Soft {
                    for street in closing::streets(conn)? {
                        let said = StreetMonth {
                            plan_id,
                            month: starts_on,
                            organisation_id: street.id,
                            state: StreetState::Soft,
                            changed_by: officers[0],
                            changed_at: db_time(now),
                            version: 1,
                        };
                        diesel::insert_into(plan_street_months::table).values(&said).execute(conn)?;
                    }
                }
                // It is taken back, so that nothing counts without a source.
                ledger::store::post_in_tx(
                    conn,
                    &ids,
                    now,
                    Cause::New,
                    &[line(target_id, organisation, starts_on)],
                )?;
                if far >= Far::Proposed {
                    assert!(closing::propose_in_tx(conn, &row, officers[0], now)?);
                }
                if far >= Far::Hard {
                    assert!(closing::close_in_tx(conn, &row, officers[1], now)?);
                }
                let because = Because { cause: Cause::Undone, reason: "误扫" };
                ledger::store::reverse_source_in_tx(conn, &ids, now, target_id.0, because)?;
                if far >= Far::Restating {
                    let row = Restatement {
                        id: restatement,
                        plan_id,
                        month: starts_on,
                        state: RestatementState::Proposed,
                        reason: "迟交".into(),
                        evidence: None,
                        proposed_by: officers[0],
                        proposed_at: db_time(now),
                        decided_by: None,
                        decided_at: None,
                        version: 1,
                    };
                    assert!(closing::restatement_create_in_tx(conn, &row)?);
                }
                Ok(year)
            })
            .await;
        Past { year, restatement }
    }
}

fn line(target: TargetId, organisation: OrganisationId, day: NaiveDate) -> NewLine {
    NewLine {
        target,
        organisation,
        day,
        quantity: 1,
        dedup_key: "test/one".into(),
        source_kind: SourceKind::Attendance,
        source_id: target.0,
        activity: None,
        grade: Grade::B,
    }
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let january = |past: &Past, act: &str| format!("/api/v1/plans/{}/periods/01{act}", past.year);
    let street = json!({ "organisation_id": stage.organisation });
    Some(match operation {
        "period_list" => get("/api/v1/plans/2025/periods"),
        "period_get" => get("/api/v1/plans/2025/periods/06"),
        "period_checklist" => get("/api/v1/plans/2025/periods/06/checklist"),
        "plan_changes" => get("/api/v1/plans/2025/changes?from=2025-01-01T00:00:00Z"),
        "held_correction_list" => get("/api/v1/plans/2025/periods/06/corrections"),
        "street_month_close" => post(january(&stage.past(Far::Open).await, "/street-closings"), street),
        "street_month_reopen" => post(january(&stage.past(Far::Soft).await, "/street-reopenings"), street),
        "period_close" => post(january(&stage.past(Far::Soft).await, "/closings"), json!({})),
        "period_close_decide" => {
            post(january(&stage.past(Far::Proposed).await, "/closing-decisions"), json!({ "agree": true }))
        }
        "restatement_create" => {
            post(january(&stage.past(Far::Hard).await, "/restatements"), json!({ "reason": "签到表迟交" }))
        }
        "restatement_get" => {
            get(format!("/api/v1/restatements/{}", stage.past(Far::Restating).await.restatement))
        }
        "restatement_decide" => {
            let id = stage.past(Far::Restating).await.restatement;
            post(format!("/api/v1/restatements/{id}/decisions"), json!({ "agree": true }))
        }
        _ => return super::plan_cases::case(stage, operation, someone).await,
    })
}

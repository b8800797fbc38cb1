//! Rosters over HTTP.

use actix_web::post;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::holds_api::PlaceHoldView;
use super::nominate::{self, Order, Outcome};
use super::rules::{self, Verdict};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{ActivityId, OrganisationId, SignupId};
use crate::org;
use crate::org::model::{Organisation, OrganisationKind};
use crate::platform::Platform;
use crate::platform::access::policy::RosterWrite;
use crate::platform::access::{Guard, Scope};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Stored};
use crate::signup::jobs::Tools;
use crate::signup::snapshot::PLACES;

/// Somebody whom a union names.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "张三丰", "phone": "13800138000"}))]
pub struct RosterRow {
    /// As they registered it.
    #[schema(min_length = 1, max_length = 40, pattern = r"\S")]
    pub name: String,
    /// Their mobile number.
    #[schema(min_length = 11, max_length = 20)]
    pub phone: String,
}

/// Names and numbers as they are read.
pub(super) fn rows(rows: Vec<RosterRow>) -> Result<Vec<rules::Row>> {
    rules::read(rows.into_iter().map(|row| (row.name, row.phone)).collect())
}

/// Whom a union signs up.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "together": false,
    "rows": [{"name": "张三丰", "phone": "13800138000"}], "name_later": 2, "name_by": "2025-06-20T18:00:00+08:00"
}))]
pub struct RosterInput {
    /// The enterprise union whose people they are.
    pub organisation_id: OrganisationId,
    /// Whether all are nominated or nobody. Otherwise as many as there are places for.
    #[serde(default)]
    pub together: bool,
    /// Whom.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub rows: Vec<RosterRow>,
    /// How many places to keep for people who are named later.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 200)]
    pub name_later: i64,
    /// Until when they are named; at the latest when sign-up closes.
    pub name_by: Option<DateTime<Utc>>,
}

/// What became of a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct RosterRowView {
    /// Its place in the roster, from 0.
    #[schema(minimum = 0, maximum = 199)]
    pub row: usize,
    /// What became of it.
    pub verdict: Verdict,
    /// The same in Chinese.
    #[schema(max_length = 200)]
    pub text: String,
    /// Of who is nominated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signup_id: Option<SignupId>,
}

/// What became of a roster. Without names and numbers: whoever sent it has them.
#[derive(Debug, Serialize, ToSchema)]
pub struct RosterView {
    /// How many are nominated.
    #[schema(minimum = 0, maximum = 200)]
    pub nominated: usize,
    /// Until when they must answer.
    pub answer_by: DateTime<Utc>,
    /// Every row.
    #[schema(max_items = 200)]
    pub rows: Vec<RosterRowView>,
    /// Places that are kept for people who are named later; fewer than asked for where there were not enough. One entry for
    /// each quota that they are on.
    #[schema(max_items = 200)]
    pub holds: Vec<PlaceHoldView>,
}

impl From<Outcome> for RosterView {
    fn from(outcome: Outcome) -> Self {
        let rows: Vec<RosterRowView> = outcome
            .rows
            .into_iter()
            .enumerate()
            .map(|(row, (verdict, signup_id))| RosterRowView {
                row,
                verdict,
                text: verdict.text().zh.into_owned(),
                signup_id,
            })
            .collect();
        Self {
            nominated: rows.iter().filter(|row| row.signup_id.is_some()).count(),
            answer_by: outcome.answer_by,
            rows,
            holds: outcome.holds.into_iter().map(Into::into).collect(),
        }
    }
}

/// Nominate people of a union / 单位工会提交名单
///
/// The activity may be another organiser's. A place is kept for everybody who is nominated; each is asked, and confirms or
/// refuses it themselves. `name_later` keeps places for people who are named until `name_by`. With `together`, what stands in
/// the way of anybody is a fault of the row (422) and nothing is changed; so is a person who is named twice (`duplicate_row`).
/// Whether a number is registered is told of the union's own people only: all others are `not_registered`.
#[utoipa::path(
    tag = "signup", operation_id = "roster_create", security(("bearer" = ["roster:write"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RosterInput,
    responses((status = 200, description = "What became of every row", body = RosterView)),
)]
#[post("/api/v1/activities/{id}/rosters")]
pub async fn roster_create(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<RosterWrite>,
    id: ApiPath<ActivityId>,
    body: Idempotent<RosterInput>,
) -> Result<Stored> {
    let (actor, now, scope, activity) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let RosterInput { organisation_id, together, rows: input, name_later, name_by } = body.body;
    if input.is_empty() && name_later == 0 {
        let text = Text::new("名单为空", "nobody is named, and no place is asked for");
        return Err(Error::invalid(vec![Fault::new("/rows", "required", text)]));
    }
    let rows = rows(input)?;
    let act = move |c: &mut Conn| {
        let union = union(c, organisation_id, &scope)?;
        let rows = rows.clone();
        let order = Order { activity, union, rows, together, name_later, name_by, actor };
        Stored::done(1, &RosterView::from(nominate::roster_in_tx(c, &tools, &order, now)?))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    platform.changes.tell(PLACES, &[activity.0]);
    Ok(stored)
}

/// The union `id` in `scope`: where it is said in the body, it is the field that is wrong.
fn union(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<Organisation> {
    let fault = |code, zh, en| Error::invalid(vec![Fault::new("/organisation_id", code, Text::new(zh, en))]);
    let unknown = || fault("unknown", "没有这个组织", "no such organisation");
    let found = org::store::get(conn, id).map_err(|error| match error.code() {
        crate::error::Code::NotFound => unknown(),
        _ => error,
    })?;
    if !scope.covers(&found.path) {
        return Err(unknown());
    }
    if !matches!(found.kind, OrganisationKind::EnterpriseUnion | OrganisationKind::DirectUnion) {
        return Err(fault("kind", "不是企业工会或直管工会", "is no enterprise union or direct union"));
    }
    Ok(found)
}

//! What the desk asks for, of activities whose places it gives.

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::reviewed;
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::ids::ActivityId;
use crate::offering;
use crate::offering::model::{ActivityState, Allocation};
use crate::platform::Platform;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Reply};
use crate::review::chain::FormField;
use crate::review::store;

/// What is asked for with a sign-up.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityFormView {
    /// The chain of bodies that decide; none where places are not given by the desk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60, example = "signup.convalescence")]
    pub chain: Option<String>,
    /// Its name, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120, example = "疗休养报名审核")]
    pub name: Option<String>,
    /// What to answer, in this order.
    #[schema(max_items = 40)]
    pub fields: Vec<FormField>,
}

/// Read what is asked for with a sign-up / 读取报名表
///
/// Of an activity with allocation `review`; others ask for nothing.
#[utoipa::path(
    tag = "signup", operation_id = "activity_form_get", security(()),
    params(("id" = ActivityId, Path, description = "The activity")),
    responses((status = 200, description = "The form", body = ActivityFormView)),
)]
#[get("/api/v1/activities/{id}/form")]
pub async fn activity_form_get(
    platform: Data<Platform>,
    id: ApiPath<ActivityId>,
) -> Result<Reply<ActivityFormView>> {
    let (now, id) = (platform.clock.now(), id.0);
    let view = platform.db.read(move |c| form(c, id, now)).await?;
    Ok(Reply::new(view))
}

fn form(conn: &mut Conn, id: ActivityId, now: DateTime<Utc>) -> Result<ActivityFormView> {
    let found = offering::store::activity_get(conn, id)?;
    if found.activity.state == ActivityState::Draft {
        // Nobody but its organisers may know of it.
        return Err(Error::not_found());
    }
    if found.activity.allocation != Allocation::Review {
        return Ok(ActivityFormView { chain: None, name: None, fields: Vec::new() });
    }
    let chain = store::chain_on(conn, &reviewed::chains(found.programme.kind), civil_day(now))?;
    Ok(ActivityFormView {
        chain: Some(chain.row.code),
        name: Some(chain.row.name),
        fields: chain.definition.form,
    })
}

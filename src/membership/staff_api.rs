//! Memberships as staff see them, and ending one.

use actix_web::web::Data;
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::api::MembershipView;
use super::model::{MembershipEnd, MembershipState};
use super::rules::{self, MembershipEvent};
use super::store::{self, Case};
use crate::error::{Code, Error, Result};
use crate::ids::{MembershipId, OrganisationId, PersonId, ReviewId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::Platform;
use crate::platform::access::policy::{MembershipManage, RosterRead};
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;

/// A membership with whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipCase {
    /// The membership.
    #[serde(flatten)]
    pub membership: MembershipView,
    /// Whose.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
}

impl MembershipCase {
    fn new(case: Case, review: Option<ReviewId>) -> Self {
        Self {
            person_id: case.membership.person_id,
            name_masked: case.name.as_deref().map(mask::name),
            membership: MembershipView::new(case.membership, case.organisation.short_name, review),
        }
    }
}

/// Which memberships.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MembershipQuery {
    /// Of this organisation and all below it; of one's whole subtree by default.
    #[param(inline)]
    pub organisation: Option<OrganisationId>,
    /// In this state.
    #[param(inline)]
    pub state: Option<MembershipState>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List memberships of one's subtree, oldest first / 列出会员
#[utoipa::path(
    tag = "people", operation_id = "membership_list", security(("bearer" = ["roster:read"])), params(MembershipQuery),
    responses((status = 200, description = "A page of memberships", body = Page<MembershipCase>)),
)]
#[get("/api/v1/memberships")]
pub async fn membership_list(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    query: ApiQuery<MembershipQuery>,
) -> Result<Reply<Page<MembershipCase>>> {
    let MembershipQuery { organisation, state, limit, cursor } = query.0;
    let (page, scope) = (PageQuery { limit, cursor }, guard.scope().clone());
    let list = format!("memberships/{}/{organisation:?}/{state:?}", guard.person());
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let (rows, reviews) = platform
        .db
        .read(move |c| {
            let patterns = match organisation {
                Some(id) => within(c, id, &scope)?,
                None => scope.patterns().collect(),
            };
            let rows = store::case_list(c, patterns, state, after, limit)?;
            let ids: Vec<MembershipId> = rows.iter().map(|case| case.membership.id).collect();
            let reviews = store::reviews_of(c, &ids)?;
            Ok((rows, reviews))
        })
        .await?;
    let page = platform.cursors.page(&list, &page, rows, |case| case.membership.id)?;
    Ok(Reply::new(page.map(|case| {
        let review = reviews.get(&case.membership.id).copied();
        MembershipCase::new(case, review)
    })))
}

/// The pattern of an organisation and all below it; none where it is outside `scope`, as if it were not there.
fn within(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<Vec<String>> {
    let found = store::organisation(conn, id)?.filter(|found| scope.covers(&found.path));
    Ok(found.map(|found| format!("{}%", found.path)).into_iter().collect())
}

/// Why a membership ends.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "left"}))]
pub struct EndingInput {
    /// Why; told to the person.
    pub reason: MembershipEnd,
}

/// End a verified membership / 终止会籍
///
/// The person is told. Never one's own (`second_officer_required`).
#[utoipa::path(
    tag = "people", operation_id = "membership_end", security(("bearer" = ["membership:manage"])),
    params(("id" = MembershipId, Path, description = "The membership"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = EndingInput,
    responses((status = 200, description = "The membership, ended", body = MembershipCase)),
)]
#[post("/api/v1/memberships/{id}/endings")]
pub async fn membership_end(
    platform: Data<Platform>,
    guard: Guard<MembershipManage>,
    id: ApiPath<MembershipId>,
    body: Idempotent<EndingInput>,
) -> Result<Stored> {
    let (actor, now, scope, ids, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.ids.clone(), id.0);
    let because = body.body.reason;
    let act = move |c: &mut Conn| {
        scope.require(&store::case_get(c, id)?.organisation.path)?;
        let (row, _) = store::locked_in_tx(c, id)?;
        if row.person_id == actor {
            return Err(Error::new(Code::SecondOfficer));
        }
        let ended = rules::ended(&row, MembershipEvent::End, because, now)?;
        store::update_in_tx(c, &row, &ended)?;
        let case = store::case_get(c, id)?;
        let review = store::reviews_of(c, &[id])?.remove(&id);
        let entry = Entry::new(actor, "membership.end", id).detail(json!({ "because": because }));
        let beside =
            Beside { messages: vec![told(&case, because)], entries: vec![entry], ..Beside::default() };
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(ended.version, &MembershipCase::new(case, review))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

fn told(case: &Case, because: MembershipEnd) -> Message {
    Message {
        person: case.membership.person_id,
        kind: NoticeKind::MembershipEnded,
        subject: case.organisation.short_name.clone(),
        detail: format!("原因：{}。", because.zh()),
        link: format!("/api/v1/me/memberships/{}", case.membership.id),
    }
}

//! One's own memberships: claiming one, and where it stands.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::claims::{self, CHAIN, Claim, Claimed};
use super::model::{Membership, MembershipEnd, MembershipState};
use super::store;
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{MembershipId, OrganisationId, ReviewId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::review::chain::{Answers, FormField};
use crate::review::deciding::Desk;
use crate::review::{self, form};

/// That one is, was, or says to be a member of a union.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipView {
    /// Its id.
    pub id: MembershipId,
    /// Of which union.
    pub organisation_id: OrganisationId,
    /// Of which union.
    #[schema(max_length = 60, example = "示例物流（平湖）")]
    pub organisation_name: String,
    /// Where in its life it is.
    pub state: MembershipState,
    /// Since when, as one said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<NaiveDate>,
    /// When it was claimed.
    pub claimed_at: DateTime<Utc>,
    /// When it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<MembershipEnd>,
    /// The request about it, or the appeal: `/api/v1/me/reviews/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ReviewId>,
}

impl MembershipView {
    /// The membership of `union`, decided by `review`.
    pub fn new(row: Membership, union: String, review: Option<ReviewId>) -> Self {
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            organisation_name: union,
            state: row.state,
            since: row.since,
            claimed_at: row.claimed_at.and_utc(),
            verified_at: row.verified_at.map(|at| at.and_utc()),
            ended_at: row.ended_at.map(|at| at.and_utc()),
            ended_because: row.ended_because,
            review_id: review,
        }
    }
}

/// What is asked for with a claim.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipFormView {
    /// Its name, for people.
    #[schema(max_length = 120, example = "会籍认证")]
    pub name: String,
    /// What to answer, in this order.
    #[schema(max_items = 40)]
    pub fields: Vec<FormField>,
}

/// Read what is asked for with a membership claim / 读取会籍认证表
#[utoipa::path(
    tag = "me", operation_id = "membership_form_get", security(()),
    responses((status = 200, description = "The form", body = MembershipFormView)),
)]
#[get("/api/v1/membership-form")]
pub async fn membership_form_get(platform: Data<Platform>) -> Result<Reply<MembershipFormView>> {
    let today = civil_day(platform.clock.now());
    let chain = platform.db.read(move |c| review::store::chain_on(c, &[CHAIN.to_owned()], today)).await?;
    Ok(Reply::new(MembershipFormView { name: chain.row.name, fields: chain.definition.form }))
}

/// Of which union one says to be a member.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "since": "2021-03-01", "form": {"employee_no": "A0123"}
}))]
pub struct ClaimInput {
    /// The union of one's enterprise or industry.
    pub organisation_id: OrganisationId,
    /// Since when one is a member.
    pub since: Option<NaiveDate>,
    /// Answers to what `membership_form_get` asks for, by field.
    #[serde(default)]
    #[schema(schema_with = form::schema, required = false)]
    pub form: Answers,
}

/// Claim to be a member of a union / 申请会籍认证
///
/// The union decides, then its sub-district. Refused with `review_live` while another claim of one's own waits, and with
/// `membership_held` where one is verified there already. Whoever is verified elsewhere moves with the approval.
#[utoipa::path(
    tag = "me", operation_id = "membership_claim", security(("bearer" = ["self"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ClaimInput,
    responses((status = 201, description = "The claim", body = MembershipView)),
)]
#[post("/api/v1/me/membership-claims")]
pub async fn membership_claim(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    body: Idempotent<ClaimInput>,
) -> Result<Stored> {
    let (person, now, desk) = (guard.person(), platform.clock.now(), Desk::clone(&desk));
    let ClaimInput { organisation_id: organisation, since, form } = body.body;
    let claim = Claim { id: platform.ids.id(), person, organisation, since, form };
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let Claimed { membership, union, review } = claims::claim_in_tx(c, &desk, &claim, now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        let (location, version) = (format!("/api/v1/me/memberships/{}", membership.id), membership.version);
        Stored::created(location, version, &MembershipView::new(membership, union, Some(review)))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List one's memberships and claims, newest first / 列出本人会籍
#[utoipa::path(
    tag = "me", operation_id = "my_membership_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of memberships", body = Page<MembershipView>)),
)]
#[get("/api/v1/me/memberships")]
pub async fn my_membership_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<MembershipView>>> {
    let person = guard.person();
    let list = format!("my-memberships/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let (rows, reviews) = platform
        .db
        .read(move |c| {
            let rows = store::list_own(c, person, before, limit)?;
            let ids: Vec<MembershipId> = rows.iter().map(|(row, _)| row.id).collect();
            let reviews = store::reviews_of(c, &ids)?;
            Ok((rows, reviews))
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |(row, _)| row.id)?;
    Ok(Reply::new(page.map(|(row, union)| {
        let review = reviews.get(&row.id).copied();
        MembershipView::new(row, union, review)
    })))
}

/// Read a membership or a claim of one's own / 查看本人的一项会籍
#[utoipa::path(
    tag = "me", operation_id = "my_membership_get", security(("bearer" = ["self"])),
    params(("id" = MembershipId, Path, description = "The membership")),
    responses((status = 200, description = "The membership", body = MembershipView)),
)]
#[get("/api/v1/me/memberships/{id}")]
pub async fn my_membership_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<MembershipId>,
) -> Result<Reply<MembershipView>> {
    let (person, id) = (guard.person(), id.0);
    let (row, union, review) = platform
        .db
        .read(move |c| {
            let (row, union) = store::get_own(c, id, person)?;
            let review = store::reviews_of(c, &[id])?.remove(&id);
            Ok((row, union, review))
        })
        .await?;
    let version = row.version;
    Ok(Reply::new(MembershipView::new(row, union, review)).version(version))
}

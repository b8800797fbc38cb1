//! Who keeps away: recusals of officers, ties that anybody declares.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::officer;
use super::deciding::Desk;
use super::model::{EventKind, Recusal, RecusalGround, Tie};
use super::views::{self, ReviewView};
use super::{cover, stages};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{OrganisationId, PersonId, ReviewId, TieId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::{OwnData, ReviewDecide};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::db::schema::review_ties;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::{org, people};

/// Why one keeps away from a request.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ground": "kin"}))]
pub struct RecusalInput {
    /// Why.
    pub ground: RecusalGround,
}

/// Keep away from a request / 申请回避
///
/// It cannot be taken back. What one works at is free for others, and goes to the next body above where one's own has nobody
/// left who may decide.
#[utoipa::path(
    tag = "review", operation_id = "review_recuse", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RecusalInput,
    responses((status = 200, description = "The request", body = ReviewView)),
)]
#[post("/api/v1/reviews/{id}/recusals")]
pub async fn review_recuse(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    body: Idempotent<RecusalInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let ground = body.body.ground;
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let (review, _) = desk.locked_in_tx(c, &officer, id)?;
        if !review.state.is_live() {
            return Err(Error::new(Code::StateForbids).detail("申请已办结", "The request is decided"));
        }
        let mut beside = Beside::default();
        let recusal = Recusal { review_id: id, person_id: actor, ground, made_at: db_time(now) };
        if cover::recuse_in_tx(c, &recusal)? {
            stages::note_in_tx(c, &desk.ids, id, None, EventKind::Recused, Some(actor), now)?;
            beside.entries.push(Entry::new(actor, "review.recuse", id).detail(json!({ "ground": ground })));
            for stage in stages::of(c, id)? {
                if stage.claimed_by == Some(actor) {
                    stages::unclaim_in_tx(c, stage.id)?;
                }
                stages::reroute_in_tx(c, &desk.ids, &review, &stage, now, &mut beside)?;
            }
        }
        let view = views::review(c, &review, now)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::done(review.version, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Ties that one may have declared at a time.
const TIES: usize = 50;

/// Kin, or an interest in an enterprise.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TieView {
    /// Its id.
    pub id: TieId,
    /// The kin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kin_id: Option<PersonId>,
    /// The enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<OrganisationId>,
    /// When it was declared.
    pub declared_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<Tie> for TieView {
    fn from(row: Tie) -> Self {
        Self {
            id: row.id,
            kin_id: row.kin_id,
            organisation_id: row.organisation_id,
            declared_at: row.declared_at.and_utc(),
            ended_at: row.ended_at.map(|at| at.and_utc()),
        }
    }
}

/// A tie to declare: kin or an enterprise, one of the two.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct TieInput {
    /// Kin: spouse, parents, children, brothers and sisters.
    pub kin_id: Option<PersonId>,
    /// An enterprise in which one or one's kin has an interest.
    pub organisation_id: Option<OrganisationId>,
}

/// Declare kin or an interest: requests of theirs are decided by others / 申报近亲属或利害关系
///
/// At most 50 at a time.
#[utoipa::path(
    tag = "me", operation_id = "my_tie_declare", security(("bearer" = ["self"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TieInput,
    responses((status = 201, description = "Declared", body = TieView)),
)]
#[post("/api/v1/me/ties")]
pub async fn my_tie_declare(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    body: Idempotent<TieInput>,
) -> Result<Stored> {
    let (now, person) = (platform.clock.now(), guard.person());
    let (id, input): (TieId, TieInput) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let faults = tie_faults(c, person, input)?;
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        room_in_tx(c, person, input)?;
        let row = Tie {
            id,
            person_id: person,
            kin_id: input.kin_id,
            organisation_id: input.organisation_id,
            declared_at: db_time(now),
            ended_at: None,
        };
        cover::tie_create_in_tx(c, &row)?;
        let detail = json!({ "kin": input.kin_id, "organisation": input.organisation_id });
        audit::append_in_tx(c, now, vec![Entry::new(person, "tie.declare", id).detail(detail)])?;
        Stored::created("/api/v1/me/ties".into(), 1, &TieView::from(row))
    };
    platform.idempotency.run(person, body.key, act).await
}

fn tie_faults(conn: &mut Conn, person: PersonId, input: TieInput) -> Result<Vec<Fault>> {
    let unknown = |pointer: &str| Fault::new(pointer, "unknown", Text::new("不存在", "not there"));
    let mut faults = Vec::new();
    if input.kin_id.is_some() == input.organisation_id.is_some() {
        let text = Text::new("近亲属与单位须且只须填写一项", "give kin or an enterprise, one of the two");
        faults.push(Fault::new("/kin_id", "exactly_one", text));
    }
    if input.kin_id == Some(person) {
        faults.push(Fault::new("/kin_id", "not_allowed", Text::new("不能是本人", "nobody is their own kin")));
    } else if let Some(kin) = input.kin_id
        && is_missing(people::store::get(conn, kin))?
    {
        faults.push(unknown("/kin_id"));
    }
    if let Some(organisation) = input.organisation_id
        && is_missing(org::store::get(conn, organisation))?
    {
        faults.push(unknown("/organisation_id"));
    }
    Ok(faults)
}

fn is_missing<T>(found: Result<T>) -> Result<bool> {
    match found {
        Ok(_) => Ok(false),
        Err(error) if error.code() == Code::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses a tie that is declared already, and one too many. The lock of the person makes both exact.
fn room_in_tx(conn: &mut Conn, person: PersonId, input: TieInput) -> Result<()> {
    cover::people_lock_in_tx(conn, &[person])?;
    let live: Vec<(Option<PersonId>, Option<OrganisationId>)> = review_ties::table
        .filter(review_ties::person_id.eq(person))
        .filter(review_ties::ended_at.is_null())
        .select((review_ties::kin_id, review_ties::organisation_id))
        .load(conn)?;
    if live.contains(&(input.kin_id, input.organisation_id)) {
        return Err(Error::new(Code::UniqueTaken).detail("已申报过", "It is declared already"));
    }
    if live.len() >= TIES {
        return Err(Error::new(Code::Conflict).detail(
            format!("最多申报{TIES}项，请先结束不再有效的"),
            format!("At most {TIES}: end one first"),
        ));
    }
    Ok(())
}

/// List the ties that one has declared, newest first / 列出本人申报的关系
#[utoipa::path(
    tag = "me", operation_id = "my_tie_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of ties", body = Page<TieView>)),
)]
#[get("/api/v1/me/ties")]
pub async fn my_tie_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<TieView>>> {
    let person = guard.person();
    let list = format!("my-ties/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| cover::ties(c, person, before, limit)).await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(TieView::from)).secret())
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct TieEndInput {}

/// Say that a tie is no more / 结束申报的关系
///
/// Ending it again changes nothing.
#[utoipa::path(
    tag = "me", operation_id = "my_tie_end", security(("bearer" = ["self"])),
    params(("id" = TieId, Path, description = "The tie"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TieEndInput,
    responses((status = 200, description = "The tie, ended", body = TieView)),
)]
#[post("/api/v1/me/ties/{id}/endings")]
pub async fn my_tie_end(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<TieId>,
    body: Idempotent<TieEndInput>,
) -> Result<Stored> {
    let (now, person, id) = (platform.clock.now(), guard.person(), id.0);
    let act = move |c: &mut Conn| {
        let row = cover::tie_end_in_tx(c, id, person, now)?;
        audit::append_in_tx(c, now, vec![Entry::new(person, "tie.end", id)])?;
        Stored::done(1, &TieView::from(row))
    };
    platform.idempotency.run(person, body.key, act).await
}

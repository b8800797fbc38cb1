//! Recording visits, and taking them back.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::seen;
use super::days::{self, Wanted};
use super::model::{GiftKind, Injury, Visit, VisitForm};
use super::photos;
use super::presence::{self, Cause};
use super::store::{self, Placed};
use crate::attendance::entering::{Entrance, Left};
use crate::clock::{civil_day, db_time};
use crate::content::checking::{Checks, Judge};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, FileId, InjuryId, OrganisationId, PersonId, SessionId, VisitId};
use crate::offering::making::organisation_in_scope;
use crate::offering::model::SessionState;
use crate::org;
use crate::org::model::Organisation;
use crate::platform::Platform;
use crate::platform::access::policy::{InjuryRead, VisitUndo, VisitWrite};
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};

/// A gift.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "goods", "text": "牛奶、水果", "amount_fen": 20000}))]
pub struct Gift {
    /// Money, or things.
    pub kind: GiftKind,
    /// What it is; without names, numbers and illnesses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub text: Option<String>,
    /// What it is worth, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub amount_fen: Option<i64>,
}

/// A visit.
#[derive(Debug, Serialize, ToSchema)]
pub struct VisitView {
    /// Its id.
    pub id: VisitId,
    /// For which injury.
    pub injury_id: InjuryId,
    /// The activity of the day's visits.
    pub activity_id: ActivityId,
    /// Its session, which is finalised as any other.
    pub session_id: SessionId,
    /// What was done.
    pub form: VisitForm,
    /// When.
    pub visited_on: NaiveDate,
    /// What was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift: Option<Gift>,
    /// What was told: codes of `visit_topic_list`.
    #[schema(max_items = 20)]
    pub told: Vec<String>,
    /// Pictures.
    #[schema(max_items = 9)]
    pub photo_ids: Vec<FileId>,
    /// Whether it counts: it stands, and so does its session.
    pub counts: bool,
    /// Who recorded it.
    pub recorded_by: PersonId,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// Since when it is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<DateTime<Utc>>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub undone_because: Option<String>,
}

impl VisitView {
    /// The view of a visit with its pictures.
    pub fn new((row, activity, state): Placed, photos: Vec<FileId>) -> Result<Self> {
        let (text, amount_fen) = (row.gift_text, row.gift_fen);
        Ok(Self {
            id: row.id,
            injury_id: row.injury_id,
            activity_id: activity,
            session_id: row.session_id,
            form: row.form,
            visited_on: row.visited_on,
            gift: row.gift_kind.map(|kind| Gift { kind, text, amount_fen }),
            told: serde_json::from_str(&row.told).map_err(Error::internal)?,
            photo_ids: photos,
            counts: row.undone_at.is_none() && state != SessionState::Cancelled,
            recorded_by: row.recorded_by,
            recorded_at: row.recorded_at.and_utc(),
            undone_at: row.undone_at.map(|at| at.and_utc()),
            undone_because: row.undone_because,
        })
    }
}

/// Something that visitors may tell.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldTopic {
    /// Its code.
    #[schema(max_length = 60, example = "rights")]
    pub code: String,
    /// For people.
    #[schema(max_length = 120, example = "工伤保险待遇和权利")]
    pub name: String,
}

/// What visitors may tell.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldTopics {
    /// In the order in which they are offered.
    #[schema(max_items = 100)]
    pub items: Vec<ToldTopic>,
}

/// List what visitors may tell / 列出探视时可告知的内容
#[utoipa::path(
    tag = "visits", operation_id = "visit_topic_list", security(("bearer" = ["injury:read"])),
    responses((status = 200, description = "Codes and names", body = ToldTopics)),
)]
#[get("/api/v1/visit-topics")]
pub async fn visit_topic_list(
    platform: Data<Platform>,
    _guard: Guard<InjuryRead>,
) -> Result<Reply<ToldTopics>> {
    let today = civil_day(platform.clock.now());
    let topics = platform.db.read(move |c| store::told_topics(c, today)).await?;
    let items = topics.into_iter().map(|(code, name)| ToldTopic { code, name }).collect();
    Ok(Reply::new(ToldTopics { items }))
}

/// A visit to record.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "visited_on": "2025-06-16", "form": "visit", "gift": {"kind": "goods", "text": "牛奶、水果", "amount_fen": 20000},
    "told": ["rights", "apply"]
}))]
pub struct VisitInput {
    /// When; not before the injury, not after today.
    pub visited_on: NaiveDate,
    /// What was done; a visit when left out.
    pub form: Option<VisitForm>,
    /// Who visited, inside one's own subtree; the sub-district of who looks after the injury when left out, where one works for it.
    pub organisation_id: Option<OrganisationId>,
    /// What was given, if anything.
    pub gift: Option<Gift>,
    /// What was told: codes of `visit_topic_list`.
    #[serde(default)]
    #[schema(max_items = 20, required = false)]
    pub told: Vec<String>,
    /// Pictures that one has uploaded, of the class photo or evidence.
    #[serde(default)]
    #[schema(max_items = 9, required = false)]
    pub photo_ids: Vec<FileId>,
}

impl VisitInput {
    fn form(&self) -> VisitForm {
        self.form.unwrap_or(VisitForm::Visit)
    }

    fn check(&self, conn: &mut Conn, injury: &Injury, today: NaiveDate) -> Result<()> {
        let mut faults = Vec::new();
        if self.visited_on > today || self.visited_on < injury.injured_on {
            let text =
                Text::new("应在受伤日期与今天之间", "must lie between the day of the injury and today");
            faults.push(Fault::new("/visited_on", "range", text));
        }
        if self.form() == VisitForm::GiftOnly && self.gift.is_none() {
            let text = Text::new("没有探视时必填", "required where nobody was visited");
            faults.push(Fault::new("/gift", "required", text));
        }
        let topics = store::told_topics(conn, today)?;
        for (place, code) in self.told.iter().enumerate() {
            let at = format!("/told/{place}");
            if !topics.iter().any(|(known, _)| known == code) {
                faults.push(Fault::new(at, "unknown", Text::new("没有这一项", "no such topic")));
            } else if self.told.iter().take(place).any(|before| before == code) {
                faults.push(Fault::new(at, "duplicate", Text::new("重复", "given twice")));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
    }

    fn row(
        &self,
        id: VisitId,
        injury: InjuryId,
        session: SessionId,
        by: PersonId,
        now: DateTime<Utc>,
    ) -> Result<Visit> {
        let gift = self.gift.as_ref();
        Ok(Visit {
            id,
            injury_id: injury,
            session_id: session,
            form: self.form(),
            visited_on: self.visited_on,
            gift_kind: gift.map(|gift| gift.kind),
            gift_text: gift.and_then(|gift| gift.text.clone()),
            gift_fen: gift.and_then(|gift| gift.amount_fen),
            told: serde_json::to_string(&self.told).map_err(Error::internal)?,
            recorded_by: by,
            recorded_at: db_time(now),
            undone_by: None,
            undone_at: None,
            undone_because: None,
            version: 1,
        })
    }
}

/// Who visits: the one that is named, or the sub-district of who looks after the injury, or that itself.
fn organiser(
    conn: &mut Conn,
    named: Option<OrganisationId>,
    looks_after: Organisation,
    scope: &Scope,
) -> Result<Organisation> {
    if let Some(id) = named {
        return organisation_in_scope(conn, id, scope);
    }
    let street = match looks_after.street_id {
        Some(id) => Some(org::store::get(conn, id)?),
        None => None,
    };
    Ok(street.filter(|street| scope.covers(&street.path)).unwrap_or(looks_after))
}

/// Record a visit / 登记探视慰问
///
/// The person is present at the session of that day and organiser, which is made when it is missing: with the role `gift` where there
/// was a gift, once however many visits. Several visits are several records. Refused with `state_forbids` where there is no
/// programme of the topic `injury_visit` (or `injury_gift`) yet, and with `second_officer_required` for an injury of one's own.
#[utoipa::path(
    tag = "visits", operation_id = "visit_create", security(("bearer" = ["visit:write"])),
    params(("id" = InjuryId, Path, description = "The injury"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = VisitInput,
    responses((status = 200, description = "The visit", body = VisitView)),
)]
#[post("/api/v1/injuries/{id}/visits")]
pub async fn visit_create(
    platform: Data<Platform>,
    entrance: Data<Entrance>,
    checks: Data<Checks>,
    guard: Guard<VisitWrite>,
    id: ApiPath<InjuryId>,
    body: Idempotent<VisitInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (entrance, checks, input) = (Entrance::clone(&entrance), Checks::clone(&checks), body.body);
    let visit: VisitId = platform.ids.id();
    let act = move |c: &mut Conn| {
        let (injury, looks_after) = seen(c, id, &scope)?;
        if injury.person_id == actor {
            return Err(Error::new(Code::SecondOfficer));
        }
        input.check(c, &injury, civil_day(now))?;
        let organiser = organiser(c, input.organisation_id, looks_after, &scope)?;
        let mut left = Left::default();
        let wanted = Wanted { organiser: &organiser, form: input.form(), day: input.visited_on, actor, now };
        let place = days::place_in_tx(c, &entrance.ids, &wanted, &mut left.entries)?;
        store::visit_create_in_tx(c, &input.row(visit, id, place.session.id, actor, now)?)?;
        photos::attach_in_tx(c, actor, &input.photo_ids, visit, now)?;
        let judge = Judge::Organisation(Some(organiser.id));
        checks.pictures_in_tx(c, &input.photo_ids, actor, judge, now)?;
        let detail = json!({ "injury": id, "session": place.session.id, "gift": input.gift.is_some() });
        left.entries.push(Entry::new(actor, "visit.record", visit).detail(detail));
        let cause = Cause { by: actor, now, reason: "探视记录变更" };
        presence::settle_in_tx(c, &entrance, &place, injury.person_id, cause, &mut left)?;
        let view = view(c, visit)?;
        audit::append_in_tx(c, now, left.entries)?;
        Stored::done(1, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

fn view(conn: &mut Conn, id: VisitId) -> Result<VisitView> {
    let (visit, _) = store::visit_get(conn, id)?;
    let (session, found) = crate::offering::store::session_get(conn, visit.session_id)?;
    let photos = photos::of(conn, id)?;
    VisitView::new((visit, found.activity.id, session.state), photos)
}

/// Why a visit is taken back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "登记错误，当日未探视"}))]
pub struct VisitUndoInput {
    /// Why; kept in the ledger, so without names, numbers and illnesses.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Take a visit back / 撤销探视记录
///
/// It stays as history and counts no more. Where another visit of the session stands, the person stays present, as that one says.
/// Refused with `state_forbids` when it is undone already.
#[utoipa::path(
    tag = "visits", operation_id = "visit_undo", security(("bearer" = ["visit:undo"])),
    params(("id" = VisitId, Path, description = "The visit"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = VisitUndoInput,
    responses((status = 200, description = "The visit, undone", body = VisitView)),
)]
#[post("/api/v1/visits/{id}/undoings")]
pub async fn visit_undo(
    platform: Data<Platform>,
    entrance: Data<Entrance>,
    guard: Guard<VisitUndo>,
    id: ApiPath<VisitId>,
    body: Idempotent<VisitUndoInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (entrance, reason) = (Entrance::clone(&entrance), body.body.reason);
    let act = move |c: &mut Conn| {
        let (visit, (injury, looks_after)) = store::visit_get(c, id)?;
        scope.require(&looks_after.path)?;
        let place = days::locked_in_tx(c, visit.session_id)?;
        if !store::visit_undo_in_tx(c, id, actor, &reason, now)? {
            return Err(Error::new(Code::StateForbids).detail("该记录已撤销", "This visit is undone already"));
        }
        let mut left = Left::default();
        left.entries.push(Entry::new(actor, "visit.undo", id).detail(json!({ "injury": injury.id })));
        // What a cancelled session held counts no more already, and nobody comes in there.
        if place.session.state != SessionState::Cancelled {
            let cause = Cause { by: actor, now, reason: &reason };
            presence::settle_in_tx(c, &entrance, &place, injury.person_id, cause, &mut left)?;
        }
        let view = view(c, id)?;
        audit::append_in_tx(c, now, left.entries)?;
        Stored::done(visit.version + 1, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}

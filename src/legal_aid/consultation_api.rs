//! Consultations over HTTP.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::consultations::{self, Consultation, ConsultationWay};
use super::model::Category;
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ConsultationId, OrganisationId, PersonId};
use crate::org;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalIntake, LegalStatistics};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::Vault;
use crate::policy;

/// Days of one count at most.
const LONGEST: Days = Days::new(366);
/// Below this, a figure is not told.
const SMALL: &str = "plan.small_count";

/// Advice that was given.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn",
    "held_on": "2025-06-16",
    "way": "phone",
    "category": "labour_dispute"
}))]
pub struct ConsultationInput {
    /// Who gave it: an organisation of one's own.
    pub organisation_id: OrganisationId,
    /// On which day: today or before.
    pub held_on: NaiveDate,
    /// How people came.
    pub way: ConsultationWay,
    /// What it was about.
    pub category: Category,
    /// How many people were advised; one where it is not said. More than one at an event only.
    #[schema(minimum = 1, maximum = 1000)]
    pub quantity: Option<i64>,
    /// For oneself. Kept sealed.
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

/// Advice that was given, as it is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConsultationView {
    /// Its id.
    pub id: ConsultationId,
    /// Who gave it.
    pub organisation_id: OrganisationId,
    /// On which day.
    pub held_on: NaiveDate,
    /// How people came.
    pub way: ConsultationWay,
    /// What it was about.
    pub category: Category,
    /// How many people were advised.
    pub quantity: i64,
    /// What one noted for oneself; absent of what others recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub note: Option<String>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Since when it is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<DateTime<Utc>>,
}

impl ConsultationView {
    fn new(row: &Consultation, note: Option<String>) -> Self {
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            held_on: row.held_on,
            way: row.way,
            category: row.category,
            quantity: row.quantity,
            note,
            recorded_at: row.recorded_at.and_utc(),
            undone_at: row.undone_at.map(|at| at.and_utc()),
        }
    }

    /// As `reader` sees it.
    fn of(row: &Consultation, reader: PersonId, vault: &Vault) -> Result<Self> {
        let note = if row.recorded_by == reader { row.note(vault)? } else { None };
        Ok(Self::new(row, note))
    }
}

/// Record a consultation / 登记法律咨询
///
/// Counted apart from cases: no consultation counts for 11c. The answer does not repeat the note.
#[utoipa::path(
    tag = "legal", operation_id = "legal_consultation_record", security(("bearer" = ["legal:intake"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ConsultationInput,
    responses((status = 201, description = "Recorded", body = ConsultationView)),
)]
#[post("/api/v1/legal-consultations")]
pub async fn legal_consultation_record(
    platform: Data<Platform>,
    guard: Guard<LegalIntake>,
    body: Idempotent<ConsultationInput>,
) -> Result<Stored> {
    let (now, person, scope) = (platform.clock.now(), guard.person(), guard.scope().clone());
    let (id, vault, input) = (platform.ids.id(), platform.vault.clone(), body.body);
    let quantity = input.quantity.unwrap_or(1);
    check(&input, quantity, civil_day(now))?;
    let act = move |c: &mut Conn| {
        let of = org::store::get(c, input.organisation_id).and_then(|of| scope.require(&of.path));
        of.map_err(|error| unknown(error, &input))?;
        let note = input.note.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let row = Consultation {
            id,
            organisation_id: input.organisation_id,
            held_on: input.held_on,
            way: input.way,
            category: input.category,
            quantity,
            note_sealed: note.map(|text| Consultation::seal(&vault, id, text)).transpose()?,
            recorded_by: person,
            recorded_at: db_time(now),
            undone_at: None,
        };
        consultations::record_in_tx(c, &row)?;
        let detail = json!({ "quantity": quantity, "way": row.way });
        let entry = Entry::new(person, "legal_consultation.record", id).detail(detail);
        audit::append_in_tx(c, now, vec![entry])?;
        Stored::created("/api/v1/legal-consultations".to_owned(), 1, &ConsultationView::new(&row, None))
    };
    platform.idempotency.run(person, body.key, act).await
}

/// It is the field that is wrong where the organisation is none of the caller's.
fn unknown(error: Error, input: &ConsultationInput) -> Error {
    if error.code() != Code::NotFound {
        return error;
    }
    let id = input.organisation_id;
    let text = Text::new(format!("没有此单位：{id}"), format!("there is no such organisation: {id}"));
    Error::invalid(vec![Fault::new("/organisation_id", "unknown", text)])
}

fn check(input: &ConsultationInput, quantity: i64, today: NaiveDate) -> Result<()> {
    let mut faults = Vec::new();
    if input.held_on > today {
        faults.push(Fault::new("/held_on", "future", Text::new("不能晚于今天", "must not be after today")));
    }
    if quantity != 1 && input.way != ConsultationWay::Event {
        let text = Text::new("只有现场咨询活动可以一次登记多人", "more than one person at an event only");
        faults.push(Fault::new("/quantity", "event_only", text));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// List consultations, newest first / 查看法律咨询登记
#[utoipa::path(
    tag = "legal", operation_id = "legal_consultation_list", security(("bearer" = ["legal:intake"])), params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ConsultationView>)),
)]
#[get("/api/v1/legal-consultations")]
pub async fn legal_consultation_list(
    platform: Data<Platform>,
    guard: Guard<LegalIntake>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<ConsultationView>>> {
    let before = platform.cursors.open("legal-consultations", &query.0)?;
    let (patterns, limit) = (guard.scope().patterns().collect(), query.0.limit() + 1);
    let (person, vault) = (guard.person(), platform.vault.clone());
    let views = platform
        .db
        .read(move |c| {
            let rows = consultations::list(c, patterns, before, limit)?;
            rows.iter().map(|row| ConsultationView::of(row, person, &vault)).collect::<Result<Vec<_>>>()
        })
        .await?;
    Ok(Reply::new(platform.cursors.page("legal-consultations", &query.0, views, |view| view.id)?).secret())
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ConsultationUndoInput {}

/// Take back a consultation that one recorded / 撤销法律咨询登记
#[utoipa::path(
    tag = "legal", operation_id = "legal_consultation_undo", security(("bearer" = ["legal:intake"])),
    params(("id" = ConsultationId, Path, description = "The consultation"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ConsultationUndoInput,
    responses((status = 200, description = "Undone", body = ConsultationView)),
)]
#[post("/api/v1/legal-consultations/{id}/undoings")]
pub async fn legal_consultation_undo(
    platform: Data<Platform>,
    guard: Guard<LegalIntake>,
    id: ApiPath<ConsultationId>,
    body: Idempotent<ConsultationUndoInput>,
) -> Result<Stored> {
    let (now, person, id) = (platform.clock.now(), guard.person(), id.0);
    let act = move |c: &mut Conn| {
        let row = consultations::undo_in_tx(c, person, id, now)?;
        audit::append_in_tx(c, now, vec![Entry::new(person, "legal_consultation.undo", id)])?;
        Stored::done(2, &ConsultationView::new(&row, None))
    };
    platform.idempotency.run(person, body.key, act).await
}

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConsultationCountQuery {
    /// The first day.
    #[param(inline)]
    pub from: NaiveDate,
    /// The last day: a year after the first at most.
    #[param(inline)]
    pub to: NaiveDate,
}

/// How many people were advised about something.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationCount {
    /// What about.
    pub category: Category,
    /// How they came.
    pub way: ConsultationWay,
    /// How many; absent where it is fewer than the policy `plan.small_count` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub people: Option<i64>,
}

/// How many people were advised.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationCounts {
    /// By what about and by how they came.
    #[schema(max_items = 100)]
    pub items: Vec<ConsultationCount>,
    /// All together; absent where it is few, or where one small figure could be worked out from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub people: Option<i64>,
}

impl ConsultationCounts {
    /// Without what tells of fewer than `small` people.
    fn new(rows: Vec<(Category, ConsultationWay, i64)>, small: i64) -> Self {
        let all: i64 = rows.iter().map(|(.., people)| people).sum();
        let told = |people: i64| Some(people).filter(|people| *people >= small);
        let items: Vec<ConsultationCount> = rows
            .into_iter()
            .map(|(category, way, people)| ConsultationCount { category, way, people: told(people) })
            .collect();
        let hidden = items.iter().filter(|item| item.people.is_none()).count();
        Self { people: told(all).filter(|_| hidden != 1), items }
    }
}

/// Count consultations / 法律咨询统计
///
/// Of one's own subtrees, without names and without small figures. Consultations are no cases: these figures are in no figure of 11c.
#[utoipa::path(
    tag = "legal", operation_id = "legal_consultation_counts", security(("bearer" = ["legal:statistics"])),
    params(ConsultationCountQuery),
    responses((status = 200, description = "The counts", body = ConsultationCounts)),
)]
#[get("/api/v1/legal-consultation-counts")]
pub async fn legal_consultation_counts(
    platform: Data<Platform>,
    guard: Guard<LegalStatistics>,
    query: ApiQuery<ConsultationCountQuery>,
) -> Result<Reply<ConsultationCounts>> {
    let ConsultationCountQuery { from, to } = query.0;
    if to < from || from.checked_add_days(LONGEST).is_none_or(|end| to > end) {
        let text = Text::new("起止日期应先后有序，且不超过一年", "from before to, and a year at most");
        return Err(Error::parameter(Code::QueryInvalid, Fault::new("to", "range", text)));
    }
    let (patterns, today) = (guard.scope().patterns().collect(), civil_day(platform.clock.now()));
    let (rows, small) = platform
        .db
        .read(move |c| {
            let small = policy::store::number_on(c, SMALL, today)?;
            Ok((consultations::counts(c, patterns, (from, to))?, small))
        })
        .await?;
    Ok(Reply::new(ConsultationCounts::new(rows, small)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_people_are_not_told_of() {
        let row = |category, people| (category, ConsultationWay::Phone, people);
        let one = ConsultationCounts::new(vec![row(Category::Rights, 9), row(Category::Other, 2)], 3);
        assert_eq!(one.items.iter().map(|item| item.people).collect::<Vec<_>>(), [Some(9), None]);
        assert_eq!(one.people, None, "two could be worked out");
        let rows = vec![row(Category::Rights, 9), row(Category::Other, 2), row(Category::UnionBody, 1)];
        assert_eq!(ConsultationCounts::new(rows, 3).people, Some(12));
        assert_eq!(ConsultationCounts::new(vec![row(Category::Other, 2)], 3).people, None);
        assert_eq!(ConsultationCounts::new(Vec::new(), 3).people, None);
    }
}

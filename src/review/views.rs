//! What is shown of a request: to the desk, and to whoever made it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::chain::{Answers, FormField, ReviewKind};
use super::deciding::Desk;
use super::model::{EVENT_TEXT, EventKind, Happened, Reason, Review, ReviewState, Stage, StageState};
use super::queue::Line;
use super::rules::Urgency;
use super::{stages, store};
use crate::clock::shanghai;
use crate::error::{Error, Result};
use crate::ids::{OrganisationId, PersonId, ReviewId, StageId};
use crate::org::model::Organisation;
use crate::people;
use crate::platform::db::Conn;
use crate::platform::vault::mask;

/// An instant as people read it, in Shanghai.
pub fn instant(at: DateTime<Utc>) -> String {
    at.with_timezone(&shanghai()).format("%-m月%-d日 %H:%M").to_string()
}

/// The last minute before `at`: the end of a day is said as that day's.
pub fn shown(at: DateTime<Utc>) -> String {
    instant(at - chrono::TimeDelta::seconds(1))
}

/// The same in English: `2025-06-23 23:59`.
fn shown_in_english(at: DateTime<Utc>) -> String {
    let last = at - chrono::TimeDelta::seconds(1);
    last.with_timezone(&shanghai()).format("%F %H:%M").to_string()
}

/// How urgent a stage is.
pub fn urgency(due: Option<DateTime<Utc>>, amber: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Urgency {
    if due.is_some_and(|due| due <= now) {
        Urgency::Red
    } else if amber.is_some_and(|amber| amber <= now) {
        Urgency::Amber
    } else {
        Urgency::Green
    }
}

/// One body's part.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StageView {
    /// Its id.
    pub id: StageId,
    /// From 1; those with the same number sign together.
    #[schema(minimum = 1, maximum = 40)]
    pub number: i64,
    /// For people.
    #[schema(max_length = 60, example = "街道复核")]
    pub name: String,
    /// Who decides.
    pub body_id: OrganisationId,
    /// Who decides.
    #[schema(max_length = 60, example = "平湖街道")]
    pub body_name: String,
    /// Where in its life it is.
    pub state: StageState,
    /// Why it was left out: `amount`, `no_body`, `same_body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub skipped_because: Option<String>,
    /// When it is to be decided; none while the clock stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// How urgent it is, of one that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    /// When its term ran out undecided. It stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breached_at: Option<DateTime<Utc>>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

fn stage(stage: &Stage, bodies: &HashMap<OrganisationId, Organisation>, now: DateTime<Utc>) -> StageView {
    let (due, amber) = (stage.due_at.map(|at| at.and_utc()), stage.amber_at.map(|at| at.and_utc()));
    StageView {
        id: stage.id,
        number: stage.number,
        name: stage.name.clone(),
        body_id: stage.body_id,
        body_name: bodies.get(&stage.body_id).map(|body| body.short_name.clone()).unwrap_or_default(),
        state: stage.state,
        skipped_because: stage.skipped_because.clone(),
        due_at: due,
        urgency: (stage.state == StageState::Open).then(|| urgency(due, amber, now)),
        breached_at: stage.breached_at.map(|at| at.and_utc()),
        decided_at: stage.decided_at.map(|at| at.and_utc()),
    }
}

/// A request, as the desk sees it before it opens the file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReviewView {
    /// Its id.
    pub id: ReviewId,
    /// What it is about.
    pub kind: ReviewKind,
    /// For people.
    #[schema(max_length = 140, example = "清远疗休养（平湖）")]
    pub title: String,
    /// Who asks.
    pub applicant_id: PersonId,
    /// Who asks, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub applicant_masked: Option<String>,
    /// Over how much, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 10_000_000_000_i64)]
    pub amount_fen: Option<i64>,
    /// Where in its life it is.
    pub state: ReviewState,
    /// Every stage, in order.
    #[schema(max_items = 40)]
    pub stages: Vec<StageView>,
    /// Keys of the fields that are missing, of one that was returned.
    #[schema(max_items = 40)]
    pub missing: Vec<String>,
    /// How often it was returned.
    #[schema(minimum = 0, maximum = 1000)]
    pub returns: i64,
    /// Until when the applicant may supply what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplement_due_at: Option<DateTime<Utc>>,
    /// What it appeals against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appeal_of: Option<ReviewId>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// Counts changes: what a decision in bulk names.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub version: i64,
}

/// The view of `review`.
pub fn review(conn: &mut Conn, review: &Review, now: DateTime<Utc>) -> Result<ReviewView> {
    let all = stages::of(conn, review.id)?;
    let bodies = store::bodies(conn, &all.iter().map(|one| one.body_id).collect::<Vec<_>>())?;
    let name = people::store::get(conn, review.applicant_id)?.name;
    Ok(ReviewView {
        id: review.id,
        kind: review.kind,
        title: review.title.clone(),
        applicant_id: review.applicant_id,
        applicant_masked: name.as_deref().map(mask::name),
        amount_fen: review.amount_fen,
        state: review.state,
        stages: all.iter().map(|one| stage(one, &bodies, now)).collect(),
        missing: missing(review)?,
        returns: review.returns,
        supplement_due_at: review.supplement_due_at.map(|at| at.and_utc()),
        appeal_of: review.appeal_of,
        opened_at: review.opened_at.and_utc(),
        decided_at: review.decided_at.map(|at| at.and_utc()),
        version: review.version,
    })
}

fn missing(review: &Review) -> Result<Vec<String>> {
    serde_json::from_str(&review.missing).map_err(Error::internal)
}

/// A line of the queue.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueueLine {
    /// The request.
    pub review_id: ReviewId,
    /// The stage that waits.
    pub stage_id: StageId,
    /// What it is about.
    pub kind: ReviewKind,
    /// For people.
    #[schema(max_length = 140, example = "清远疗休养（平湖）")]
    pub title: String,
    /// Who asks, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub applicant_masked: Option<String>,
    /// What the stage is called.
    #[schema(max_length = 60, example = "街道复核")]
    pub stage_name: String,
    /// Who decides.
    pub body_id: OrganisationId,
    /// Where in its life the request is.
    pub state: ReviewState,
    /// When it is due: by the desk, or by the applicant where it was returned.
    pub due_at: DateTime<Utc>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Whether its term has run out before.
    pub breached: bool,
    /// Who works at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<PersonId>,
    /// When the request was opened.
    pub opened_at: DateTime<Utc>,
    /// Counts changes of the request.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub version: i64,
}

impl QueueLine {
    /// The line.
    pub fn new(line: Line, now: DateTime<Utc>) -> Self {
        let Line { queued, review, stage, applicant } = line;
        let claimed = stage.claimed_until.is_none_or(|until| until.and_utc() > now);
        Self {
            review_id: review.id,
            stage_id: stage.id,
            kind: review.kind,
            title: review.title,
            applicant_masked: applicant.as_deref().map(mask::name),
            stage_name: stage.name,
            body_id: stage.body_id,
            state: review.state,
            due_at: queued.due_at.and_utc(),
            urgency: urgency(Some(queued.due_at.and_utc()), Some(queued.amber_at.and_utc()), now),
            breached: stage.breached_at.is_some(),
            claimed_by: stage.claimed_by.filter(|_| claimed),
            opened_at: review.opened_at.and_utc(),
            version: review.version,
        }
    }
}

/// A written reason.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReasonView {
    /// Names it.
    #[schema(max_length = 40, example = "not_eligible")]
    pub code: String,
    /// For people.
    #[schema(max_length = 200, example = "不符合申请条件")]
    pub text: String,
    /// The rule that it rests on.
    #[schema(max_length = 200, example = "本活动报名须知第三条")]
    pub basis: String,
}

impl From<&Reason> for ReasonView {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code.clone(), text: reason.text.clone(), basis: reason.basis.clone() }
    }
}

/// Something that happened to a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventView {
    /// What.
    pub kind: EventKind,
    /// At which stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_id: Option<StageId>,
    /// By whom; the applicant is not told of officers by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<PersonId>,
    /// In whose stead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<PersonId>,
    /// Reasons of the catalogue.
    #[schema(max_items = 10)]
    pub reasons: Vec<ReasonView>,
    /// What was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub text: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The events of `review` with what was written.
pub fn events(conn: &mut Conn, desk: &Desk, review: &Review) -> Result<Vec<EventView>> {
    use secrecy::ExposeSecret;
    let catalogue = store::reasons(conn, review.kind)?;
    let named = |event: &Happened| -> Result<Vec<ReasonView>> {
        let codes: Vec<String> = serde_json::from_str(&event.reasons).map_err(Error::internal)?;
        Ok(catalogue.iter().filter(|reason| codes.contains(&reason.code)).map(ReasonView::from).collect())
    };
    let mut views = Vec::new();
    for event in store::events(conn, review.id)? {
        let text = match &event.text_sealed {
            Some(sealed) => {
                let plain =
                    desk.vault.open(EVENT_TEXT, event.id.0.as_bytes(), sealed).map_err(Error::internal)?;
                Some(plain.expose_secret().to_owned())
            }
            None => None,
        };
        views.push(EventView {
            kind: event.kind,
            stage_id: event.stage_id,
            actor_id: event.actor_id,
            on_behalf_of: event.on_behalf_of,
            reasons: named(&event)?,
            text,
            at: event.at.and_utc(),
        });
    }
    Ok(views)
}

/// A request with its file: what was answered and what was written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReviewFile {
    /// The request.
    #[serde(flatten)]
    pub review: ReviewView,
    /// What the applicant was asked for.
    #[schema(max_items = 40)]
    pub fields: Vec<FormField>,
    /// What they answered, by field.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub form: Answers,
    /// What happened, in order.
    #[schema(max_items = 1000)]
    pub events: Vec<EventView>,
}

/// The file of `review`.
pub fn file(conn: &mut Conn, desk: &Desk, row: &Review, now: DateTime<Utc>) -> Result<ReviewFile> {
    Ok(ReviewFile {
        review: review(conn, row, now)?,
        fields: store::chain_of(conn, row)?.definition.form,
        form: desk.answers(row)?,
        events: events(conn, desk, row)?,
    })
}

/// A request, as whoever made it sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MyReviewView {
    /// The request with its file.
    #[serde(flatten)]
    pub file: ReviewFile,
    /// Where it stands, what comes next and by when, in plain Chinese.
    #[schema(
        max_length = 400,
        example = "您的申请正由平湖街道审核，最迟6月23日 23:59前答复；之后由区总工会审核。"
    )]
    pub standing: String,
    /// The same in English.
    #[schema(max_length = 600)]
    pub standing_en: String,
    /// Until when a rejection may be appealed against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appeal_until: Option<DateTime<Utc>>,
}

/// What the applicant is told of where `view` stands.
pub fn standing(
    view: &ReviewView,
    fields: &[FormField],
    appeal_until: Option<DateTime<Utc>>,
) -> (String, String) {
    let open: Vec<&StageView> = view.stages.iter().filter(|stage| stage.state == StageState::Open).collect();
    let names: Vec<&str> = open.iter().map(|stage| stage.body_name.as_str()).collect();
    let due = open.iter().filter_map(|stage| stage.due_at).max();
    let next = view.stages.iter().find(|stage| stage.state == StageState::Pending);
    match view.state {
        ReviewState::Open => {
            let bodies = names.join("、");
            let by = due.map(|due| format!("，最迟{}前答复", shown(due))).unwrap_or_default();
            let then = next.map_or("，这是最后一个环节。".to_owned(), |next| format!("；之后由{}审核。", next.body_name));
            let by_en = due.map(|due| format!(", at the latest by {}", shown_in_english(due))).unwrap_or_default();
            let then_en =
                next.map_or(". This is the last stage.".to_owned(), |next| format!("; then by {}.", next.body_name));
            (
                format!("您的申请正由{bodies}审核{by}{then}"),
                format!("Your request is being reviewed by {bodies}{by_en}{then_en}"),
            )
        }
        ReviewState::Returned => {
            let label = |key: &String| fields.iter().find(|field| &field.key == key).map_or(key.clone(), |field| field.label.clone());
            let what = view.missing.iter().map(label).collect::<Vec<_>>().join("、");
            let by = view.supplement_due_at.map(shown).unwrap_or_default();
            let by_en = view.supplement_due_at.map(shown_in_english).unwrap_or_default();
            (
                format!("您的申请需要补正：{what}。请于{by}前补齐，逾期视为撤回；补正期间审核期限暂停计算。"),
                format!("Please supply what is missing ({what}) by {by_en}; otherwise the request counts as withdrawn. The clock stands meanwhile."),
            )
        }
        ReviewState::Approved => ("您的申请已通过。".into(), "Your request is approved.".into()),
        ReviewState::Rejected => match appeal_until {
            Some(until) => (
                format!("您的申请未通过，理由见下。如有异议，可于{}前申诉，由其他人员复核。", shown(until)),
                format!("Your request is rejected for the reasons below. You may appeal until {}; somebody else will decide.", shown_in_english(until)),
            ),
            None => ("您的申请未通过，理由见下。".into(), "Your request is rejected for the reasons below.".into()),
        },
        ReviewState::Withdrawn => ("您的申请已撤回，可以重新申请。".into(), "Your request is withdrawn; you may apply anew.".into()),
        ReviewState::Lapsed => (
            "您未在期限内补正，申请视为撤回，可以重新申请。".into(),
            "What was missing was not supplied in time; the request counts as withdrawn, and you may apply anew.".into(),
        ),
    }
}

/// The view for whoever made it. Officers are not named.
pub fn mine(conn: &mut Conn, desk: &Desk, row: &Review, now: DateTime<Utc>) -> Result<MyReviewView> {
    let mut file = file(conn, desk, row, now)?;
    for event in &mut file.events {
        event.on_behalf_of = None;
        event.actor_id = event.actor_id.filter(|actor| *actor == row.applicant_id);
    }
    let appeal_until = desk.appeal_until(conn, row, now)?;
    let (standing, standing_en) = standing(&file.review, &file.fields, appeal_until);
    Ok(MyReviewView { file, standing, standing_en, appeal_until })
}

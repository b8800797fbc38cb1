//! The acts: opening a request, deciding about it, and what follows. Each runs in its caller's transaction and leaves messages,
//! jobs and audit entries in a [`Beside`]. The subject is locked before the review, the review before its stages.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::chain::{self, Answers, Bodies, ReviewKind};
use super::clocks;
use super::machine::{self, ReviewEvent};
use super::model::{
    EVENT_TEXT, EventKind, FORM, Happened, Reason, ReasonFor, Review, ReviewState, Stage, StageState,
};
use super::rules::{Right, Seat};
use super::subject::{Refused, Subjects};
use super::{leave, papers, stages, store, views};
use crate::clock::{SharedClock, civil_day, db_time};
use crate::content::checking::Checks;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{Ids, OrganisationId, PersonId, ReviewId, SubjectId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::vault::Vault;
use crate::{org, people};

/// What the acts work with.
#[derive(Clone)]
pub struct Desk {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Seals answers and texts.
    pub vault: Vault,
    /// Who learns of decisions.
    pub subjects: Subjects,
    /// Has what is written checked.
    pub checks: Checks,
}

/// A request to open.
#[derive(Debug)]
pub struct Opening {
    /// What it is about.
    pub kind: ReviewKind,
    /// Codes of chains: the first that is in force is taken.
    pub chains: Vec<String>,
    /// The row that it is about.
    pub subject: SubjectId,
    /// For people.
    pub title: String,
    /// Who asks.
    pub applicant: PersonId,
    /// What they answer.
    pub answers: Answers,
    /// Where the chain begins; the applicant's workplace when none.
    pub at: Option<OrganisationId>,
}

/// What is decided.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// 通过.
    Approve,
    /// 不通过.
    Reject,
    /// 退回补正: these fields are missing.
    Return(Vec<String>),
}

/// A decision.
#[derive(Debug, Clone)]
pub struct Deciding {
    /// About which review.
    pub review: ReviewId,
    /// Of this version of it.
    pub version: i64,
    /// What.
    pub verdict: Verdict,
    /// Codes of the catalogue.
    pub reasons: Vec<String>,
    /// In the officer's words, for the applicant.
    pub text: Option<String>,
}

/// Who decides: the person, and where they may.
#[derive(Debug, Clone)]
pub struct Officer {
    /// Who.
    pub person: PersonId,
    /// Where, and for whom.
    pub rights: Vec<Right>,
}

impl Officer {
    /// Whether any of the stages is at a body of theirs, or below one.
    pub fn sees(&self, paths: &[String]) -> bool {
        paths.iter().any(|path| self.rights.iter().any(|right| path.starts_with(right.path.as_str())))
    }
}

impl Desk {
    /// Opens a request: its chain is the one in force today, its bodies those above the applicant's workplace.
    ///
    /// # Errors
    /// All fields of the form that are missing or wrong.
    pub fn open_in_tx(
        &self,
        conn: &mut Conn,
        opening: Opening,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        self.open_led_in_tx(conn, opening, Vec::new(), now, beside)
    }

    /// [`Self::open_in_tx`] of something that departments lead: codes of those that sign where the chain says `leads`.
    pub fn open_led_in_tx(
        &self,
        conn: &mut Conn,
        opening: Opening,
        leads: Vec<String>,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        let chain = store::chain_on(conn, &opening.chains, civil_day(now))?;
        let form = &chain.definition.form;
        chain::check(form, &opening.answers, None)?;
        let person = people::store::get(conn, opening.applicant)?;
        let employer = opening.at.or(person.workplace_id);
        let amount = chain::amount(form, &opening.answers);
        let bodies = Bodies { leads, ..bodies_above(conn, employer)? };
        let planned = chain::plan(&chain.definition, &bodies, amount)?;
        let id: ReviewId = self.ids.id();
        papers::attach_in_tx(conn, form, &opening.answers, opening.applicant, id, now)?;
        let review = Review {
            id,
            kind: opening.kind,
            chain: chain.row.code.clone(),
            chain_from: chain.row.effective_from,
            subject_id: opening.subject,
            title: opening.title,
            applicant_id: opening.applicant,
            employer_id: employer,
            amount_fen: amount,
            state: ReviewState::Open,
            step: 0,
            form_sealed: self.sealed_form(id, &opening.answers)?,
            missing: "[]".into(),
            returns: 0,
            supplement_due_at: None,
            appeal_of: None,
            root_id: id,
            opened_at: db_time(now),
            decided_at: None,
            version: 1,
        };
        self.checked_in_tx(conn, form, &opening.answers, &review, now)?;
        self.begin_in_tx(conn, review, planned, now, beside)
    }

    /// Inserts a review with its stages, and opens the first.
    pub(super) fn begin_in_tx(
        &self,
        conn: &mut Conn,
        mut review: Review,
        planned: Vec<chain::Planned>,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        if !store::insert_in_tx(conn, &review)? {
            return Err(Error::new(Code::ReviewLive));
        }
        let rows = self.rows(&review, planned);
        stages::insert_in_tx(conn, &rows)?;
        stages::note_in_tx(
            conn,
            &self.ids,
            review.id,
            None,
            EventKind::Opened,
            Some(review.applicant_id),
            now,
        )?;
        let first = stages::open_next_in_tx(conn, &self.ids, &review, 0, now, beside)?
            .ok_or_else(|| Error::internal("a request that nobody decides"))?;
        let before = review.clone();
        review.step = first;
        store::update_in_tx(conn, &before, &review)?;
        let detail = json!({ "kind": review.kind, "chain": review.chain, "appeal_of": review.appeal_of });
        beside.entries.push(Entry::new(review.applicant_id, "review.open", review.id).detail(detail));
        Ok(review)
    }

    /// The stages of a review as they are planned: none of them is open.
    pub(super) fn rows(&self, review: &Review, planned: Vec<chain::Planned>) -> Vec<Stage> {
        planned
            .into_iter()
            .filter_map(|one| {
                Some(Stage {
                    id: self.ids.id(),
                    review_id: review.id,
                    root_id: review.root_id,
                    number: one.number,
                    name: one.step.name,
                    body_id: one.body?,
                    rerouted_from: None,
                    employer_barred: one.step.employer_barred,
                    clock: one.step.clock,
                    state: if one.skipped.is_some() { StageState::Skipped } else { StageState::Pending },
                    skipped_because: one.skipped.map(|why| why.to_string()),
                    applicant_id: review.applicant_id,
                    opened_at: None,
                    due_at: None,
                    amber_at: None,
                    trail: None,
                    warned_at: None,
                    breached_at: None,
                    claimed_by: None,
                    claimed_until: None,
                    decided_by: None,
                    on_behalf_of: None,
                    decided_at: None,
                })
            })
            .collect()
    }

    /// Decides at the stage that is the officer's.
    ///
    /// # Errors
    /// 404 for a request of other bodies; 412 with the current state when somebody was faster; `review_not_yours`,
    /// `review_recused`, `second_officer_required`, `review_claimed` by who decides; `validation_failed` and
    /// `review_leave_needed` by what; and what the subject says, such as `signup_full`.
    pub fn decide_in_tx(
        &self,
        conn: &mut Conn,
        officer: &Officer,
        deciding: &Deciding,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        let (review, all) = self.locked_in_tx(conn, officer, deciding.review)?;
        if review.version != deciding.version {
            return Err(self.stale(conn, &review)?);
        }
        let event = match deciding.verdict {
            Verdict::Approve => ReviewEvent::Approve,
            Verdict::Reject => ReviewEvent::Reject,
            Verdict::Return(_) => ReviewEvent::Return,
        };
        machine::transition(event, review.state)?;
        let (stage, seat) = self.stage_of(conn, officer, &review, &all, now)?;
        let written = self.written(conn, &review, deciding)?;
        let kind = match &deciding.verdict {
            Verdict::Approve => EventKind::Approved,
            Verdict::Reject => EventKind::Rejected,
            Verdict::Return(_) => EventKind::Returned,
        };
        self.note_in_tx(conn, &review, Some(&stage), kind, (officer.person, seat), deciding, now)?;
        let after = match &deciding.verdict {
            Verdict::Approve => {
                stages::decide_in_tx(
                    conn,
                    &stage,
                    StageState::Approved,
                    officer.person,
                    seat.on_behalf_of(),
                    now,
                )?;
                self.approve_in_tx(conn, &review, &all, &stage, now, beside)?
            }
            Verdict::Reject => {
                stages::decide_in_tx(
                    conn,
                    &stage,
                    StageState::Rejected,
                    officer.person,
                    seat.on_behalf_of(),
                    now,
                )?;
                self.refuse_in_tx(conn, &review, Refused::Rejected, now, beside)?
            }
            Verdict::Return(missing) => self.return_in_tx(conn, &review, missing, officer.person, now)?,
        };
        tell(&after, &deciding.verdict, &written, beside);
        let action = match deciding.verdict {
            Verdict::Approve => "review.approve",
            Verdict::Reject => "review.reject",
            Verdict::Return(_) => "review.return",
        };
        let detail = json!({
            "stage": stage.id, "reasons": deciding.reasons, "on_behalf_of": seat.on_behalf_of(), "state": after.state,
        });
        beside.entries.push(Entry::new(officer.person, action, review.id).detail(detail));
        Ok(after)
    }

    /// The review and its stages, locked with what they are about; 404 where the officer has nothing to do with it.
    pub(super) fn locked_in_tx(
        &self,
        conn: &mut Conn,
        officer: &Officer,
        id: ReviewId,
    ) -> Result<(Review, Vec<Stage>)> {
        let seen = store::get(conn, id)?;
        let all = stages::of(conn, id)?;
        if !officer.sees(&paths(conn, &all)?) {
            return Err(Error::not_found());
        }
        self.subjects.of(seen.kind)?.lock_in_tx(conn, seen.subject_id)?;
        let review = store::lock_in_tx(conn, id)?;
        let all = stages::of(conn, id)?;
        Ok((review, all))
    }

    fn stale(&self, conn: &mut Conn, review: &Review) -> Result<Error> {
        let (zh, en) = review.state.words();
        let now = self.clock.now();
        let current = views::review(conn, review, now)?;
        Ok(Error::new(Code::PreconditionFailed)
            .detail(
                format!("该申请现为“{zh}”，请重新读取后再办理"),
                format!("This request is now {en}; read it again"),
            )
            .current(serde_json::to_value(current).map_err(Error::internal)?))
    }

    /// The reasons that a decision names, as they stand in the catalogue.
    fn written(&self, conn: &mut Conn, review: &Review, deciding: &Deciding) -> Result<Vec<Reason>> {
        let named = match deciding.verdict {
            Verdict::Approve if deciding.reasons.is_empty() => return Ok(Vec::new()),
            Verdict::Approve => Err(("/reasons", "unknown", "通过无须理由", "An approval names no reasons")),
            _ if deciding.reasons.is_empty() => Err((
                "/reasons",
                "required",
                "请从理由目录中选择",
                "Name at least one reason of the catalogue",
            )),
            Verdict::Reject => Ok(ReasonFor::Reject),
            Verdict::Return(_) => Ok(ReasonFor::Return),
        };
        match named {
            Ok(decision) => store::reasons_named(conn, review.kind, decision, &deciding.reasons),
            Err((pointer, code, zh, en)) => {
                Err(Error::invalid(vec![Fault::new(pointer, code, Text::new(zh, en))]))
            }
        }
    }

    /// A stage is approved: the others of its step are still to sign, or the next step opens, or it is the last.
    fn approve_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        all: &[Stage],
        stage: &Stage,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        let mut after = Review { version: review.version + 1, ..review.clone() };
        let others = all.iter().any(|one| one.id != stage.id && one.state == StageState::Open);
        if !others {
            match stages::open_next_in_tx(conn, &self.ids, review, stage.number, now, beside)? {
                Some(number) => after.step = number,
                None => {
                    after.state = machine::transition(ReviewEvent::Approve, review.state)?;
                    after.decided_at = Some(db_time(now));
                }
            }
        }
        store::update_in_tx(conn, review, &after)?;
        if after.state == ReviewState::Approved {
            let subject = self.subjects.of(review.kind)?;
            let detail = subject.approved_in_tx(conn, &after, now, beside)?;
            beside.messages.push(message(&after, NoticeKind::ReviewApproved, detail));
        }
        Ok(after)
    }

    /// The request ends without what it asked for.
    pub(super) fn refuse_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        let event = match why {
            Refused::Rejected => ReviewEvent::Reject,
            Refused::Withdrawn => ReviewEvent::Withdraw,
            Refused::Lapsed => ReviewEvent::Lapse,
        };
        let after = Review {
            state: machine::transition(event, review.state)?,
            decided_at: Some(db_time(now)),
            supplement_due_at: None,
            version: review.version + 1,
            ..review.clone()
        };
        stages::end_in_tx(conn, review.id)?;
        store::update_in_tx(conn, review, &after)?;
        // An appeal that is refused changes nothing: its subject was refused before.
        if review.appeal_of.is_none() {
            self.subjects.of(review.kind)?.refused_in_tx(conn, &after, why, now, beside)?;
        }
        Ok(after)
    }

    fn return_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        missing: &[String],
        actor: PersonId,
        now: DateTime<Utc>,
    ) -> Result<Review> {
        let form = store::chain_of(conn, review)?.definition.form;
        let unknown: Vec<Fault> = missing
            .iter()
            .enumerate()
            .filter(|(_, key)| !form.iter().any(|field| &field.key == *key))
            .map(|(place, _)| {
                let text = Text::new("表单中没有该项", "the form has no such field");
                Fault::new(format!("/missing/{place}"), "unknown", text)
            })
            .collect();
        if !unknown.is_empty() {
            return Err(Error::invalid(unknown));
        }
        if missing.is_empty() {
            let text = Text::new("请一次列明缺少的全部材料", "Name everything that is missing, once");
            return Err(Error::invalid(vec![Fault::new("/missing", "required", text)]));
        }
        // Whatever is missing is said once; again only with the leave of a superior.
        if review.returns > 0 && !leave::use_in_tx(conn, review.id, actor)? {
            return Err(Error::new(Code::ReviewLeaveNeeded));
        }
        let until = clocks::Clocks::load(conn, now)?.start(conn, "review.supplement", now)?.at;
        let mut keys = missing.to_vec();
        keys.sort();
        keys.dedup();
        let after = Review {
            state: machine::transition(ReviewEvent::Return, review.state)?,
            missing: serde_json::to_string(&keys).map_err(Error::internal)?,
            returns: review.returns + 1,
            supplement_due_at: Some(db_time(until)),
            version: review.version + 1,
            ..review.clone()
        };
        store::update_in_tx(conn, review, &after)?;
        stages::pause_in_tx(conn, &after, until, now)?;
        Ok(after)
    }

    #[expect(clippy::too_many_arguments, reason = "what one event says")]
    fn note_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        stage: Option<&Stage>,
        kind: EventKind,
        (actor, seat): (PersonId, Seat),
        deciding: &Deciding,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let id: crate::ids::ReviewEventId = self.ids.id();
        let text_sealed = match deciding.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => Some(self.vault.seal(EVENT_TEXT, id.0.as_bytes(), text).map_err(Error::internal)?),
            None => None,
        };
        let event = Happened {
            id,
            review_id: review.id,
            stage_id: stage.map(|stage| stage.id),
            kind,
            actor_id: Some(actor),
            on_behalf_of: seat.on_behalf_of(),
            reasons: serde_json::to_string(&deciding.reasons).map_err(Error::internal)?,
            text_sealed,
            at: db_time(now),
        };
        store::happened_in_tx(conn, &event)
    }

    /// The answers, sealed for their review.
    pub(super) fn sealed_form(&self, id: ReviewId, answers: &Answers) -> Result<String> {
        let plain = serde_json::to_string(answers).map_err(Error::internal)?;
        self.vault.seal(FORM, id.0.as_bytes(), &plain).map_err(Error::internal)
    }

    /// The answers of a review.
    pub fn answers(&self, review: &Review) -> Result<Answers> {
        use secrecy::ExposeSecret;
        let plain =
            self.vault.open(FORM, review.id.0.as_bytes(), &review.form_sealed).map_err(Error::internal)?;
        match plain.expose_secret() {
            // Erased with whoever gave them.
            "" => Ok(Answers::new()),
            text => serde_json::from_str(text).map_err(Error::internal),
        }
    }
}

/// Tells the applicant what was decided. Approvals before the last are seen, not told; the last one is told by what it means.
fn tell(after: &Review, verdict: &Verdict, reasons: &[Reason], beside: &mut Beside) {
    let said: String =
        reasons.iter().map(|reason| format!("{}（{}）；", reason.text, reason.basis)).collect();
    match verdict {
        Verdict::Approve => {}
        Verdict::Reject => {
            let appeal = if after.appeal_of.is_none() {
                "如有异议，可在申诉期限内向上一级工会申诉。"
            } else {
                ""
            };
            beside.messages.push(message(after, NoticeKind::ReviewRejected, format!("理由：{said}{appeal}")));
        }
        Verdict::Return(_) => {
            let until = after.supplement_due_at.map(|at| views::shown(at.and_utc())).unwrap_or_default();
            let text = format!("原因：{said}请于{until}前补正，逾期视为撤回。");
            beside.messages.push(message(after, NoticeKind::ReviewReturned, text));
        }
    }
}

/// The bodies above somebody who works at `employer`.
pub(super) fn bodies_above(conn: &mut Conn, employer: Option<OrganisationId>) -> Result<Bodies> {
    let all: Vec<org::model::Organisation> = org::store::all(conn)?.into_values().collect();
    let workplace = employer.and_then(|id| all.iter().find(|one| one.id == id));
    Ok(Bodies::of(workplace, &all))
}

/// The paths of the bodies of stages.
pub(super) fn paths(conn: &mut Conn, all: &[Stage]) -> Result<Vec<String>> {
    let ids: Vec<_> =
        all.iter().flat_map(|stage| [Some(stage.body_id), stage.rerouted_from]).flatten().collect();
    Ok(store::bodies(conn, &ids)?.into_values().map(|body| body.path).collect())
}

/// A message to the applicant.
pub(super) fn message(review: &Review, kind: NoticeKind, detail: String) -> Message {
    Message {
        person: review.applicant_id,
        kind,
        subject: review.title.clone(),
        detail,
        link: format!("/api/v1/me/reviews/{}", review.id),
    }
}

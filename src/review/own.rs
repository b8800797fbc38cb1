//! What an applicant does: supply what is missing, withdraw, appeal; and what happens to a request without them.

use chrono::{DateTime, Utc};

use super::chain::{self, Answers, Planned, StepLevel};
use super::clocks::Clocks;
use super::deciding::{Desk, bodies_above, message};
use super::machine::{self, ReviewEvent};
use super::model::{EVENT_TEXT, EventKind, Happened, Review, ReviewState, StageState};
use super::subject::Refused;
use super::{papers, stages, store};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PersonId, ReviewEventId, ReviewId, SubjectId};
use crate::notify::beside::Beside;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;

impl Desk {
    /// The review `id` of `applicant`, locked with what it is about; 404 for anybody else's.
    pub fn own_locked_in_tx(&self, conn: &mut Conn, id: ReviewId, applicant: PersonId) -> Result<Review> {
        let seen = store::get(conn, id)?;
        if seen.applicant_id != applicant {
            return Err(Error::not_found());
        }
        self.subjects.of(seen.kind)?.lock_in_tx(conn, seen.subject_id)?;
        store::lock_in_tx(conn, id)
    }

    /// The applicant supplies what was missing: the fields that were named, all of them, and nothing else. The clock runs on.
    ///
    /// # Errors
    /// All fields that are still missing or wrong.
    pub fn supplement_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        given: &Answers,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        let state = machine::transition(ReviewEvent::Supplement, review.state)?;
        if review.supplement_due_at.is_some_and(|until| until.and_utc() <= now) {
            return Err(Error::new(Code::StateForbids)
                .detail("补正期限已过，请重新申请", "The time for supplements is over; apply anew"));
        }
        let missing: Vec<String> = serde_json::from_str(&review.missing).map_err(Error::internal)?;
        let definition = store::chain_of(conn, review)?.definition;
        chain::check(&definition.form, given, Some(&missing))?;
        let mut answers = self.answers(review)?;
        papers::attach_in_tx(conn, &definition.form, given, review.applicant_id, review.id, now)?;
        answers.extend(given.clone());
        self.checked_in_tx(conn, &definition.form, given, review, now)?;
        let after = Review {
            state,
            amount_fen: chain::amount(&definition.form, &answers),
            form_sealed: self.sealed_form(review.id, &answers)?,
            missing: "[]".into(),
            supplement_due_at: None,
            version: review.version + 1,
            ..review.clone()
        };
        store::update_in_tx(conn, review, &after)?;
        if after.amount_fen != review.amount_fen && review.appeal_of.is_none() {
            self.replan_in_tx(conn, &after, &definition)?;
        }
        stages::resume_in_tx(conn, &after, now)?;
        self.note(conn, &after, EventKind::Supplemented, Some(review.applicant_id), None, now)?;
        beside.entries.push(Entry::new(review.applicant_id, "review.supplement", review.id));
        Ok(after)
    }

    /// What is still to come goes by the amount that was supplied: a step that is for larger ones is not got round by saying it
    /// later. Steps that lie behind stay as they were.
    fn replan_in_tx(&self, conn: &mut Conn, review: &Review, definition: &chain::Definition) -> Result<()> {
        let planned = chain::plan(definition, &bodies_above(conn, review.employer_id)?, review.amount_fen)?;
        let to_come = planned.into_iter().filter(|one| one.number > review.step).collect();
        stages::forget_in_tx(conn, review.id, review.step)?;
        stages::insert_in_tx(conn, &self.rows(review, to_come))
    }

    /// The applicant gives it up.
    pub fn withdraw_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        let after = self.refuse_in_tx(conn, review, Refused::Withdrawn, now, beside)?;
        self.note(conn, &after, EventKind::Withdrawn, Some(review.applicant_id), None, now)?;
        beside.entries.push(Entry::new(review.applicant_id, "review.withdraw", review.id));
        Ok(after)
    }

    /// What was missing was not supplied in time.
    pub fn lapse_in_tx(
        &self,
        conn: &mut Conn,
        id: ReviewId,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let seen = store::get(conn, id)?;
        self.subjects.of(seen.kind)?.lock_in_tx(conn, seen.subject_id)?;
        let review = store::lock_in_tx(conn, id)?;
        // Read again behind the lock: it may have been supplied.
        let due = review.supplement_due_at.is_some_and(|until| until.and_utc() <= now);
        if review.state != ReviewState::Returned || !due {
            return Ok(());
        }
        let after = self.refuse_in_tx(conn, &review, Refused::Lapsed, now, beside)?;
        self.note(conn, &after, EventKind::Lapsed, None, None, now)?;
        beside.messages.push(message(&after, NoticeKind::ReviewLapsed, String::new()));
        beside.entries.push(Entry::system("review.lapse", id));
        Ok(())
    }

    /// The subject ends by itself (it is cancelled, or what it hangs on is): its live review ends with it. The subject is not
    /// called back, and is locked by the caller.
    pub fn withdraw_subject_in_tx(
        &self,
        conn: &mut Conn,
        subject: SubjectId,
        actor: Option<PersonId>,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        for seen in store::live_of(conn, &[subject])? {
            let review = store::lock_in_tx(conn, seen.id)?;
            let after = Review {
                state: machine::transition(ReviewEvent::Withdraw, review.state)?,
                decided_at: Some(db_time(now)),
                supplement_due_at: None,
                version: review.version + 1,
                ..review.clone()
            };
            stages::end_in_tx(conn, review.id)?;
            store::update_in_tx(conn, &review, &after)?;
            self.note(conn, &after, EventKind::Withdrawn, actor, None, now)?;
            beside.entries.push(match actor {
                Some(actor) => Entry::new(actor, "review.withdraw", review.id),
                None => Entry::system("review.withdraw", review.id),
            });
        }
        Ok(())
    }

    /// The applicant appeals against a rejection: a review of its own at the body above the one that rejected, or at the same
    /// district by somebody else.
    ///
    /// # Errors
    /// `review_appeal_over` when the time is over, it was not rejected, or it was an appeal itself.
    pub fn appeal_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        text: &str,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Review> {
        if self.appeal_until(conn, review, now)?.is_none() {
            return Err(Error::new(Code::ReviewAppealOver).detail(
                "未通过的申请可在申诉期限内申诉一次",
                "A rejected request may be appealed against once, within the time for it",
            ));
        }
        let rejected = stages::of(conn, review.id)?
            .into_iter()
            .find(|stage| stage.state == StageState::Rejected)
            .ok_or_else(|| Error::internal("a rejection without its stage"))?;
        let body = self.above(conn, rejected.body_id)?;
        let id: ReviewId = self.ids.id();
        let appeal = Review {
            id,
            state: ReviewState::Open,
            step: 0,
            // The same answers, sealed for their new row.
            form_sealed: self.sealed_form(id, &self.answers(review)?)?,
            missing: "[]".into(),
            returns: 0,
            supplement_due_at: None,
            appeal_of: Some(review.id),
            root_id: review.root_id,
            opened_at: db_time(now),
            decided_at: None,
            version: 1,
            ..review.clone()
        };
        let step = chain::Step {
            name: "申诉复核".into(),
            level: StepLevel::District,
            departments: Vec::new(),
            from_fen: None,
            clock: "review.appeal".into(),
            employer_barred: true,
        };
        let planned = vec![Planned { number: 1, step, body: Some(body), skipped: None }];
        let appeal = self.begin_in_tx(conn, appeal, planned, now, beside)?;
        self.note(conn, &appeal, EventKind::Supplemented, Some(review.applicant_id), Some(text), now)?;
        Ok(appeal)
    }

    /// Until when a rejection may be appealed against; none where it may not.
    pub fn appeal_until(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let Some(decided) = review.decided_at else { return Ok(None) };
        if review.state != ReviewState::Rejected || review.appeal_of.is_some() {
            return Ok(None);
        }
        let until = Clocks::load(conn, now)?.start(conn, "review.appeal_within", decided.and_utc())?.at;
        Ok(if until <= now || store::appeal_of(conn, review.id)?.is_some() { None } else { Some(until) })
    }

    /// The body above `body`, or itself where it is the district.
    fn above(&self, conn: &mut Conn, body: OrganisationId) -> Result<OrganisationId> {
        let bodies = store::bodies(conn, &[body])?;
        let own = bodies.get(&body).ok_or_else(|| Error::internal("a stage at no body"))?;
        Ok(own.parent_id.unwrap_or(body))
    }

    /// Notes what happened, with a text, sealed.
    pub(super) fn note(
        &self,
        conn: &mut Conn,
        review: &Review,
        kind: EventKind,
        actor: Option<PersonId>,
        text: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let id: ReviewEventId = self.ids.id();
        let text_sealed = match text.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => Some(self.vault.seal(EVENT_TEXT, id.0.as_bytes(), text).map_err(Error::internal)?),
            None => None,
        };
        let event = Happened {
            id,
            review_id: review.id,
            stage_id: None,
            kind,
            actor_id: actor,
            on_behalf_of: None,
            reasons: "[]".into(),
            text_sealed,
            at: db_time(now),
        };
        store::happened_in_tx(conn, &event)
    }
}

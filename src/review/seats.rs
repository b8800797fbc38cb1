//! At which stage an officer acts, and from which seat: deciding, giving to somebody to decide, reading the file.

use chrono::{DateTime, Utc};

use super::deciding::{Desk, Officer};
use super::model::{Review, Stage, StageState};
use super::rules::{self, Bar, Seat};
use super::{stages, store};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::PersonId;
use crate::platform::db::Conn;

impl Desk {
    /// The open stage that the officer decides, and from which seat.
    pub(super) fn stage_of(
        &self,
        conn: &mut Conn,
        officer: &Officer,
        review: &Review,
        all: &[Stage],
        now: DateTime<Utc>,
    ) -> Result<(Stage, Seat)> {
        let mut refusal = None;
        let mut who: Vec<PersonId> =
            officer.rights.iter().filter_map(|right| right.seat.on_behalf_of()).collect();
        who.push(officer.person);
        let ties = store::ties(conn, review, &who)?;
        let bodies = store::bodies(conn, &all.iter().map(|stage| stage.body_id).collect::<Vec<_>>())?;
        for stage in all.iter().filter(|stage| stage.state == StageState::Open) {
            let path = bodies.get(&stage.body_id).map(|body| body.path.as_str()).unwrap_or_default();
            let seats = rules::seats(&officer.rights, path, stage.breached_at.is_some());
            match rules::seat(review, stage, &ties, officer.person, &seats) {
                Ok(_) if is_claimed_by_another(stage, officer.person, now) => {
                    refusal = Some(Error::new(Code::ReviewClaimed));
                }
                Ok(seat) => return Ok((stage.clone(), seat)),
                Err(error) if error.code() == Code::ReviewNotYours => {
                    let name =
                        bodies.get(&stage.body_id).map(|body| body.short_name.clone()).unwrap_or_default();
                    let error = error.detail(
                        format!("此环节由{name}办理"),
                        format!("This stage is decided by another body: {name}"),
                    );
                    refusal = refusal.or(Some(error));
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or_else(|| Error::new(Code::ReviewNotYours)))
    }

    /// The open stage that the officer gives to `to` to decide: one of their own bodies, or of one below.
    ///
    /// # Errors
    /// `review_not_yours`, `review_recused` for whoever must keep away themselves, `validation_failed` where `to` may not decide.
    pub(super) fn assignable(
        &self,
        conn: &mut Conn,
        officer: &Officer,
        (review, all): (&Review, &[Stage]),
        to: PersonId,
        now: DateTime<Utc>,
    ) -> Result<Stage> {
        let ties = store::ties(conn, review, &[officer.person])?;
        let bodies = store::bodies(conn, &all.iter().map(|stage| stage.body_id).collect::<Vec<_>>())?;
        let mut refusal = Error::new(Code::ReviewNotYours);
        for stage in all.iter().filter(|stage| stage.state == StageState::Open) {
            let path = bodies.get(&stage.body_id).map(|body| body.path.as_str()).unwrap_or_default();
            if !officer.rights.iter().any(|right| path.starts_with(right.path.as_str())) {
                continue;
            }
            match rules::bar(review, stage, &ties, officer.person) {
                None | Some(Bar::Before) => {}
                // Nor do they choose who decides.
                Some(bar) => {
                    refusal = bar.refusal();
                    continue;
                }
            }
            if stages::deciders(conn, review, stage, stage.body_id, now)?.contains(&to) {
                return Ok(stage.clone());
            }
            let text = Text::new("该人员不能办理此申请", "this person may not decide this request");
            refusal = Error::invalid(vec![Fault::new("/person_id", "not_allowed", text)]);
        }
        Err(refusal)
    }
}

/// Whether somebody else works at a stage now.
pub(super) fn is_claimed_by_another(stage: &Stage, person: PersonId, now: DateTime<Utc>) -> bool {
    stage.claimed_by.is_some_and(|by| by != person)
        && stage.claimed_until.is_none_or(|until| until.and_utc() > now)
}

/// Refuses the file of a request to whoever must keep away from it: at the stages of their own bodies; of somebody who has none,
/// at every stage. Whoever decided about it before need not keep away, and a unit's officer is no stranger to a colleague whose
/// request their union decides.
pub(super) fn unbarred(conn: &mut Conn, officer: &Officer, review: &Review, all: &[Stage]) -> Result<()> {
    let ties = store::ties(conn, review, &[officer.person])?;
    let bodies = store::bodies(conn, &all.iter().map(|stage| stage.body_id).collect::<Vec<_>>())?;
    let is_own = |stage: &Stage| {
        let path = bodies.get(&stage.body_id).map(|body| body.path.as_str());
        officer.rights.iter().any(|right| Some(right.path.as_str()) == path)
    };
    let own: Vec<&Stage> = all.iter().filter(|stage| is_own(stage)).collect();
    let looked_at = if own.is_empty() { all.iter().collect() } else { own };
    let mut refusal = None;
    for stage in looked_at {
        match rules::bar(review, stage, &ties, officer.person) {
            None | Some(Bar::Before) => return Ok(()),
            Some(bar) => refusal = refusal.or(Some(bar)),
        }
    }
    refusal.map_or(Ok(()), |bar| Err(bar.refusal()))
}

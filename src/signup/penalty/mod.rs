//! What a late cancellation or a no-show weighs on the next sign-up.
//!
//! ```text
//!            appeal               decision
//! live ───────────────▶ contested ─┬──▶ waived
//!   (a late cancellation            └──▶ upheld
//!    for illness begins here)
//! ```
//! A penalty for not coming is set aside (`waived`) while a session of its activity is open again. Finalising it anew waives it for good,
//! or brings it back as it was.
//!
//! `live` and `upheld` weigh until they expire; `contested` and `waived` weigh nothing. Legal aid and care stand outside:
//! nobody gets a penalty from them, and no penalty has an effect on them. All figures are policies.

pub mod api;
pub mod content;
pub mod model;
pub mod rules;
pub mod staff_api;
pub mod store;

use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::ids::{ActivityId, Ids, PersonId, SignupId};
use crate::notify;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::offering::model::{Activity, ProgrammeKind};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::outbox;
use model::{Ground, Penalty, PenaltyKind, PenaltyState};

/// What giving back a confirmed place weighs, where it weighs anything; none while it is free. Queues the message; the caller
/// appends [`Penalty::entry`] to the audit chain, and keeps what the person wrote by [`store::claim_in_tx`].
///
/// The caller holds the activity's lock.
#[expect(clippy::too_many_arguments, reason = "each is one fact of the cancellation")]
pub fn given_late_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    activity: &Activity,
    kind: ProgrammeKind,
    signup: SignupId,
    person: PersonId,
    ground: Option<Ground>,
) -> Result<Option<Penalty>> {
    if rules::is_exempt(kind) {
        return Ok(None);
    }
    let terms = store::terms(conn, now)?;
    if !rules::is_late(activity, &terms, now) || store::is_made_for(conn, signup)? {
        return Ok(None);
    }
    let pauses = store::pauses(conn)?;
    let state = if ground == Some(Ground::Illness) { PenaltyState::Contested } else { PenaltyState::Live };
    let given = Penalty {
        ground,
        ..Penalty::given(ids.id(), (person, signup), PenaltyKind::LateCancel, state, &terms, &pauses, now)
    };
    let written = store::give_in_tx(conn, vec![given])?;
    tell_in_tx(conn, ids, now, activity, &written)?;
    Ok(written.into_iter().next())
}

/// What not coming weighs: everybody who still has an unused place in an activity that is over and took place. Queues the
/// messages; the entries are for the end of the audit chain. Done again, it gives nothing.
///
/// The caller holds the activity's lock.
pub fn no_shows_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    activity: &Activity,
) -> Result<Vec<Entry>> {
    let programme = crate::offering::store::programme_get(conn, activity.programme_id)?;
    if rules::is_exempt(programme.kind) || !store::was_held(conn, activity.id)? {
        return Ok(Vec::new());
    }
    let absent = store::absent(conn, activity.id)?;
    if absent.is_empty() {
        return Ok(Vec::new());
    }
    let (terms, pauses) = (store::terms(conn, now)?, store::pauses(conn)?);
    let signups: Vec<SignupId> = absent.iter().map(|(_, signup)| *signup).collect();
    let mut entries: Vec<Entry> = store::bring_back_in_tx(conn, &signups)?
        .into_iter()
        .map(|id| Entry::system("penalty.bring_back", id))
        .collect();
    let rows = absent
        .into_iter()
        .map(|of| {
            let state = PenaltyState::Live;
            Penalty::given(ids.id(), of, PenaltyKind::NoShow, state, &terms, &pauses, now)
        })
        .collect();
    let written = store::give_in_tx(conn, rows)?;
    tell_in_tx(conn, ids, now, activity, &written)?;
    entries.extend(written.iter().map(Penalty::entry));
    Ok(entries)
}

/// A session of the activity is open again: what not coming weighed weighs nothing until it is finalised.
pub fn set_aside_in_tx(conn: &mut Conn, activity: ActivityId, now: DateTime<Utc>) -> Result<Vec<Entry>> {
    let set_aside = store::set_aside_in_tx(conn, activity, now)?;
    Ok(set_aside.into_iter().map(|id| Entry::system("penalty.set_aside", id)).collect())
}

/// Those who came after all, as scans say that were late: what not coming weighed is waived.
pub fn came_after_all_in_tx(
    conn: &mut Conn,
    activity: ActivityId,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<usize> {
    store::no_show_waive_in_tx(conn, activity, people, now)
}

fn tell_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    activity: &Activity,
    given: &[Penalty],
) -> Result<()> {
    let jobs = given
        .iter()
        .map(|penalty| {
            let message = Message {
                person: penalty.person_id,
                kind: NoticeKind::PenaltyGiven,
                subject: activity.title.clone(),
                detail: rules::why_given(penalty.kind, penalty.weight, penalty.state),
                link: "/api/v1/me/penalties".into(),
            };
            notify::jobs::job(&message, now)
        })
        .collect();
    outbox::enqueue_in_tx(conn, ids, now, jobs)
}

//! The waiting list: who waits, who is asked, and what they answer.
//!
//! An offer keeps its place from the moment it is made until it is answered or has expired, so whoever is asked has
//! the place if they want it. A sign-up is waiting or asked, never both, and has at most one open offer (partial unique key
//! `offers_open`); whoever left is not on the list any more and is asked again only after they came again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;

use super::jobs;
use super::model::{Offer, OfferKind, OfferState, Signup, SignupState};
use super::profile;
use super::rules::{self, OfferTerms, Waiter};
use super::tree::Tree;
use crate::clock::{db_time, shanghai};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, Ids, PersonId, ProgrammeId, QuotaId, SignupId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::offering::model::{Activity, ActivityState, WaitingPolicy};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, offers, signups};

/// How many wait: by quota and priority.
pub fn queue_lengths(conn: &mut Conn, activity: ActivityId) -> Result<Vec<(Option<QuotaId>, i64, i64)>> {
    Ok(signups::table
        .filter(signups::activity_id.eq(activity))
        .filter(signups::state.eq(SignupState::Waiting))
        .group_by((signups::quota_id, signups::priority))
        .select((signups::quota_id, signups::priority, count_star()))
        .load(conn)?)
}

/// How many wait at the same quota before this one; nothing is said of who they are.
pub fn ahead_of(conn: &mut Conn, row: &Signup) -> Result<i64> {
    let before = signups::table
        .filter(signups::activity_id.eq(row.activity_id))
        .filter(signups::state.eq(SignupState::Waiting))
        .filter(
            signups::priority
                .gt(row.priority)
                .or(signups::priority.eq(row.priority).and(signups::number.lt(row.number))),
        );
    Ok(match row.quota_id {
        Some(quota) => before.filter(signups::quota_id.eq(quota)).count().get_result(conn)?,
        None => before.filter(signups::quota_id.is_null()).count().get_result(conn)?,
    })
}

/// In each past activity of a programme that had a waiting list, how many moved up; the latest fifty.
pub fn moved_up(conn: &mut Conn, programme: ProgrammeId) -> Result<Vec<i64>> {
    let past: Vec<ActivityId> = activities::table
        .filter(activities::programme_id.eq(programme))
        .filter(activities::state.eq(ActivityState::Finished))
        .filter(activities::waiting_list.ne(WaitingPolicy::None))
        .order(activities::ends_at.desc())
        .limit(50)
        .select(activities::id)
        .load(conn)?;
    let moved: Vec<(ActivityId, i64)> = offers::table
        .filter(offers::activity_id.eq_any(&past))
        .filter(offers::kind.eq(OfferKind::Waiting))
        .filter(offers::state.eq(OfferState::Accepted))
        .group_by(offers::activity_id)
        .select((offers::activity_id, count_star()))
        .load(conn)?;
    let moved: HashMap<ActivityId, i64> = moved.into_iter().collect();
    Ok(past.into_iter().map(|activity| moved.get(&activity).copied().unwrap_or(0)).collect())
}

/// The open offer of a sign-up.
pub fn open_offer(conn: &mut Conn, signup: SignupId) -> Result<Option<Offer>> {
    let open = offers::table.filter(offers::signup_id.eq(signup)).filter(offers::state.eq(OfferState::Open));
    Ok(open.select(Offer::as_select()).first(conn).optional()?)
}

/// Closes the open offer of a sign-up that has ended.
pub fn offer_close_in_tx(
    conn: &mut Conn,
    signup: SignupId,
    state: OfferState,
    now: DateTime<Utc>,
) -> Result<()> {
    let open = offers::table.filter(offers::signup_id.eq(signup)).filter(offers::state.eq(OfferState::Open));
    diesel::update(open).set((offers::state.eq(state), offers::decided_at.eq(db_time(now)))).execute(conn)?;
    Ok(())
}

/// Accepts an open offer that has not expired; false when there is none.
pub fn offer_accept_in_tx(conn: &mut Conn, signup: SignupId, now: DateTime<Utc>) -> Result<bool> {
    let open = offers::table
        .filter(offers::signup_id.eq(signup))
        .filter(offers::state.eq(OfferState::Open))
        .filter(offers::expires_at.gt(db_time(now)));
    let changed = diesel::update(open)
        .set((offers::state.eq(OfferState::Accepted), offers::decided_at.eq(db_time(now))))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Keeps an offer, and the job that ends it.
pub fn offer_create_in_tx(conn: &mut Conn, rows: &[Offer], beside: &mut Beside) -> Result<()> {
    crate::insert_rows!(conn, offers::table, rows)?;
    beside.jobs.extend(rows.iter().map(jobs::expiry));
    Ok(())
}

/// A new offer.
pub fn offer(ids: &Ids, row: &Signup, kind: OfferKind, now: DateTime<Utc>, by: DateTime<Utc>) -> Offer {
    Offer {
        id: ids.id(),
        signup_id: row.id,
        activity_id: row.activity_id,
        kind,
        state: OfferState::Open,
        made_at: db_time(now),
        expires_at: db_time(by),
        decided_at: None,
    }
}

/// Until when, for people.
pub fn until(by: DateTime<Utc>) -> String {
    format!("请在 {}（北京时间）前确认。", by.with_timezone(&shanghai()).format("%Y-%m-%d %H:%M"))
}

/// Asks those whose turn it is, as far as places are free, and keeps the places for them.
pub fn ask_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    activity: &Activity,
    tree: &mut Tree,
    terms: OfferTerms,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    let Some(by) = rules::answer_by(terms, activity.starts_at.and_utc(), now) else { return Ok(()) };
    if activity.state != ActivityState::Published || tree.free(0) == 0 {
        return Ok(());
    }
    let rows = first_waiting(conn, activity, tree)?;
    let people: Vec<PersonId> = rows.iter().map(|row| row.person_id).collect();
    let profiles = if activity.split { profile::profiles(conn, &people)? } else { HashMap::new() };
    let waiters: Vec<Waiter> = rows
        .iter()
        .map(|row| Waiter {
            signup: row.id,
            priority: row.priority,
            number: row.number,
            party: row.party_id,
            leaves: match profiles.get(&row.person_id) {
                Some(profile) => tree.leaves(profile),
                None => vec![0],
            },
        })
        .collect();
    let asked: HashMap<SignupId, Option<QuotaId>> = rules::next_offers(tree, activity.waiting_list, &waiters)
        .into_iter()
        .map(|(signup, leaf)| (signup, tree.quota(leaf)))
        .collect();
    let mut made = Vec::new();
    for row in rows.iter().filter(|row| asked.contains_key(&row.id)) {
        let quota = asked.get(&row.id).copied().flatten();
        if !super::store::ask_in_tx(conn, row, quota)? {
            return Err(Error::internal(format!("{} does not wait any more", row.id)));
        }
        made.push(offer(ids, row, OfferKind::Waiting, now, by));
        beside.messages.push(Message {
            person: row.person_id,
            kind: NoticeKind::OfferMade,
            subject: activity.title.clone(),
            detail: until(by),
            link: format!("/api/v1/signups/{}", row.id),
        });
        beside.entries.push(Entry::system("signup.offer", row.id));
    }
    offer_create_in_tx(conn, &made, beside)
}

/// The first of those who wait, as many as could matter, with the whole of every party.
fn first_waiting(conn: &mut Conn, activity: &Activity, tree: &Tree) -> Result<Vec<Signup>> {
    let waiting = || {
        signups::table
            .filter(signups::activity_id.eq(activity.id))
            .filter(signups::state.eq(SignupState::Waiting))
    };
    let order = (signups::priority.desc(), signups::number);
    // Parties that do not fit are looked past with the policy "fill": some more than there are places.
    let some = tree.free(0) + 64;
    let mut rows: Vec<Signup> = waiting().order(order).limit(some).select(Signup::as_select()).load(conn)?;
    if activity.split {
        let leaves: Vec<QuotaId> = tree
            .nodes()
            .filter(|(at, _)| tree.is_leaf(*at) && tree.free(*at) > 0)
            .filter_map(|(at, _)| tree.quota(at))
            .collect();
        for leaf in leaves {
            let more: Vec<Signup> = waiting()
                .filter(signups::quota_id.eq(leaf))
                .order(order)
                .limit(some)
                .select(Signup::as_select())
                .load(conn)?;
            rows.extend(more);
        }
    }
    let parties: HashSet<_> = rows.iter().filter_map(|row| row.party_id).collect();
    if !parties.is_empty() {
        let members: Vec<Signup> =
            waiting().filter(signups::party_id.eq_any(parties)).select(Signup::as_select()).load(conn)?;
        rows.extend(members);
    }
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(row.id));
    Ok(rows)
}

//! Nominating people, and keeping places for those who are named later.
//!
//! Everything happens under the activity's lock, in one transaction with the places ([`Ground`]).

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{HoldState, PlaceHold};
use super::rules::{self, Row, Verdict};
use super::store;
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, Ids, PersonId, PlaceHoldId, QuotaId, SignupId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::offering;
use crate::offering::model::{Activity, ActivityState, OwnClash};
use crate::org::model::Organisation;
use crate::people::{erasing, memberships};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::signup::jobs::{self, Tools};
use crate::signup::model::{Basis, OfferKind, Signup, SignupState};
use crate::signup::placing::Ground;
use crate::signup::{draw, profile, store as signups, terms, waiting};

/// What a union asks for.
pub struct Order {
    /// For what.
    pub activity: ActivityId,
    /// Which union.
    pub union: Organisation,
    /// Whom it names.
    pub rows: Vec<Row>,
    /// All of them, or nobody.
    pub together: bool,
    /// For how many it will name somebody later.
    pub name_later: i64,
    /// Until when.
    pub name_by: Option<DateTime<Utc>>,
    /// Who asks.
    pub actor: PersonId,
}

/// What became of it.
pub struct Outcome {
    /// Of each row, with the sign-up of who is nominated.
    pub rows: Vec<(Verdict, Option<SignupId>)>,
    /// Until when the nominated must answer.
    pub answer_by: DateTime<Utc>,
    /// Places that are kept.
    pub holds: Vec<PlaceHold>,
}

/// Nominates those of a roster for whom there is a place, and keeps places for those who are named later.
///
/// # Errors
/// What is wrong with the whole roster; of one that is taken together, every row that cannot be nominated.
pub fn roster_in_tx(conn: &mut Conn, tools: &Tools, order: &Order, now: DateTime<Utc>) -> Result<Outcome> {
    let activity = jobs::lock(conn, order.activity)?;
    offering::rules::signup_window(&activity, now)?;
    let later = rules::check_later(&activity, order.name_later, order.name_by, now)?;
    let answer_by = answer_by(conn, &activity, now)?;
    erasing::GATE.pass_in_tx(conn)?;
    let found = store::identify(conn, &tools.vault, &order.union, &order.rows)?;
    let people: Vec<PersonId> = found.iter().filter_map(|one| one.as_ref().ok().copied()).collect();
    let refused = refused(conn, &activity, &people)?;
    let mut ground = Ground::load(conn, activity, &people, now)?;
    let mut beside = Beside::default();
    draw::draw_in_tx(conn, &tools.vault, &mut ground, now, &mut beside)?;
    if ground.activity.fair_minutes > 0 && crate::signup::rules::is_shuffled(&ground.activity, now) {
        return Err(Error::new(Code::StateForbids).detail(
            "开放时段内的报名将摇号，请在摇号后提交名单",
            "Those who come in the first minutes are shuffled; send the roster afterwards",
        ));
    }
    let mut work = Work { tools, union: &order.union, actor: order.actor, now, nominated: Vec::new() };
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        let decided = match one.and_then(|person| refused(person).map_or(Ok(person), Err)) {
            Err(verdict) => Err(verdict),
            Ok(person) => match ground.hold(conn, person) {
                Ok(leaf) => Ok((person, ground.tree().quota(leaf))),
                Err(refusal) => Err(Verdict::of(&refusal).ok_or(refusal)?),
            },
        };
        rows.push(match decided {
            Ok((person, quota)) => (Verdict::Nominated, Some(work.nominate(&mut ground, person, quota))),
            Err(verdict) => (verdict, None),
        });
    }
    let holds = match later {
        Some((places, name_by)) => work.hold(conn, &mut ground, places, name_by)?,
        None => Vec::new(),
    };
    if order.together {
        all_or_nobody(&rows, order.name_later, &holds)?;
    }
    store::hold_create_in_tx(conn, &holds)?;
    for hold in &holds {
        let detail = json!({ "activity": order.activity, "union": order.union.id, "places": hold.places });
        beside.entries.push(Entry::new(order.actor, "place_hold.create", hold.id).detail(detail));
    }
    work.settle_in_tx(conn, ground, answer_by, &mut beside)?;
    beside.write_in_tx(conn, &tools.ids, now)?;
    Ok(Outcome { rows, answer_by, holds })
}

/// Names people for kept places. Each place stays where it is kept: nothing is free in between.
///
/// # Errors
/// 409 when the places are not kept any more, or what is wrong with all rows.
pub fn names_in_tx(
    conn: &mut Conn,
    tools: &Tools,
    id: PlaceHoldId,
    rows: &[Row],
    actor: PersonId,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let (hold, _) = store::hold_get(conn, id)?;
    let activity = jobs::lock(conn, hold.activity_id)?;
    // Again, behind the lock.
    let (hold, union) = store::hold_get(conn, id)?;
    let is_open = hold.state == HoldState::Open && hold.name_by > db_time(now);
    if !is_open || activity.state != ActivityState::Published {
        return Err(
            Error::new(Code::StateForbids).detail("保留的名额已失效", "The places are not kept any more")
        );
    }
    let answer_by = answer_by(conn, &activity, now)?;
    erasing::GATE.pass_in_tx(conn)?;
    let found = store::identify(conn, &tools.vault, &union, rows)?;
    let people: Vec<PersonId> = found.iter().filter_map(|one| one.as_ref().ok().copied()).collect();
    let refused = refused(conn, &activity, &people)?;
    let mut ground = Ground::load(conn, activity, &[], now)?;
    let mut work = Work { tools, union: &union, actor, now, nominated: Vec::new() };
    let mut left = hold.unnamed;
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        rows.push(match one.and_then(|person| refused(person).map_or(Ok(person), Err)) {
            Err(verdict) => (verdict, None),
            Ok(_) if left == 0 => (Verdict::Full, None),
            Ok(person) => {
                left -= 1;
                (Verdict::Nominated, Some(work.nominate(&mut ground, person, hold.quota_id)))
            }
        });
    }
    let named = hold.unnamed - left;
    if named > 0 && !store::hold_name_in_tx(conn, &hold, named)? {
        return Err(Error::internal(format!("{id} changed behind the lock")));
    }
    let mut beside = Beside::default();
    work.settle_in_tx(conn, ground, answer_by, &mut beside)?;
    let entry = Entry::new(actor, "place_hold.name", id).detail(json!({ "named": named }));
    beside.entries.push(entry);
    beside.write_in_tx(conn, &tools.ids, now)?;
    let (hold, _) = store::hold_get(conn, id)?;
    Ok(Outcome { rows, answer_by, holds: vec![hold] })
}

/// Gives up the places of a hold for which nobody is named; they go to those who wait. `actor` is none when the time was up.
/// False when that was done already.
pub fn release_in_tx(
    conn: &mut Conn,
    ground: &mut Ground,
    hold: &PlaceHold,
    actor: Option<PersonId>,
    beside: &mut Beside,
) -> Result<bool> {
    if !store::hold_release_in_tx(conn, hold)? {
        return Ok(false);
    }
    for _ in 0..hold.unnamed {
        ground.let_go(hold.quota_id);
    }
    let entry = Entry { actor, ..Entry::system("place_hold.release", hold.id) };
    let detail =
        json!({ "activity": hold.activity_id, "union": hold.organisation_id, "places": hold.unnamed });
    beside.entries.push(entry.detail(detail));
    Ok(true)
}

/// Gives up all places of a locked activity for which nobody was named in time; false when there are none.
pub fn release_due_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    activity: &Activity,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<bool> {
    let due = store::holds_due(conn, activity.id, now)?;
    if due.is_empty() {
        return Ok(false);
    }
    let mut ground = Ground::load(conn, activity.clone(), &[], now)?;
    for hold in due {
        release_in_tx(conn, &mut ground, &hold, None, beside)?;
    }
    ground.settle_in_tx(conn, ids, now, beside)?;
    Ok(true)
}

/// Until when the nominated must answer.
fn answer_by(conn: &mut Conn, activity: &Activity, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let terms = terms::on(conn, now)?;
    let by = crate::signup::rules::answer_by(terms, activity.starts_at.and_utc(), now);
    by.ok_or_else(|| {
        Error::new(Code::SignupClosed)
            .detail("距开始时间过近，来不及确认", "It begins too soon for anybody to be asked")
    })
}

/// Who cannot be nominated whatever places there are, and why.
fn refused(
    conn: &mut Conn,
    activity: &Activity,
    people: &[PersonId],
) -> Result<impl Fn(PersonId) -> Option<Verdict> + use<>> {
    let live: HashSet<PersonId> = signups::live(conn, activity.id, people)?.into_keys().collect();
    let clashing = match activity.own_clash {
        OwnClash::Deny => signups::clashing(conn, activity, people)?,
        OwnClash::Warn => HashSet::new(),
    };
    let members = if activity.members_only { Some(memberships::verified(conn, people)?) } else { None };
    Ok(move |person| {
        if live.contains(&person) {
            Some(Verdict::AlreadySignedUp)
        } else if members.as_ref().is_some_and(|members| !members.contains_key(&person)) {
            Some(Verdict::NotMember)
        } else {
            clashing.contains(&person).then_some(Verdict::Clash)
        }
    })
}

fn all_or_nobody(rows: &[(Verdict, Option<SignupId>)], name_later: i64, holds: &[PlaceHold]) -> Result<()> {
    let mut faults: Vec<Fault> = rows
        .iter()
        .enumerate()
        .filter(|(_, (verdict, _))| *verdict != Verdict::Nominated)
        .map(|(place, (verdict, _))| verdict.fault(place))
        .collect();
    let kept: i64 = holds.iter().map(|hold| hold.places).sum();
    if kept < name_later {
        let text = Text::new(format!("只剩 {kept} 个名额"), format!("{kept} places are left"));
        faults.push(Fault::new("/name_later", Verdict::Full.as_str(), text));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

struct Work<'a> {
    tools: &'a Tools,
    union: &'a Organisation,
    actor: PersonId,
    now: DateTime<Utc>,
    nominated: Vec<Signup>,
}

impl Work<'_> {
    /// Asks somebody, for whom a place is kept on `quota`.
    fn nominate(&mut self, ground: &mut Ground, person: PersonId, quota: Option<QuotaId>) -> SignupId {
        let (id, number) = (self.tools.ids.id(), ground.next_number());
        let row = Signup {
            quota_id: quota,
            made_by: Some(self.actor),
            basis: Some(Basis::UnionRoster),
            ..Signup::new(id, ground.activity.id, person, SignupState::Offered, number, self.now)
        };
        self.nominated.push(row.clone());
        ground.add(row);
        id
    }

    /// Keeps up to `places` places for people of the union whom nobody has named yet: one hold for each quota they are on.
    fn hold(
        &self,
        conn: &mut Conn,
        ground: &mut Ground,
        places: i64,
        name_by: DateTime<Utc>,
    ) -> Result<Vec<PlaceHold>> {
        let profile = profile::of_workplace(conn, self.union)?;
        let mut holds: Vec<PlaceHold> = Vec::new();
        for _ in 0..places {
            let leaf = match ground.hold_as(conn, &profile) {
                Ok(leaf) => leaf,
                Err(refusal) if Verdict::of(&refusal).is_some() => break,
                Err(error) => return Err(error),
            };
            let quota = ground.tree().quota(leaf);
            if let Some(hold) = holds.iter_mut().find(|hold| hold.quota_id == quota) {
                hold.places += 1;
                hold.unnamed += 1;
            } else {
                holds.push(PlaceHold {
                    id: self.tools.ids.id(),
                    activity_id: ground.activity.id,
                    organisation_id: self.union.id,
                    quota_id: quota,
                    places: 1,
                    unnamed: 1,
                    state: HoldState::Open,
                    name_by: db_time(name_by),
                    made_by: self.actor,
                    made_at: db_time(self.now),
                    version: 1,
                });
            }
        }
        Ok(holds)
    }

    /// Writes the places, then the offers, which refer to the new sign-ups.
    fn settle_in_tx(
        &self,
        conn: &mut Conn,
        ground: Ground,
        by: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let (title, ids, now) = (ground.activity.title.clone(), &self.tools.ids, self.now);
        ground.settle_in_tx(conn, ids, now, beside)?;
        let offers: Vec<_> = self
            .nominated
            .iter()
            .map(|row| waiting::offer(ids, row, OfferKind::Nomination, now, by))
            .collect();
        waiting::offer_create_in_tx(conn, &offers, beside)?;
        for row in &self.nominated {
            beside.messages.push(Message {
                person: row.person_id,
                kind: NoticeKind::Nominated,
                subject: title.clone(),
                detail: waiting::until(by),
                link: format!("/api/v1/signups/{}", row.id),
            });
            let detail = json!({ "person": row.person_id, "union": self.union.id });
            beside.entries.push(Entry::new(self.actor, "signup.nominate", row.id).detail(detail));
        }
        Ok(())
    }
}

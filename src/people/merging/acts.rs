//! Proposing, deciding and undoing merges.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::following::{Followers, Pair};
use super::model::{MergeState, PersonMerge};
use super::rules::{self, MergeEvent};
use super::store;
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{PersonId, PersonMergeId};
use crate::people;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;

/// Who does something about a merge, and when.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// Who.
    pub by: PersonId,
    /// When.
    pub now: DateTime<Utc>,
}

/// One officer says that two accounts are one human.
///
/// # Errors
/// `second_officer_required` where the officer is one of them, `state_forbids` where one of them has a part in another merge that
/// this one cannot stand beside, `people_unfinished` with everything that must end before.
pub fn propose_in_tx(
    conn: &mut Conn,
    followers: &Followers,
    id: PersonMergeId,
    (kept, merged): (PersonId, PersonId),
    reason: &str,
    act: Act,
) -> Result<PersonMerge> {
    rules::keep_away(act.by, kept, merged)?;
    lock_in_tx(conn, kept, merged)?;
    let pair = pair(conn, (kept, merged), reason, act)?;
    may_merge(conn, followers, &pair, id)?;
    let row = PersonMerge {
        id,
        kept_id: kept,
        merged_id: merged,
        state: MergeState::Proposed,
        reason: reason.to_owned(),
        was_enabled: people::store::get(conn, merged)?.disabled_at.is_none(),
        proposed_by: act.by,
        proposed_at: db_time(act.now),
        decided_by: None,
        decided_at: None,
        parting_reason: None,
        parting_by: None,
        parting_at: None,
        parted_by: None,
        parted_at: None,
        version: 1,
    };
    if !store::create_in_tx(conn, &row)? {
        return Err(taken());
    }
    note_in_tx(conn, &row, "person.merge_propose", act)?;
    Ok(row)
}

/// An officer says that they are two after all.
pub fn part_in_tx(conn: &mut Conn, id: PersonMergeId, reason: &str, act: Act) -> Result<PersonMerge> {
    let before = locked_in_tx(conn, id, act)?;
    let after = PersonMerge {
        state: rules::transition(MergeEvent::Part, before.state)?,
        parting_reason: Some(reason.to_owned()),
        parting_by: Some(act.by),
        parting_at: Some(db_time(act.now)),
        ..before.clone()
    };
    written_in_tx(conn, &before, after, "person.part_propose", act)
}

/// Another officer agrees to what is proposed, and it happens; or does not.
pub fn decide_in_tx(
    conn: &mut Conn,
    followers: &Followers,
    id: PersonMergeId,
    agree: bool,
    act: Act,
) -> Result<PersonMerge> {
    let before = locked_in_tx(conn, id, act)?;
    let event = rules::decision(before.state, agree);
    let state = rules::transition(event, before.state)?;
    rules::second(&before, act.by)?;
    let (by, at) = (Some(act.by), Some(db_time(act.now)));
    let after = PersonMerge { state, ..before.clone() };
    match event {
        MergeEvent::Agree => merge_in_tx(conn, followers, &before, act),
        MergeEvent::AgreeParting => separate_in_tx(
            conn,
            followers,
            &before,
            PersonMerge { parted_by: by, parted_at: at, ..after },
            act,
        ),
        MergeEvent::RefuseParting => {
            let after = PersonMerge { parting_reason: None, parting_by: None, parting_at: None, ..after };
            written_in_tx(conn, &before, after, "person.part_refuse", act)
        }
        MergeEvent::Refuse | MergeEvent::Part => {
            let after = PersonMerge { decided_by: by, decided_at: at, ..after };
            written_in_tx(conn, &before, after, "person.merge_refuse", act)
        }
    }
}

fn merge_in_tx(
    conn: &mut Conn,
    followers: &Followers,
    before: &PersonMerge,
    act: Act,
) -> Result<PersonMerge> {
    let pair = pair(conn, (before.kept_id, before.merged_id), &before.reason, act)?;
    may_merge(conn, followers, &pair, before.id)?;
    let was_enabled = people::store::set_disabled_in_tx(conn, before.merged_id, true, act.now)?;
    let after = PersonMerge {
        state: MergeState::Merged,
        was_enabled,
        decided_by: Some(act.by),
        decided_at: Some(db_time(act.now)),
        ..before.clone()
    };
    changed_in_tx(conn, before, &after)?;
    for follower in &followers.0 {
        follower.merged_in_tx(conn, &pair)?;
    }
    note_in_tx(conn, &after, "person.merge", act)?;
    store::get(conn, before.id)
}

fn separate_in_tx(
    conn: &mut Conn,
    followers: &Followers,
    before: &PersonMerge,
    after: PersonMerge,
    act: Act,
) -> Result<PersonMerge> {
    changed_in_tx(conn, before, &after)?;
    if before.was_enabled {
        people::store::set_disabled_in_tx(conn, before.merged_id, false, act.now)?;
    }
    let reason = before.parting_reason.as_deref().unwrap_or_default();
    let pair = pair(conn, (before.kept_id, before.merged_id), reason, act)?;
    for follower in &followers.0 {
        follower.parted_in_tx(conn, &pair)?;
    }
    note_in_tx(conn, &after, "person.part", act)?;
    store::get(conn, before.id)
}

/// The merge, with both accounts locked.
fn locked_in_tx(conn: &mut Conn, id: PersonMergeId, act: Act) -> Result<PersonMerge> {
    let seen = store::get(conn, id)?;
    rules::keep_away(act.by, seen.kept_id, seen.merged_id)?;
    lock_in_tx(conn, seen.kept_id, seen.merged_id)?;
    store::get(conn, id)
}

/// Both accounts, held. Of whom nothing is known any more nothing can be said.
fn lock_in_tx(conn: &mut Conn, kept: PersonId, merged: PersonId) -> Result<()> {
    store::lock_in_tx(conn, [kept, merged])?;
    for account in [kept, merged] {
        people::store::get_there(conn, account)?;
    }
    Ok(())
}

fn pair(conn: &mut Conn, (kept, merged): (PersonId, PersonId), reason: &str, act: Act) -> Result<Pair> {
    let mut others: Vec<PersonId> = store::merged_into(conn, &[kept])?.into_keys().collect();
    others.retain(|other| *other != merged);
    others.sort();
    Ok(Pair { kept, merged, others, reason: reason.to_owned(), now: act.now })
}

/// A link is one step long: nobody is merged into an account that is merged itself.
fn may_merge(conn: &mut Conn, followers: &Followers, pair: &Pair, id: PersonMergeId) -> Result<()> {
    if pair.kept == pair.merged {
        return Err(Error::new(Code::StateForbids).detail("两个账号相同", "It is one account"));
    }
    let is_chain =
        store::is_taken(conn, pair.kept, false, id)? || store::is_taken(conn, pair.merged, true, id)?;
    if is_chain || store::is_taken(conn, pair.merged, false, id)? {
        return Err(taken());
    }
    rules::clean(followers.unfinished(conn, pair)?)
}

fn taken() -> Error {
    Error::new(Code::StateForbids).detail(
        "其中一个账号已并入其他账号，或已有账号并入要停用的账号，请先办结或拆分该合并",
        "One of them is merged into another account, or the one to be merged has others merged into it; end or part that merge first",
    )
}

fn written_in_tx(
    conn: &mut Conn,
    before: &PersonMerge,
    after: PersonMerge,
    action: &'static str,
    act: Act,
) -> Result<PersonMerge> {
    changed_in_tx(conn, before, &after)?;
    note_in_tx(conn, &after, action, act)?;
    store::get(conn, before.id)
}

fn changed_in_tx(conn: &mut Conn, before: &PersonMerge, after: &PersonMerge) -> Result<()> {
    if store::update_in_tx(conn, before, after)? { Ok(()) } else { Err(Error::new(Code::Conflict)) }
}

fn note_in_tx(conn: &mut Conn, row: &PersonMerge, action: &'static str, act: Act) -> Result<()> {
    let detail = json!({ "kept": row.kept_id, "merged": row.merged_id });
    audit::append_in_tx(conn, act.now, vec![Entry::new(act.by, action, row.id).detail(detail)])
}

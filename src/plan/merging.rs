//! Two accounts that are one human count once among different people; and twice again when they turn out to be two.
//!
//! A merge moves the merged account's lines to the kept account's keys, each with its day and its sub-district, where nothing stands yet,
//! and takes them back where something does. Parting takes back what stands under the kept account's keys by an attendance of the other,
//! and lets both count again, each first by the line that it counted by last: so the figures are as if they had never been one. Nothing of
//! the past is rewritten, and what is for a closed month is held. Attendances themselves (人次) count as before: nobody was at one session
//! with both accounts, which is asked before a merge.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use uuid::Uuid;

use super::closing;
use super::counting::{Ground, person_key};
use super::voiding::{Whom, people_again};
use crate::attendance;
use crate::attendance::store::Placed;
use crate::error::Result;
use crate::ids::{ActivityId, Ids, PersonId, PlanId, TargetId};
use crate::ledger;
use crate::ledger::held::Replacing;
use crate::ledger::model::{Because, Cause, Line, NewLine};
use crate::people::merging::following::{Follower, Pair};
use crate::platform::db::Conn;
use crate::platform::db::schema::plans;

/// Lets figures of different people follow.
pub struct PlanMerging {
    /// New ids.
    pub ids: Ids,
}

impl Follower for PlanMerging {
    fn merged_in_tx(&self, conn: &mut Conn, pair: &Pair) -> Result<()> {
        hold_months_in_tx(conn)?;
        let sources = sources(&attendance::store::standing_of(conn, &[pair.merged])?);
        let mut own = ledger::store::standing_locked_in_tx(conn, &sources)?;
        own.retain(|line| is_of(&line.dedup_key, pair.merged));
        let moved: Vec<NewLine> = own.iter().filter_map(|line| moved(line, pair)).collect();
        self.replace_in_tx(conn, pair, &sources, &own, &moved)
    }

    fn parted_in_tx(&self, conn: &mut Conn, pair: &Pair) -> Result<()> {
        hold_months_in_tx(conn)?;
        let theirs = attendance::store::standing_of(conn, &[pair.merged])?;
        let ours = attendance::store::standing_of(conn, &pair.of_kept())?;
        let of_theirs: HashSet<Uuid> = sources(&theirs).into_iter().collect();
        let all: Vec<Placed> = theirs.into_iter().chain(ours).collect();
        let sources = sources(&all);
        let mut resting = ledger::store::standing_locked_in_tx(conn, &sources)?;
        resting.retain(|line| {
            let by = Uuid::from_slice(&line.source_id).is_ok_and(|source| of_theirs.contains(&source));
            by && is_of(&line.dedup_key, pair.kept)
        });
        let keys = keys(&resting);
        let mut again = self.again(conn, pair, &all)?;
        again.retain(|line| {
            is_of(&line.dedup_key, pair.merged) || keys.contains(&(line.target, line.dedup_key.clone()))
        });
        first_as_last(conn, &sources, &mut again)?;
        self.replace_in_tx(conn, pair, &sources, &resting, &first_of_each(again))
    }
}

impl PlanMerging {
    /// Takes `taken` back and writes `lines`. What is said of a target is said at once: where any of it is for a closed month, all of it
    /// waits for that.
    fn replace_in_tx(
        &self,
        conn: &mut Conn,
        pair: &Pair,
        sources: &[Uuid],
        taken: &[Line],
        lines: &[NewLine],
    ) -> Result<()> {
        let (now, cause) = (pair.now, Cause::Recounted);
        let because = Because { cause, reason: &pair.reason };
        let later = later_in_tx(conn, pair, taken, lines)?;
        let replacing = Replacing::keys(keys(taken), &later);
        ledger::store::replace_sources_in_tx(conn, &self.ids, now, sources, because, &replacing)?;
        let mut by_target: BTreeMap<TargetId, Vec<NewLine>> = BTreeMap::new();
        for line in lines {
            by_target.entry(line.target).or_default().push(line.clone());
        }
        for (target, lines) in by_target {
            match later.get(&target) {
                Some(month) => {
                    ledger::store::post_later_in_tx(conn, &self.ids, now, cause, &lines, *month)?;
                }
                None => drop(ledger::store::post_in_tx(conn, &self.ids, now, cause, &lines)?),
            }
        }
        Ok(())
    }

    /// What both would count, each for themselves.
    fn again(&self, conn: &mut Conn, pair: &Pair, all: &[Placed]) -> Result<Vec<NewLine>> {
        let activities: Vec<ActivityId> = all.iter().map(|(_, activity, _)| *activity).collect();
        let ground = Ground::load(conn, activities)?;
        let mut accounts: HashMap<PersonId, PersonId> =
            pair.of_kept().into_iter().map(|id| (id, pair.kept)).collect();
        accounts.insert(pair.merged, pair.merged);
        let whom = Whom { accounts, cause: Cause::Recounted };
        people_again(conn, &ground, all, std::iter::empty(), &whom)
    }
}

/// Nobody counts for any plan until the commit: who would wait for a key that is going sees that it is gone.
fn hold_months_in_tx(conn: &mut Conn) -> Result<()> {
    let all: Vec<PlanId> = plans::table.order(plans::id).select(plans::id).load(conn)?;
    for plan in all {
        closing::store::periods_lock_in_tx(conn, plan)?;
    }
    Ok(())
}

/// Targets of which nothing changes before a closed month is restated: any of these lines is of it, or something of the two waits for it
/// already.
fn later_in_tx(
    conn: &mut Conn,
    pair: &Pair,
    taken: &[Line],
    lines: &[NewLine],
) -> Result<HashMap<TargetId, (PlanId, NaiveDate)>> {
    let taken = taken.iter().map(|line| (line.target_id, line.month));
    let lines = lines.iter().map(|line| (line.target, ledger::store::month_of(line.day)));
    let months: BTreeSet<(TargetId, NaiveDate)> = taken.chain(lines).collect();
    let closed = ledger::held::closed_in_tx(conn, months.iter().copied())?;
    let mut later = HashMap::new();
    for (target, month) in months {
        if let Some(plan) = closed.plan(target, month) {
            later.entry(target).or_insert((plan, month));
        }
        for person in [pair.kept, pair.merged] {
            if let Entry::Vacant(new) = later.entry(target)
                && let Some(month) = ledger::held::waits_already(conn, target, &person_key(person, None))?
            {
                new.insert(month);
            }
        }
    }
    Ok(later)
}

/// Of several lines under one key the first.
fn first_of_each(mut lines: Vec<NewLine>) -> Vec<NewLine> {
    let mut seen = HashSet::new();
    lines.retain(|line| seen.insert((line.target, line.dedup_key.clone())));
    lines
}

fn sources(placed: &[Placed]) -> Vec<Uuid> {
    placed.iter().map(|(row, _, _)| row.id.0).collect()
}

fn keys(lines: &[Line]) -> HashSet<(TargetId, String)> {
    lines.iter().map(|line| (line.target_id, line.dedup_key.clone())).collect()
}

/// Whether `key` is one of `person`'s, as one of different people.
fn is_of(key: &str, person: PersonId) -> bool {
    let whole = person_key(person, None);
    key.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The line under the kept account's key.
fn moved(line: &Line, pair: &Pair) -> Option<NewLine> {
    let part = line.dedup_key.strip_prefix(&person_key(pair.merged, None))?;
    Some(NewLine {
        target: line.target_id,
        organisation: line.organisation_id,
        day: line.day,
        quantity: line.quantity,
        dedup_key: format!("{}{part}", person_key(pair.kept, None)),
        source_kind: line.source_kind,
        source_id: Uuid::from_slice(&line.source_id).ok()?,
        activity: line.activity_id,
        grade: line.grade,
    })
}

/// Of several lines under one key the first is written: that by which the key counted last.
fn first_as_last(conn: &mut Conn, sources: &[Uuid], again: &mut [NewLine]) -> Result<()> {
    type Last = (NaiveDateTime, i64, Vec<u8>);
    let waited = ledger::held::ever_posts_of_sources(conn, sources)?;
    let waited = waited.iter().map(ledger::held::as_line);
    let mut last: HashMap<(TargetId, String), Last> = HashMap::new();
    for line in ledger::store::lines_of_sources(conn, sources)?.into_iter().chain(waited) {
        if !line.is_reversal {
            let one = (line.recorded_at, line.generation, line.source_id);
            let known = last.entry((line.target_id, line.dedup_key)).or_insert_with(|| one.clone());
            if *known < one {
                *known = one;
            }
        }
    }
    // Stable: the others stay in the order in which they were recorded.
    again.sort_by_key(|line| {
        let last = last.get(&(line.target, line.dedup_key.clone()));
        last.is_none_or(|(_, _, source)| source.as_slice() != line.source_id.as_bytes())
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_person() {
        let person = |number| PersonId(Uuid::from_u128(number));
        let street = crate::ids::OrganisationId(Uuid::from_u128(7));
        assert!(is_of(&person_key(person(1), None), person(1)));
        assert!(is_of(&person_key(person(1), Some(street)), person(1)));
        assert!(!is_of(&person_key(person(1), None), person(2)));
        assert!(!is_of(&format!("{}x", person_key(person(1), None)), person(1)));
    }
}

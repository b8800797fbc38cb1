//! The lines of reported figures, brought into line with the versions that count.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::{rules, store};
use crate::error::Result;
use crate::ids::{Ids, TargetId};
use crate::ledger::model::{Because, Cause, Line, NewLine};
use crate::plan::model::{CountedFrom, Target};
use crate::platform::db::Conn;
use crate::platform::db::schema::targets;
use crate::{ledger, org};

/// What is compared of a line: its key, its figure's owner, its day and its quantity.
type Told = (String, Uuid, chrono::NaiveDate, i64);

/// Takes back the lines of a target that its reports no longer ask for, and counts what they ask for. The caller holds the target's
/// lock.
pub fn settle_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    target: &Target,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let expected = lines_of(conn, target)?;
    let sources: Vec<Uuid> = store::ever_approved(conn, target.id)?.into_iter().map(|id| id.0).collect();
    let written = ledger::store::lines_of_sources(conn, &sources)?;
    let mut stands: BTreeMap<Uuid, BTreeSet<Told>> = BTreeMap::new();
    let reversed: BTreeSet<_> = written.iter().filter_map(|line| line.reverses).collect();
    for line in written.iter().filter(|line| !line.is_reversal && !reversed.contains(&line.id)) {
        stands.entry(Uuid::from_slice(&line.source_id).unwrap_or_default()).or_default().insert(told(line));
    }
    let mut asked: BTreeMap<Uuid, BTreeSet<Told>> = BTreeMap::new();
    for line in &expected {
        asked.entry(line.source_id).or_default().insert((
            line.dedup_key.clone(),
            line.organisation.0,
            line.day,
            line.quantity,
        ));
    }
    let other: Vec<Uuid> = stands
        .iter()
        .filter(|(source, own)| asked.get(source) != Some(own))
        .map(|(source, _)| *source)
        .collect();
    if !other.is_empty() {
        let because = Because { cause: Cause::Report, reason };
        ledger::store::reverse_sources_in_tx(conn, ids, now, &other, because)?;
    }
    // What stands already is not counted again.
    ledger::store::post_in_tx(conn, ids, now, Cause::Report, &expected)?;
    Ok(())
}

fn told(line: &Line) -> Told {
    (line.dedup_key.clone(), line.organisation_id.0, line.day, line.quantity)
}

fn lines_of(conn: &mut Conn, target: &Target) -> Result<Vec<NewLine>> {
    let current = store::current(conn, &[target.id])?;
    let (organisations, root) = (org::store::all(conn)?, org::store::root(conn)?.id);
    Ok(rules::lines(target, root, &organisations, &current))
}

/// All lines that the versions that count ought to have; for verification.
pub fn expected_lines(conn: &mut Conn) -> Result<Vec<NewLine>> {
    let reported: Vec<Target> = targets::table
        .filter(targets::counted_from.eq(CountedFrom::Report))
        .order(targets::id)
        .select(Target::as_select())
        .load(conn)?;
    let ids: Vec<TargetId> = reported.iter().map(|target| target.id).collect();
    let mut current = store::current(conn, &ids)?;
    let (organisations, root) = (org::store::all(conn)?, org::store::root(conn)?.id);
    let mut lines = Vec::new();
    for target in &reported {
        let (own, others): (Vec<_>, Vec<_>) =
            current.into_iter().partition(|(row, _)| row.target_id == target.id);
        current = others;
        lines.extend(rules::lines(target, root, &organisations, &own));
    }
    Ok(lines)
}

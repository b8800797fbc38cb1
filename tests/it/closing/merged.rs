//! I5 within the histories: a merge that is undone leaves every figure of now as it was, by sub-district and by month; and neither of the
//! two moves what was known before.

use chrono::{NaiveDate, TimeDelta};
use diesel::prelude::*;
use rand::RngExt;
use rand::seq::IndexedRandom;
use unionhall::clock::{Clock, db_time};
use unionhall::error::Result;
use unionhall::ids::{PersonId, PersonMergeId};
use unionhall::ledger;
use unionhall::people::merging::following::{Follower, Pair};
use unionhall::people::merging::model::{MergeState, PersonMerge};
use unionhall::people::merging::store as merges;
use unionhall::plan::merging::PlanMerging;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::person_merges;

use super::histories::{Figures, History};

impl History<'_> {
    /// As whom an account counts.
    pub(super) fn human(&self, person: PersonId) -> PersonId {
        self.merged.get(&person).map_or(person, |(_, kept)| *kept)
    }

    pub(super) fn merge_or_part(&mut self, conn: &mut Conn) -> Result<Option<&'static str>> {
        let merged: Vec<PersonId> = self.merged.keys().copied().collect();
        if let Some(person) = merged.choose(&mut self.rng).copied()
            && self.rng.random_bool(0.5)
        {
            self.part(conn, person)?;
            return Ok(Some("part"));
        }
        let people = &self.place.people;
        let (kept, merged) = (*people.choose(&mut self.rng).unwrap(), *people.choose(&mut self.rng).unwrap());
        let is_kept = self.merged.values().any(|(_, kept)| *kept == merged);
        if kept == merged || is_kept || self.merged.contains_key(&kept) || self.merged.contains_key(&merged) {
            return Ok(None);
        }
        // What a restatement posted is recorded a little after everything else.
        let last = ledger::past::last_recorded(conn, self.place.plan.id)?;
        let (before, at) =
            (self.by_month(conn)?, last.map_or(self.clock.now(), |last| last.max(self.clock.now())));
        self.clock.advance(TimeDelta::seconds(1));
        self.merge(conn, kept, merged)?;
        let seed = self.seed;
        assert_eq!(self.figures(conn, Some(at), None)?, before[0], "seed {seed}: the past, merged");
        if self.rng.random_bool(0.6) {
            return Ok(Some("merge"));
        }
        self.part(conn, merged)?;
        assert_eq!(self.by_month(conn)?, before, "seed {seed}: {merged} was merged into {kept} and parted");
        assert_eq!(self.figures(conn, Some(at), None)?, before[0], "seed {seed}: the past, parted");
        Ok(Some("merge and part"))
    }

    pub(super) fn part_all(&mut self, conn: &mut Conn) -> Result<()> {
        for person in self.merged.keys().copied().collect::<Vec<_>>() {
            self.part(conn, person)?;
        }
        Ok(())
    }

    fn by_month(&self, conn: &mut Conn) -> Result<Vec<Figures>> {
        let months = (3..=5).map(|month| NaiveDate::from_ymd_opt(2025, month, 1));
        std::iter::once(None).chain(months).map(|month| self.figures(conn, None, month)).collect()
    }

    fn pair(&self, kept: PersonId, merged: PersonId) -> Pair {
        let others = self.merged.iter().filter(|(_, (_, into))| *into == kept).map(|(person, _)| *person);
        let others = others.filter(|person| *person != merged).collect();
        Pair { kept, merged, others, reason: "同一人".into(), now: self.clock.now() }
    }

    fn merge(&mut self, conn: &mut Conn, kept: PersonId, merged: PersonId) -> Result<()> {
        let id: PersonMergeId = self.ids.id();
        let at = db_time(self.clock.now());
        let row = PersonMerge {
            id,
            kept_id: kept,
            merged_id: merged,
            state: MergeState::Merged,
            reason: "同一人".into(),
            was_enabled: true,
            proposed_by: self.place.officers[0],
            proposed_at: at,
            decided_by: Some(self.place.officers[1]),
            decided_at: Some(at),
            parting_reason: None,
            parting_by: None,
            parting_at: None,
            parted_by: None,
            parted_at: None,
            version: 1,
        };
        diesel::insert_into(person_merges::table).values(&row).execute(conn)?;
        self.merged.insert(merged, (id, kept));
        PlanMerging { ids: self.ids.clone() }.merged_in_tx(conn, &self.pair(kept, merged))
    }

    fn part(&mut self, conn: &mut Conn, merged: PersonId) -> Result<()> {
        let (id, kept) = self.merged.remove(&merged).unwrap();
        let (before, at) = (merges::get(conn, id)?, db_time(self.clock.now()));
        let after = PersonMerge {
            state: MergeState::Parted,
            parting_reason: Some("两个人".into()),
            parting_by: Some(self.place.officers[0]),
            parting_at: Some(at),
            parted_by: Some(self.place.officers[1]),
            parted_at: Some(at),
            ..before.clone()
        };
        assert!(merges::update_in_tx(conn, &before, &after)?);
        PlanMerging { ids: self.ids.clone() }.parted_in_tx(conn, &self.pair(kept, merged))
    }
}

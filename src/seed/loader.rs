//! Writing seeds to the database. What is there already is brought up to date or left alone: loading twice changes nothing.

mod figures;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::model::{Activity, DEMO_PREFIX, SeedSet};
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Result};
use crate::identity;
use crate::identity::model::StaffGrant;
use crate::ids::{CountingRuleId, Ids, OrganisationId, PersonId, PlanId, PlanItemId, ProgrammeId, TargetId};
use crate::offering;
use crate::offering::model::{ActivityState, SessionState};
use crate::org;
use crate::plan;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    activities, counting_rules, milestones, organisations, people, plan_items, plans, programmes,
    staff_grants, targets,
};
use crate::platform::wechat::simulator::openid_for;

/// What a load did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows that were not there.
    pub created: usize,
    /// Rows that said something else.
    pub changed: usize,
    /// Rows that were there as they should be.
    pub unchanged: usize,
}

/// With what to load.
pub struct Loader<'a> {
    /// New ids.
    pub ids: &'a Ids,
    /// The present: the demonstration's days are counted from it.
    pub now: DateTime<Utc>,
    /// The mini-program whose simulated users get staff roles; none to leave them out.
    pub simulated_appid: Option<&'a str>,
    /// Whether to load the demonstration.
    pub demo: bool,
}

/// Loads everything in the current transaction.
pub fn load_in_tx(conn: &mut Conn, seeds: &SeedSet, loader: &Loader<'_>) -> Result<Loaded> {
    // Two instances that start on an empty database at once: the later one waits here and finds everything there.
    audit::hold_in_tx(conn)?;
    let mut work = Work { loader, loaded: Loaded::default(), organisations: HashMap::new() };
    work.organisations(conn, seeds)?;
    let plan = work.plan(conn, seeds)?;
    let items = work.items(conn, seeds, plan)?;
    let targets = work.targets(conn, seeds, plan, &items)?;
    work.milestones(conn, seeds, plan, &items)?;
    work.rules(conn, seeds, &targets)?;
    work.policies(conn, seeds)?;
    work.topics(conn, seeds)?;
    work.pauses(conn, seeds)?;
    work.chains(conn, seeds)?;
    work.calendar(conn, seeds)?;
    if loader.demo {
        let programmes = work.programmes(conn, seeds)?;
        work.activities(conn, seeds, &programmes)?;
        work.staff(conn, seeds)?;
    }
    let loaded = work.loaded;
    if loaded.created + loaded.changed > 0 {
        let entry = Entry::system("seed.load", format!("plan-{}", seeds.plan.year))
            .detail(json!({ "created": loaded.created, "changed": loaded.changed }));
        audit::append_in_tx(conn, loader.now, vec![entry])?;
    }
    Ok(loaded)
}

struct Work<'a> {
    loader: &'a Loader<'a>,
    loaded: Loaded,
    organisations: HashMap<String, org::model::Organisation>,
}

impl Work<'_> {
    fn note(&mut self, existing: bool, same: bool) {
        match (existing, same) {
            (false, _) => self.loaded.created += 1,
            (true, true) => self.loaded.unchanged += 1,
            (true, false) => self.loaded.changed += 1,
        }
    }

    fn organisation(&self, code: &str) -> Result<&org::model::Organisation> {
        let found = self.organisations.get(code);
        found.ok_or_else(|| {
            Error::internal(format!("the organisation {code} is not loaded; is it of the demonstration?"))
        })
    }

    fn organisations(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let known = org::store::all(conn)?;
        let by_code: HashMap<&str, &org::model::Organisation> =
            known.values().map(|row| (row.code.as_str(), row)).collect();
        for seed in seeds.organisations.iter().filter(|seed| self.loader.demo || !seed.is_demo()) {
            let parent = match &seed.parent_code {
                Some(code) => Some(self.organisation(code)?.clone()),
                None => None,
            };
            let old = by_code.get(seed.code.as_str()).copied();
            let id: OrganisationId = old.map_or_else(|| self.loader.ids.id(), |old| old.id);
            let mut row = org::model::Organisation {
                id,
                code: seed.code.clone(),
                name: seed.name.clone(),
                short_name: seed.short_name.clone(),
                kind: seed.kind,
                parent_id: parent.as_ref().map(|parent| parent.id),
                path: org::rules::path(parent.as_ref().map(|parent| parent.path.as_str()), &seed.code),
                street_id: org::rules::street(id, seed.kind, parent.as_ref()),
                division_code: seed.division_code.clone(),
                level: seed.level.map(|level| level.to_string()),
                opened_on: old.map_or_else(|| civil_day(self.loader.now), |old| old.opened_on),
                closed_on: old.and_then(|old| old.closed_on),
                version: old.map_or(1, |old| old.version),
            };
            let same = old.is_some_and(|old| {
                // A moved node takes its descendants' paths with it: they come later and see its new one.
                (&old.name, &old.short_name, old.kind, old.parent_id, &old.path, old.street_id)
                    == (&row.name, &row.short_name, row.kind, row.parent_id, &row.path, row.street_id)
                    && (&old.division_code, &old.level) == (&row.division_code, &row.level)
            });
            if old.is_none() {
                diesel::insert_into(organisations::table).values(&row).execute(conn)?;
            } else if !same {
                row.version += 1;
                diesel::update(organisations::table.find(id)).set(&row).execute(conn)?;
            }
            self.note(old.is_some(), same);
            self.organisations.insert(seed.code.clone(), row);
        }
        Ok(())
    }

    fn plan(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<PlanId> {
        let seed = &seeds.plan;
        let day = |month, day| {
            i32::try_from(seed.year)
                .ok()
                .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
                .ok_or_else(|| Error::internal(format!("{} is no year", seed.year)))
        };
        let (starts_on, ends_on) = (day(1, 1)?, day(12, 31)?);
        let old: Option<plan::model::Plan> = plans::table
            .filter(plans::year.eq(seed.year))
            .select(plan::model::Plan::as_select())
            .first(conn)
            .optional()?;
        // The demonstration's activities are around today, whatever the plan's year: for them the plan counts on.
        let today = civil_day(self.loader.now);
        let counted = old.as_ref().map_or(ends_on, |old| old.counts_until);
        let counts_until = if self.loader.demo && counted <= today {
            today + TimeDelta::days(366)
        } else {
            counted.max(ends_on)
        };
        let row = plan::model::Plan {
            id: old.as_ref().map_or_else(|| self.loader.ids.id(), |old| old.id),
            year: seed.year,
            title: seed.title.clone(),
            preamble: seed.preamble.clone(),
            starts_on,
            ends_on,
            counts_from: starts_on,
            counts_until,
        };
        let same = old.as_ref().is_some_and(|old| {
            (&old.title, &old.preamble, old.counts_until) == (&row.title, &row.preamble, row.counts_until)
        });
        if old.is_none() {
            diesel::insert_into(plans::table).values(&row).execute(conn)?;
            plan::closing::store::periods_make_in_tx(conn, &row)?;
        } else if !same {
            diesel::update(plans::table.find(row.id))
                .set((
                    plans::title.eq(&row.title),
                    plans::preamble.eq(&row.preamble),
                    plans::counts_until.eq(row.counts_until),
                ))
                .execute(conn)?;
        }
        self.note(old.is_some(), same);
        Ok(row.id)
    }

    fn items(&mut self, conn: &mut Conn, seeds: &SeedSet, plan: PlanId) -> Result<HashMap<i64, PlanItemId>> {
        let known = plan::store::items(conn, plan)?;
        let mut ids = HashMap::new();
        for seed in &seeds.plan.items {
            let section = seeds.plan.sections.iter().find(|section| section.number == seed.section);
            let old = known.iter().find(|row| row.number == seed.number);
            let row = plan::model::PlanItem {
                id: old.map_or_else(|| self.loader.ids.id(), |old| old.id),
                plan_id: plan,
                number: seed.number,
                section: section.map(|section| section.title.clone()).unwrap_or_default(),
                title: seed.title.clone(),
                body: seed.text.clone(),
                leads: json!(seed.leads).to_string(),
                participants: json!(seed.participants).to_string(),
            };
            let same = old.is_some_and(|old| {
                (&old.section, &old.title, &old.body, &old.leads, &old.participants)
                    == (&row.section, &row.title, &row.body, &row.leads, &row.participants)
            });
            if old.is_none() {
                diesel::insert_into(plan_items::table).values(&row).execute(conn)?;
            } else if !same {
                diesel::update(plan_items::table.find(row.id))
                    .set((
                        plan_items::section.eq(&row.section),
                        plan_items::title.eq(&row.title),
                        plan_items::body.eq(&row.body),
                        plan_items::leads.eq(&row.leads),
                        plan_items::participants.eq(&row.participants),
                    ))
                    .execute(conn)?;
            }
            self.note(old.is_some(), same);
            ids.insert(seed.number, row.id);
        }
        Ok(ids)
    }

    /// Targets are created, and their figures never changed: what was promised is not edited under its ledger.
    fn targets(
        &mut self,
        conn: &mut Conn,
        seeds: &SeedSet,
        plan: PlanId,
        items: &HashMap<i64, PlanItemId>,
    ) -> Result<HashMap<String, TargetId>> {
        let known = plan::store::targets(conn, plan)?;
        let mut ids: HashMap<String, TargetId> = known.iter().map(|row| (row.code.clone(), row.id)).collect();
        for seed in &seeds.targets {
            let semantics = &seed.semantics;
            let curve = (!semantics.curve.is_empty()).then(|| json!(semantics.curve).to_string());
            if let Some(old) = known.iter().find(|row| row.code == seed.code) {
                // How a target is read may change; what was promised does not.
                let same = (old.coverage, &old.curve, old.min_good_percent)
                    == (semantics.coverage, &curve, semantics.min_good_percent);
                if !same {
                    diesel::update(targets::table.find(old.id))
                        .set((
                            targets::coverage.eq(semantics.coverage),
                            targets::curve.eq(&curve),
                            targets::min_good_percent.eq(semantics.min_good_percent),
                        ))
                        .execute(conn)?;
                }
                self.note(true, same);
                continue;
            }
            let row = plan::model::Target {
                id: self.loader.ids.id(),
                plan_id: plan,
                item_id: item(items, seed.item)?,
                code: seed.code.clone(),
                clause: seed.clause.clone(),
                measure: seed.measure,
                comparator: seed.comparator,
                value: seed.value,
                upper: seed.upper,
                unit: seed.unit.clone(),
                each: seed.each,
                period: seed.period,
                counted_from: seed.counted_from,
                pair: semantics.pair.clone(),
                parts: json!(semantics.parts).to_string(),
                min_level: semantics.min_level.map(|level| level.to_string()),
                rotates: semantics.rotates,
                coverage: semantics.coverage,
                curve,
                min_good_percent: semantics.min_good_percent,
            };
            diesel::insert_into(targets::table).values(&row).execute(conn)?;
            ids.insert(row.code, row.id);
        }
        Ok(ids)
    }

    fn milestones(
        &mut self,
        conn: &mut Conn,
        seeds: &SeedSet,
        plan: PlanId,
        items: &HashMap<i64, PlanItemId>,
    ) -> Result<()> {
        let known = plan::store::milestones(conn, plan)?;
        for seed in &seeds.milestones {
            let old = known.iter().find(|row| row.code == seed.code);
            let due_on = seed.due.last_day();
            let same = old.is_some_and(|old| old.name == seed.name && old.due_on == due_on);
            match old {
                None => {
                    let row = plan::model::Milestone {
                        id: self.loader.ids.id(),
                        plan_id: plan,
                        item_id: item(items, seed.item)?,
                        code: seed.code.clone(),
                        name: seed.name.clone(),
                        due_on,
                        done_at: None,
                        done_by: None,
                        evidence: None,
                        version: 1,
                    };
                    diesel::insert_into(milestones::table).values(&row).execute(conn)?;
                }
                Some(old) if !same => {
                    diesel::update(milestones::table.find(old.id))
                        .set((
                            milestones::name.eq(&seed.name),
                            milestones::due_on.eq(due_on),
                            milestones::version.eq(old.version + 1),
                        ))
                        .execute(conn)?;
                }
                Some(_) => {}
            }
            self.note(old.is_some(), same);
        }
        Ok(())
    }

    fn rules(&mut self, conn: &mut Conn, seeds: &SeedSet, targets: &HashMap<String, TargetId>) -> Result<()> {
        let text = |value: Option<String>| value.unwrap_or_default();
        for seed in &seeds.counting_rules {
            let target = targets.get(&seed.target).copied();
            let row = plan::model::CountingRule {
                id: self.loader.ids.id(),
                target_id: target.ok_or_else(|| Error::internal(format!("no target {}", seed.target)))?,
                programme_kind: text(seed.programme_kind.map(|kind| kind.to_string())),
                topic: text(seed.topic.clone()),
                audience: text(seed.audience.map(|audience| audience.to_string())),
                role: text(seed.role.map(|role| role.to_string())),
                attribution: seed.attribution,
            };
            let old: Option<(CountingRuleId, plan::model::Attribution)> = counting_rules::table
                .filter(counting_rules::target_id.eq(row.target_id))
                .filter(counting_rules::programme_kind.eq(&row.programme_kind))
                .filter(counting_rules::topic.eq(&row.topic))
                .filter(counting_rules::audience.eq(&row.audience))
                .filter(counting_rules::role.eq(&row.role))
                .select((counting_rules::id, counting_rules::attribution))
                .first(conn)
                .optional()?;
            let same = old.is_some_and(|(_, attribution)| attribution == row.attribution);
            match old {
                None => {
                    diesel::insert_into(counting_rules::table).values(&row).execute(conn)?;
                }
                Some((id, _)) if !same => {
                    diesel::update(counting_rules::table.find(id))
                        .set(counting_rules::attribution.eq(row.attribution))
                        .execute(conn)?;
                }
                Some(_) => {}
            }
            self.note(old.is_some(), same);
        }
        Ok(())
    }

    fn programmes(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<HashMap<String, ProgrammeId>> {
        let known: Vec<(Option<String>, ProgrammeId)> = programmes::table
            .filter(programmes::code.like(format!("{DEMO_PREFIX}%")))
            .select((programmes::code, programmes::id))
            .load(conn)?;
        let mut ids: HashMap<String, ProgrammeId> =
            known.into_iter().filter_map(|(code, id)| Some((code?, id))).collect();
        for seed in &seeds.demo.programmes {
            self.note(ids.contains_key(&seed.code), true);
            if ids.contains_key(&seed.code) {
                continue;
            }
            let row = offering::model::Programme {
                id: self.loader.ids.id(),
                code: Some(seed.code.clone()),
                organisation_id: self.organisation(&seed.organisation)?.id,
                name: seed.name.clone(),
                summary: seed.summary.clone(),
                kind: seed.kind,
                topic: seed.topic.clone(),
                audience: seed.audience,
                version: 1,
                created_at: db_time(self.loader.now),
            };
            offering::store::programme_create_in_tx(conn, &row)?;
            ids.insert(seed.code.clone(), row.id);
        }
        Ok(ids)
    }

    fn activities(
        &mut self,
        conn: &mut Conn,
        seeds: &SeedSet,
        programmes: &HashMap<String, ProgrammeId>,
    ) -> Result<()> {
        let known: Vec<Option<String>> = activities::table
            .filter(activities::code.like(format!("{DEMO_PREFIX}%")))
            .select(activities::code)
            .load(conn)?;
        for seed in &seeds.demo.activities {
            let exists = known.iter().flatten().any(|code| *code == seed.code);
            self.note(exists, true);
            if exists {
                continue;
            }
            let programme = seeds.demo.programmes.iter().find(|programme| programme.code == seed.programme);
            let (Some(programme), Some(programme_id)) = (programme, programmes.get(&seed.programme)) else {
                return Err(Error::internal(format!("no programme {}", seed.programme)));
            };
            let (row, sessions) = self.activity(seed, *programme_id, programme.allocation)?;
            offering::store::activity_create_in_tx(conn, &row, &sessions)?;
        }
        Ok(())
    }

    fn activity(
        &self,
        seed: &Activity,
        programme: ProgrammeId,
        allocation: offering::model::Allocation,
    ) -> Result<(offering::model::Activity, Vec<offering::model::Session>)> {
        let today = civil_day(self.loader.now);
        let id = self.loader.ids.id();
        let sessions: Vec<offering::model::Session> = (1..)
            .zip(&seed.sessions)
            .map(|(number, session)| {
                let starts_at = session.start.on(today);
                offering::model::Session {
                    id: self.loader.ids.id(),
                    activity_id: id,
                    number,
                    starts_at: db_time(starts_at),
                    ends_at: db_time(starts_at + TimeDelta::minutes(session.minutes.clamp(1, 1440))),
                    state: SessionState::Planned,
                    state_reason: None,
                    held: None,
                    present: 0,
                    finalised_at: None,
                    finalised_by: None,
                    reopened_at: None,
                    version: 1,
                }
            })
            .collect();
        let closes = db_time(seed.signup_closes.on(today));
        let organiser = self.organisation(&seed.organiser)?.id;
        let row = offering::model::Activity {
            code: Some(seed.code.clone()),
            street_id: Some(self.organisation(&seed.venue.sub_district)?.id),
            title: seed.title.clone(),
            summary: seed.summary.clone(),
            venue: seed.venue.name.clone(),
            address: seed.venue.address.clone(),
            state: ActivityState::Published,
            allocation,
            capacity: seed.capacity,
            bookable: seed.capacity,
            signup_opens_at: db_time(seed.signup_opens.on(today)),
            signup_closes_at: closes,
            starts_at: sessions.iter().map(|session| session.starts_at).min().unwrap_or(closes),
            ends_at: sessions.iter().map(|session| session.ends_at).max().unwrap_or(closes),
            ..offering::model::Activity::draft(id, programme, organiser, self.loader.now)
        };
        Ok((row, sessions))
    }

    /// Roles of simulated users, who need not have logged in yet.
    fn staff(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let Some(appid) = self.loader.simulated_appid else { return Ok(()) };
        let (ids, now) = (self.loader.ids, self.loader.now);
        for seed in &seeds.demo.staff {
            let openid = openid_for(appid, &seed.user);
            let person: PersonId = identity::store::person_of_wechat_in_tx(conn, ids, appid, &openid, now)?;
            diesel::update(people::table.filter(people::id.eq(person)).filter(people::name.is_null()))
                .set(people::name.eq(&seed.name))
                .execute(conn)?;
            let grant = StaffGrant {
                id: ids.id(),
                person_id: person,
                role: seed.role,
                organisation_id: self.organisation(&seed.organisation)?.id,
                granted_by: None,
                granted_at: db_time(now),
                revoked_at: None,
            };
            // Once: a role that was revoked since does not come back with the next start.
            let before: i64 = staff_grants::table
                .filter(staff_grants::person_id.eq(grant.person_id))
                .filter(staff_grants::role.eq(grant.role))
                .filter(staff_grants::organisation_id.eq(grant.organisation_id))
                .count()
                .get_result(conn)?;
            if before == 0 {
                identity::store::grant_in_tx(conn, grant)?;
            }
            self.note(before > 0, true);
        }
        Ok(())
    }
}

fn item(items: &HashMap<i64, PlanItemId>, number: i64) -> Result<PlanItemId> {
    items.get(&number).copied().ok_or_else(|| Error::internal(format!("no plan item {number}")))
}

//! Lists and figures that stand by themselves: topics, policies, days on which penalties do not run, the calendar.

use std::collections::{HashMap, HashSet};

use chrono::{Datelike, NaiveDate};
use diesel::prelude::*;

use super::Work;
use crate::error::{Error, Result};
use crate::offering;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    calendar_days, calendar_years, penalty_pauses, policies, review_chains, review_reasons, reviews, topics,
};
use crate::policy;
use crate::policy::model::{CalendarDay, CalendarYear};
use crate::review::model::{Chain, Reason};
use crate::seed::model::{PolicyValue, SeedSet};
use crate::signup::penalty::model::Pause;

impl Work<'_> {
    pub(super) fn topics(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let known: HashMap<String, String> =
            offering::store::topic_list(conn)?.into_iter().map(|row| (row.code, row.name)).collect();
        for seed in &seeds.topics {
            let old = known.get(&seed.code);
            let same = old == Some(&seed.name);
            let row = offering::model::Topic { code: seed.code.clone(), name: seed.name.clone() };
            if old.is_none() {
                diesel::insert_into(topics::table).values(&row).execute(conn)?;
            } else if !same {
                diesel::update(topics::table.find(&row.code))
                    .set(topics::name.eq(&row.name))
                    .execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        Ok(())
    }

    pub(super) fn policies(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        for seed in &seeds.policies {
            let row = policy::model::Policy {
                policy_key: seed.key.clone(),
                effective_from: seed.effective_from,
                value: match &seed.value {
                    PolicyValue::Whole(number) => number.to_string(),
                    PolicyValue::Day(day) => day.to_string(),
                    PolicyValue::Words(words) => words.join(";"),
                },
                unit: seed.unit,
                source: seed.source.clone(),
            };
            let key = (row.policy_key.clone(), row.effective_from);
            let old: Option<policy::model::Policy> = policies::table
                .find(key.clone())
                .select(policy::model::Policy::as_select())
                .first(conn)
                .optional()?;
            let same = old.as_ref().is_some_and(|old| {
                (&old.value, old.unit, &old.source) == (&row.value, row.unit, &row.source)
            });
            if old.is_none() {
                diesel::insert_into(policies::table).values(&row).execute(conn)?;
            } else if !same {
                diesel::update(policies::table.find(key))
                    .set((
                        policies::value.eq(&row.value),
                        policies::unit.eq(row.unit),
                        policies::source.eq(&row.source),
                    ))
                    .execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        Ok(())
    }

    /// Chains are never changed under the requests that were opened with them: a new version has a later day.
    pub(super) fn chains(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let known: Vec<Chain> = review_chains::table.select(Chain::as_select()).load(conn)?;
        for row in &seeds.chains {
            let old =
                known.iter().find(|old| (&old.code, old.effective_from) == (&row.code, row.effective_from));
            let same = old == Some(row);
            if old.is_none() {
                diesel::insert_into(review_chains::table).values(row).execute(conn)?;
            } else if !same {
                let key = (&row.code, row.effective_from);
                let used = reviews::table
                    .filter(reviews::chain.eq(&row.code))
                    .filter(reviews::chain_from.eq(row.effective_from));
                if diesel::select(diesel::dsl::exists(used)).get_result::<bool>(conn)? {
                    return Err(Error::internal(format!(
                        "requests were opened under the chain {} of {}: give its new version a later effective_from",
                        row.code, row.effective_from
                    )));
                }
                diesel::update(review_chains::table.find(key)).set(row).execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        let known: Vec<Reason> = review_reasons::table.select(Reason::as_select()).load(conn)?;
        for row in &seeds.reasons {
            let old = known.iter().find(|old| old.code == row.code);
            let same = old == Some(row);
            if old.is_none() {
                diesel::insert_into(review_reasons::table).values(row).execute(conn)?;
            } else if !same {
                diesel::update(review_reasons::table.find(&row.code)).set(row).execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        Ok(())
    }

    pub(super) fn pauses(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let known: Vec<Pause> = penalty_pauses::table.select(Pause::as_select()).load(conn)?;
        for seed in &seeds.penalty_pauses {
            let row = Pause {
                from_day: seed.from_day,
                until_day: seed.until_day,
                reason: seed.reason.clone(),
                source: seed.source.clone(),
            };
            let old = known.iter().find(|old| old.from_day == row.from_day);
            let same = old == Some(&row);
            if old.is_none() {
                diesel::insert_into(penalty_pauses::table).values(&row).execute(conn)?;
            } else if !same {
                diesel::update(penalty_pauses::table.find(row.from_day)).set(&row).execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        Ok(())
    }

    pub(super) fn calendar(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let known: HashMap<i64, CalendarYear> = calendar_years::table
            .select(CalendarYear::as_select())
            .load(conn)?
            .into_iter()
            .map(|row| (row.year, row))
            .collect();
        for seed in &seeds.calendar_years {
            let row = CalendarYear { year: seed.year, source: seed.source.clone() };
            let old = known.get(&row.year);
            let same = old == Some(&row);
            if old.is_none() {
                diesel::insert_into(calendar_years::table).values(&row).execute(conn)?;
            } else if !same {
                diesel::update(calendar_years::table.find(row.year)).set(&row).execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        self.calendar_days(conn, seeds)
    }

    fn calendar_days(&mut self, conn: &mut Conn, seeds: &SeedSet) -> Result<()> {
        let known: HashMap<NaiveDate, CalendarDay> = calendar_days::table
            .select(CalendarDay::as_select())
            .load(conn)?
            .into_iter()
            .map(|row| (row.day, row))
            .collect();
        for seed in &seeds.calendar_days {
            let row = CalendarDay {
                day: seed.day,
                kind: seed.kind,
                name: seed.name.clone(),
                source: seed.source.clone(),
            };
            let old = known.get(&row.day);
            let same = old == Some(&row);
            if old.is_none() {
                diesel::insert_into(calendar_days::table).values(&row).execute(conn)?;
            } else if !same {
                diesel::update(calendar_days::table.find(row.day)).set(&row).execute(conn)?;
            }
            self.note(old.is_some(), same);
        }
        // The files have the notices of their years whole: a day that they no longer name follows the plain week again.
        let named: HashSet<NaiveDate> = seeds.calendar_days.iter().map(|seed| seed.day).collect();
        let whole =
            |day: NaiveDate| seeds.calendar_years.iter().any(|year| year.year == i64::from(day.year()));
        for day in known.into_keys().filter(|day| whole(*day) && !named.contains(day)) {
            diesel::delete(calendar_days::table.find(day)).execute(conn)?;
            self.note(true, false);
        }
        Ok(())
    }
}

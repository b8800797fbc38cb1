//! How many requests and cases there are: numbers of a whole civil year, of groups that are large enough to tell of nobody.
//!
//! A figure below `plan.small_count` is not shown, nor a total from which one that is not shown could be reckoned. There is no choice of
//! days: two windows that differ by one request would name it.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::Data;
use chrono::{Datelike, NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::desk;
use super::model::{CaseState, Category};
use super::papers::naming;
use crate::clock::{civil_day, day_start, db_time};
use crate::error::Result;
use crate::ids::OrganisationId;
use crate::org;
use crate::platform::Platform;
use crate::platform::access::policy::LegalStatistics;
use crate::platform::access::{Guard, Scope};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_cases;
use crate::platform::http::{ApiQuery, Reply};
use crate::policy;

crate::text_enum! {
    /// What requests are counted by.
    pub enum LegalGroup {
        /// By the month in which they came in.
        Month = "month",
        /// By what they are about.
        Category = "category",
        /// By the sub-district of whoever asked.
        Street = "street",
    }
}

/// Which numbers.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LegalStatisticsQuery {
    /// Of requests that came in in this civil year; the present one when left out.
    #[param(minimum = 2020, maximum = 2100)]
    pub year: Option<i32>,
    /// By what.
    #[param(inline)]
    pub by: Option<LegalGroup>,
}

/// Numbers of a group; those that are too small are not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalNumbers {
    /// Requests that came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub received: Option<i64>,
    /// Of them accepted, whatever became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub accepted: Option<i64>,
    /// Of them refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub refused: Option<i64>,
    /// Of them brought to an end with a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub closed: Option<i64>,
    /// Of them terminated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub terminated: Option<i64>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalStatisticsRow {
    /// Month, category, or sub-district.
    #[schema(max_length = 60, example = "2025-06")]
    pub key: String,
    /// For people.
    #[schema(max_length = 120, example = "2025年6月")]
    pub name: String,
    /// Its numbers.
    pub numbers: LegalNumbers,
}

/// Numbers of a year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalStatisticsView {
    /// Which year.
    #[schema(minimum = 2020, maximum = 2100)]
    pub year: i32,
    /// Figures from this one on are shown.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub smallest: i64,
    /// Groups that are large enough.
    #[schema(max_items = 100)]
    pub items: Vec<LegalStatisticsRow>,
    /// All together, where nothing that is not shown follows from it.
    pub total: LegalNumbers,
}

/// Count requests for legal aid and cases of a year, without names / 法律援助统计
#[utoipa::path(
    tag = "legal", operation_id = "legal_statistics_get", security(("bearer" = ["legal:statistics"])),
    params(LegalStatisticsQuery),
    responses((status = 200, description = "The numbers", body = LegalStatisticsView)),
)]
#[get("/api/v1/legal-statistics")]
pub async fn legal_statistics_get(
    platform: Data<Platform>,
    guard: Guard<LegalStatistics>,
    query: ApiQuery<LegalStatisticsQuery>,
) -> Result<Reply<LegalStatisticsView>> {
    let today = civil_day(platform.clock.now());
    let (year, by) = (query.0.year.unwrap_or(today.year()), query.0.by.unwrap_or(LegalGroup::Month));
    let scope = guard.scope().clone();
    let view = platform.db.read(move |c| numbers(c, &scope, (year, by), today)).await?;
    Ok(Reply::new(view))
}

fn numbers(
    conn: &mut Conn,
    scope: &Scope,
    (year, by): (i32, LegalGroup),
    today: NaiveDate,
) -> Result<LegalStatisticsView> {
    let smallest = policy::store::number_on(conn, "plan.small_count", today)?;
    let begins = |year: i32| {
        NaiveDate::from_ymd_opt(year, 1, 1).map_or(NaiveDateTime::MAX, |day| db_time(day_start(day)))
    };
    let desks = desk::desks(conn, scope)?;
    let rows: Vec<(NaiveDateTime, Category, Option<OrganisationId>, CaseState, bool)> = legal_cases::table
        .filter(legal_cases::desk_id.eq_any(&desks))
        .filter(legal_cases::received_at.ge(begins(year)))
        .filter(legal_cases::received_at.lt(begins(year + 1)))
        .select((
            legal_cases::received_at,
            legal_cases::category,
            legal_cases::street_id,
            legal_cases::state,
            legal_cases::number.is_not_null(),
        ))
        .load(conn)?;
    let streets = org::store::all(conn)?;
    let mut groups: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for (received, category, street, state, numbered) in rows {
        let key = match by {
            LegalGroup::Month => {
                let day = civil_day(received.and_utc());
                (day.format("%Y-%m").to_string(), format!("{}年{}月", day.year(), day.month()))
            }
            LegalGroup::Category => (category.to_string(), naming::category(category).to_owned()),
            LegalGroup::Street => street
                .and_then(|id| streets.get(&id))
                .map_or(("none".into(), "其他".into()), |one| (one.code.clone(), one.short_name.clone())),
        };
        groups.entry(key).or_default().add(state, numbered);
    }
    let (items, total) = shown(groups, smallest);
    Ok(LegalStatisticsView { year, smallest, items, total })
}

/// What is counted: received, accepted, refused, closed, terminated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally([i64; 5]);

impl Tally {
    fn add(&mut self, state: CaseState, numbered: bool) {
        let is = [
            true,
            numbered && state != CaseState::Annulled,
            state == CaseState::Refused,
            state == CaseState::Closed,
            state == CaseState::Terminated,
        ];
        for (sum, is) in self.0.iter_mut().zip(is) {
            *sum += i64::from(is);
        }
    }

    fn numbers(&self, show: impl Fn(usize, i64) -> Option<i64>) -> LegalNumbers {
        let [received, accepted, refused, closed, terminated] = self.0;
        LegalNumbers {
            received: show(0, received),
            accepted: show(1, accepted),
            refused: show(2, refused),
            closed: show(3, closed),
            terminated: show(4, terminated),
        }
    }
}

/// What may be shown of groups: figures that are large enough, and totals from which no small one follows.
fn shown(
    groups: BTreeMap<(String, String), Tally>,
    smallest: i64,
) -> (Vec<LegalStatisticsRow>, LegalNumbers) {
    let is_shown = |value: i64| value >= smallest;
    let (mut whole, mut visible) = (Tally::default(), Tally::default());
    let mut items = Vec::new();
    for ((key, name), tally) in groups {
        for (sum, value) in whole.0.iter_mut().zip(tally.0) {
            *sum += value;
        }
        // A group that is small itself is left out with everything that is in it.
        if !is_shown(tally.0.first().copied().unwrap_or(0)) {
            continue;
        }
        for (sum, value) in visible.0.iter_mut().zip(tally.0) {
            *sum += if is_shown(value) { value } else { 0 };
        }
        let numbers = tally.numbers(|_, value| is_shown(value).then_some(value));
        items.push(LegalStatisticsRow { key, name, numbers });
    }
    let total = whole.numbers(|place, value| {
        let hidden = value - visible.0.get(place).copied().unwrap_or(0);
        (is_shown(value) && (hidden == 0 || is_shown(hidden))).then_some(value)
    });
    (items, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(of: &[(&str, [i64; 5])]) -> BTreeMap<(String, String), Tally> {
        of.iter().map(|(key, tally)| (((*key).to_owned(), (*key).to_owned()), Tally(*tally))).collect()
    }

    #[test]
    fn small_figures_are_not_shown_nor_what_they_follow_from() {
        let (items, total) = shown(groups(&[("a", [9, 5, 2, 0, 0]), ("b", [2, 1, 0, 0, 0])]), 3);
        assert_eq!(items.len(), 1);
        assert_eq!((items[0].numbers.received, items[0].numbers.accepted), (Some(9), Some(5)));
        assert_eq!(items[0].numbers.refused, None);
        // 11 less 9 would tell of the two.
        assert_eq!((total.received, total.accepted), (None, None));
    }

    #[test]
    fn a_total_is_shown_where_what_is_hidden_is_large_enough() {
        let of = [("a", [9, 5, 3, 3, 3]), ("b", [2, 2, 0, 0, 0]), ("c", [2, 2, 0, 0, 0])];
        let (items, total) = shown(groups(&of), 3);
        assert_eq!(items.len(), 1);
        assert_eq!((total.received, total.accepted, total.closed), (Some(13), Some(9), Some(3)));
    }
}

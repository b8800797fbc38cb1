//! Rows of the work plan.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::{CountingRuleId, MilestoneId, PersonId, PlanId, PlanItemId, TargetId};
use crate::platform::db::schema::{counting_rules, milestones, plan_items, plans, targets};

crate::text_enum! {
    /// What a target counts; `seeds/README.md` has the definitions.
    pub enum Measure {
        /// 场.
        SessionsHeld = "sessions_held",
        /// 项.
        ActivitiesHeld = "activities_held",
        /// 人次.
        PersonTimes = "person_times",
        /// 人, 名.
        DistinctPersons = "distinct_persons",
        /// 宗.
        CasesAccepted = "cases_accepted",
        /// A reported number.
        ReportedCount = "reported_count",
        /// A reported share, in percent.
        Rate = "rate",
    }
}

crate::text_enum! {
    /// When a target is met.
    pub enum Comparator {
        /// From `value`.
        AtLeast = "at_least",
        /// From `value`; above `upper` it is shown as beyond the range.
        Between = "between",
    }
}

crate::text_enum! {
    /// Units that must each reach the value by themselves.
    pub enum Each {
        /// Every sub-district.
        SubDistrict = "sub_district",
        /// Every station from the target's `min_level`.
        Station = "station",
    }
}

crate::text_enum! {
    /// Over which time the value is due.
    pub enum Period {
        /// Over the year.
        Year = "year",
        /// In every quarter.
        Quarter = "quarter",
        /// In every month.
        Month = "month",
        /// The year's last snapshot counts.
        YearEnd = "year_end",
        /// At every snapshot.
        Always = "always",
    }
}

crate::text_enum! {
    /// Where a target's figure comes from.
    pub enum CountedFrom {
        /// Check-ins, headcounts and finished sessions.
        Attendance = "attendance",
        /// Accepted legal-aid cases.
        Cases = "cases",
        /// Approved reports.
        Report = "report",
    }
}

crate::text_enum! {
    /// To which sub-district a counted quantity belongs.
    pub enum Attribution {
        /// That of the organisation that holds the activity.
        Organiser = "organiser",
        /// That in which the session takes place.
        Venue = "venue",
        /// That of the person's enterprise union on the day; where unknown, the organiser's.
        Workplace = "workplace",
    }
}

crate::text_enum! {
    /// 参与单位 of a plan item: a group, resolved against the organisations when it is used.
    pub enum ParticipantGroup {
        /// 各街道总工会.
        AllSubDistricts = "all_sub_districts",
        /// 行业工会.
        IndustryUnions = "industry_unions",
        /// 区总各部室.
        AllDepartments = "all_departments",
        /// 区总直管工联会.
        DirectUnions = "direct_unions",
        /// 区直管基层工会.
        DirectGrassrootsUnions = "direct_grassroots_unions",
    }
}

/// A year's work plan.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = plans)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// The civil year.
    pub year: i64,
    /// Its heading.
    pub title: String,
    /// What stands before the first section.
    pub preamble: String,
    /// First day of the year.
    pub starts_on: NaiveDate,
    /// Last day of the year.
    pub ends_on: NaiveDate,
    /// First day that counts.
    pub counts_from: NaiveDate,
    /// Last day that counts; later than the year where a demonstration needs it.
    pub counts_until: NaiveDate,
}

/// One of the plan's items.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_items)]
pub struct PlanItem {
    /// Its id.
    pub id: PlanItemId,
    /// Its plan.
    pub plan_id: PlanId,
    /// From 1.
    pub number: i64,
    /// The section's heading.
    pub section: String,
    /// The first sentence.
    pub title: String,
    /// Word for word.
    pub body: String,
    /// JSON: codes of the lead departments, in the plan's order.
    pub leads: String,
    /// JSON: groups of participating units.
    pub participants: String,
}

/// A number that the plan must reach.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = targets, treat_none_as_default_value = false)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Its plan.
    pub plan_id: PlanId,
    /// Its item.
    pub item_id: PlanItemId,
    /// Such as `07a`.
    pub code: String,
    /// The plan's own words.
    pub clause: String,
    /// What is counted.
    pub measure: Measure,
    /// When it is met.
    pub comparator: Comparator,
    /// In `unit`s.
    pub value: i64,
    /// Upper end of a `between`.
    pub upper: Option<i64>,
    /// As the plan writes it.
    pub unit: String,
    /// Units that must each reach the value.
    pub each: Option<Each>,
    /// Over which time.
    pub period: Period,
    /// Where the figure comes from.
    pub counted_from: CountedFrom,
    /// The target that must be met together with this one.
    pub pair: Option<String>,
    /// JSON: parts with a figure each.
    pub parts: String,
    /// Of "each station": the lowest level that counts.
    pub min_level: Option<String>,
    /// The host must change from period to period.
    pub rotates: bool,
    /// The fixed list whose units are covered, each once.
    pub coverage: Option<ParticipantGroup>,
    /// JSON: how the year is planned for it, a weight for each month; none for an even pace.
    pub curve: Option<String>,
    /// Which share of its evidence must be of the grades A and B, in hundredths.
    pub min_good_percent: Option<i64>,
}

impl Target {
    /// The figures that its parts must reach.
    pub fn parts(&self) -> Vec<i64> {
        serde_json::from_str(&self.parts).unwrap_or_default()
    }

    /// The weight of each month, where the year is not planned evenly.
    pub fn curve(&self) -> Option<[i64; 12]> {
        let weights: Vec<i64> = serde_json::from_str(self.curve.as_deref()?).ok()?;
        <[i64; 12]>::try_from(weights).ok()
    }
}

/// A promise of the plan without a number.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = milestones)]
pub struct Milestone {
    /// Its id.
    pub id: MilestoneId,
    /// Its plan.
    pub plan_id: PlanId,
    /// Its item.
    pub item_id: PlanItemId,
    /// Such as `M01-1`.
    pub code: String,
    /// What is promised.
    pub name: String,
    /// Until when.
    pub due_on: NaiveDate,
    /// When it was reached.
    pub done_at: Option<NaiveDateTime>,
    /// Who said so.
    pub done_by: Option<PersonId>,
    /// What shows it.
    pub evidence: Option<String>,
    /// Counts changes.
    pub version: i64,
}

/// Which activities count for a target. An empty text means any.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = counting_rules)]
pub struct CountingRule {
    /// Its id.
    pub id: CountingRuleId,
    /// The target.
    pub target_id: TargetId,
    /// Form of the programme.
    pub programme_kind: String,
    /// Topic of the programme.
    pub topic: String,
    /// For whom the programme is.
    pub audience: String,
    /// As what the person attended.
    pub role: String,
    /// Whose figure it is.
    pub attribution: Attribution,
}

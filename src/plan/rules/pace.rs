//! Pure: what the calendar asks for, and what comes of a target at the rate of the last weeks.
//!
//! A year has weight: every day the same, or, where the plan is seasonal, twelve months with weights of their own, spread evenly over
//! the days of each. Pace and forecast go by the weight that is over and the weight that is left.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::{Measured, MonthFigure};
use crate::plan::model::{Measure, Period, Target};

crate::text_enum! {
    /// What a forecast rests on.
    pub enum ForecastBasis {
        /// 按近期进度推算.
        RunRate = "run_rate",
        /// 数据不足.
        NotEnoughData = "not_enough_data",
        /// 计划期已结束.
        Over = "over",
        /// 不适用: a rate, a list, or what is due in every period or of every unit.
        NotApplicable = "not_applicable",
    }
}

/// What comes of a target at the end of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// What it rests on.
    pub basis: ForecastBasis,
    /// From here.
    pub low: Option<i64>,
    /// To here.
    pub high: Option<i64>,
    /// What was counted in the shorter and in the longer time, cut off.
    pub counted: Option<(i64, i64)>,
}

impl Forecast {
    fn without(basis: ForecastBasis) -> Self {
        Self { basis, low: None, high: None, counted: None }
    }
}

/// The weight of one day of an even year: what every length of a month divides.
const DAY: i128 = 377_580;

/// One of what is counted: what every number of days up to 31 divides.
const ONE: i128 = 72_201_776_446_800;

/// The weight of the days from `from` to `to`, both included.
fn weight(ground: &Measured<'_>, curve: Option<&[i64; 12]>, from: NaiveDate, to: NaiveDate) -> i128 {
    let (from, to) = (from.max(ground.plan.starts_on), to.min(ground.plan.ends_on));
    if from > to {
        return 0;
    }
    let Some(curve) = curve else { return i128::from((to - from).num_days() + 1) * DAY };
    let mut sum = 0;
    let mut month = from.with_day(1);
    while let Some((first, last)) = month.and_then(month_of).filter(|(first, _)| *first <= to) {
        let days = i128::from((to.min(last) - from.max(first)).num_days() + 1);
        let place = usize::try_from(first.month0()).unwrap_or(0);
        let own = curve.get(place).copied().unwrap_or(0);
        sum += i128::from(own) * DAY * days / i128::from(last.day());
        month = first.checked_add_months(Months::new(1));
    }
    sum
}

/// First and last day of the month that begins at `first`.
fn month_of(first: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let last = first.checked_add_months(Months::new(1))?.pred_opt()?;
    Some((first, last))
}

/// What the calendar asks for by today: of what is due over the year, as much as the days that are over weigh.
pub(super) fn expected(ground: &Measured<'_>, target: &Target, required: i64) -> i64 {
    if matches!(target.period, Period::Always | Period::YearEnd) {
        return required;
    }
    let curve = target.curve();
    let all = weight(ground, curve.as_ref(), ground.plan.starts_on, ground.plan.ends_on);
    let yesterday = ground.today.pred_opt().unwrap_or(ground.today);
    let gone = weight(ground, curve.as_ref(), ground.plan.starts_on, yesterday);
    let due = (i128::from(required) * gone).checked_div(all).unwrap_or(0);
    i64::try_from(due).unwrap_or(i64::MAX)
}

/// What comes of a sum at the end of the year, at the rate of the last weeks: the range between what a shorter and a longer time say.
/// Counts are known by month; inside a month they are taken to be spread evenly over the days of it that are seen.
pub(super) fn forecast(
    ground: &Measured<'_>,
    target: &Target,
    months: &[MonthFigure],
    value: i64,
) -> Forecast {
    let sums = target.period == Period::Year
        && target.each.is_none()
        && target.measure != Measure::Rate
        && target.coverage.is_none();
    if !sums {
        return Forecast::without(ForecastBasis::NotApplicable);
    }
    if ground.today >= ground.plan.ends_on {
        return Forecast { low: Some(value), high: Some(value), ..Forecast::without(ForecastBasis::Over) };
    }
    let (limits, curve) = (ground.thresholds, target.curve());
    let seen = (ground.today - ground.plan.starts_on).num_days() + 1;
    let ahead = |days: i64| -> Option<(i64, i64)> {
        let back = u64::try_from(days - 1).unwrap_or(0);
        let from = ground.today.checked_sub_days(Days::new(back))?.max(ground.plan.starts_on);
        let counted = counted(ground, months, from);
        let past = weight(ground, curve.as_ref(), from, ground.today);
        let left = weight(ground, curve.as_ref(), ground.today.succ_opt()?, ground.plan.ends_on);
        // Nothing was planned for that time, so it says nothing about the time to come.
        let more = counted.checked_mul(left)?.checked_div(past)? / ONE;
        Some((value.saturating_add(i64::try_from(more).ok()?), i64::try_from(counted / ONE).ok()?))
    };
    match (ahead(limits.short), ahead(limits.long)) {
        (Some((short, in_short)), Some((long, in_long)))
            if seen >= limits.min_days && in_long >= limits.min_count =>
        {
            Forecast {
                basis: ForecastBasis::RunRate,
                low: Some(short.min(long)),
                high: Some(short.max(long)),
                counted: Some((in_short, in_long)),
            }
        }
        _ => Forecast::without(ForecastBasis::NotEnoughData),
    }
}

/// What was counted from `from` to today, in units of [`ONE`].
fn counted(ground: &Measured<'_>, months: &[MonthFigure], from: NaiveDate) -> i128 {
    let of = |figure: &MonthFigure| {
        let (first, last) = month_of(figure.month)?;
        let last = last.min(ground.today);
        let inside = (last - first.max(from)).num_days() + 1;
        let seen = (last - first).num_days() + 1;
        (inside > 0 && seen > 0)
            .then(|| i128::from(figure.value) * ONE * i128::from(inside) / i128::from(seen))
    };
    months.iter().filter_map(of).sum()
}

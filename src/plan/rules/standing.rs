//! Pure: where a target stands.

use super::{Measured, Progress};
use crate::plan::model::{Comparator, CountedFrom, Measure, Period, Target};

crate::text_enum! {
    /// Where a target stands.
    pub enum Standing {
        /// 已完成: the value is reached, with the evidence that is demanded.
        Met = "met",
        /// 超出范围: reached, and above the range.
        BeyondRange = "beyond_range",
        /// 超前: more than the calendar asks for.
        Ahead = "ahead",
        /// 进度正常: as much as the calendar asks for.
        OnPace = "on_pace",
        /// 落后: less than that, or without the evidence that is demanded.
        Behind = "behind",
        /// 存在风险: much less, or not to be reached at the rate of the last weeks.
        AtRisk = "at_risk",
        /// 未达标: the time is over, or what was due in a period cannot be made up.
        Failed = "failed",
        /// 待上报: counted from approved reports or cases, of which there are none.
        NotReported = "not_reported",
    }
}

pub(super) fn standing(
    ground: &Measured<'_>,
    target: &Target,
    progress: &Progress,
    is_reported: bool,
) -> Standing {
    let (value, required) = (progress.value, progress.required);
    let nothing = match target.counted_from {
        CountedFrom::Attendance => false,
        CountedFrom::Cases => value == 0,
        CountedFrom::Report => !is_reported && value == 0,
    };
    if nothing {
        return Standing::NotReported;
    }
    if target.measure == Measure::Rate && matches!(target.period, Period::Always | Period::YearEnd) {
        return of_rate(ground, target, progress);
    }
    if target.comparator == Comparator::Between && target.upper.is_some_and(|upper| value > upper) {
        return Standing::BeyondRange;
    }
    // A gap in March cannot be made up in April.
    let due = matches!(target.period, Period::Month | Period::Quarter);
    if due && progress.periods.iter().any(|p| p.over && !p.met) {
        return Standing::Failed;
    }
    let is_whole = progress.parts.iter().all(|part| part.value >= part.required);
    let is_reached = value >= required;
    if is_reached && is_whole && !progress.evidence.is_short() {
        return Standing::Met;
    }
    if ground.is_over() {
        return Standing::Failed;
    }
    if is_reached {
        return Standing::Behind;
    }
    let limits = ground.thresholds;
    let from = |percent: i64| i128::from(value) * 100 >= i128::from(progress.expected) * i128::from(percent);
    if from(limits.ahead) && (value > 0 || progress.expected > 0) {
        Standing::Ahead
    } else if from(limits.on) {
        Standing::OnPace
    } else if !from(limits.risk) || progress.forecast.high.is_some_and(|high| high < required) {
        Standing::AtRisk
    } else {
        Standing::Behind
    }
}

/// A rate that must always hold fails for good with one snapshot that does not. Of a rate at the end of the year the last snapshot counts,
/// which is known when the year is over.
fn of_rate(ground: &Measured<'_>, target: &Target, progress: &Progress) -> Standing {
    let holds = match target.period {
        Period::Always => progress.snapshots.iter().all(|one| one.holds),
        _ => progress.snapshots.last().is_some_and(|one| one.holds),
    };
    match (holds, ground.is_over()) {
        (true, true) => Standing::Met,
        (true, false) => Standing::OnPace,
        (false, over) if over || target.period == Period::Always => Standing::Failed,
        _ if progress.per_mille < ground.thresholds.risk * 10 => Standing::AtRisk,
        _ => Standing::Behind,
    }
}

/// A pair stands where its weaker half stands.
pub fn weaker(a: Standing, b: Standing) -> Standing {
    let rank = |standing| match standing {
        Standing::Failed => 0,
        Standing::NotReported => 1,
        Standing::AtRisk => 2,
        Standing::Behind => 3,
        Standing::OnPace => 4,
        Standing::Ahead => 5,
        Standing::BeyondRange => 6,
        Standing::Met => 7,
    };
    if rank(a) <= rank(b) { a } else { b }
}

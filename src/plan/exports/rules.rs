//! Pure: of which moment a report is, how a status is worded, and what is too small to be shown to everybody.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::sheet::{Figure, Part, Status, Tone};
use crate::plan::model::{Attribution, CountingRule, Each, Measure, Period, Target};
use crate::plan::rules::Standing;

/// How long a minute must be over: no transaction writes for longer (a statement ends after 30 seconds).
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(45);

/// The last full minute as of which nothing new will be seen.
pub fn settled(now: DateTime<Utc>) -> DateTime<Utc> {
    let late = now - SETTLED_AFTER;
    late.duration_trunc(TimeDelta::minutes(1)).unwrap_or(late)
}

/// A standing in words.
pub fn status(standing: Standing) -> Status {
    let code = standing.as_str();
    let (text, tone) = match code {
        "met" => ("已完成", Tone::Good),
        "beyond_range" => ("超出范围", Tone::Good),
        "ahead" => ("超前", Tone::Fair),
        "on_pace" => ("进度正常", Tone::Fair),
        "behind" => ("落后", Tone::Poor),
        "at_risk" => ("存在风险", Tone::Poor),
        "not_reported" => ("待上报", Tone::Silent),
        _ => ("未达标", Tone::Bad),
    };
    Status { code, text, tone }
}

/// A period in words.
pub fn term_status(met: bool, over: bool) -> Status {
    match (met, over) {
        (true, _) => Status { code: "met", text: "已完成", tone: Tone::Good },
        (false, true) => Status { code: "missed", text: "未达标", tone: Tone::Bad },
        (false, false) => Status { code: "open", text: "进行中", tone: Tone::Silent },
    }
}

/// What a target counts.
pub fn measure(target: &Target) -> &'static str {
    match target.measure.as_str() {
        "sessions_held" => "已举办场次",
        "activities_held" => "已举办活动",
        "person_times" => "参加人次",
        "distinct_persons" => "参加人数（去重）",
        "cases_accepted" => "受理案件",
        "rate" => "比率",
        _ => "上报数",
    }
}

/// Where its figure comes from.
pub fn source(target: &Target) -> &'static str {
    match target.counted_from.as_str() {
        "attendance" => "签到、现场计数与场次结算",
        "cases" => "已受理的法律援助案件",
        _ => "经审核的上报",
    }
}

/// Whether it counts people.
pub fn counts_people(target: &Target) -> bool {
    matches!(target.measure.as_str(), "person_times" | "distinct_persons" | "cases_accepted")
}

/// What the target as a whole is counted in: of units that must each reach a value, it is units.
pub fn unit(target: &Target) -> String {
    match (target.each, target.period) {
        (Some(Each::SubDistrict), _) => "个街道".to_owned(),
        (Some(Each::Station), _) => "个驿站".to_owned(),
        (None, _) if target.measure == Measure::Rate => "%".to_owned(),
        (None, Period::Quarter) => "个季度".to_owned(),
        (None, Period::Month) => "个月".to_owned(),
        _ => target.unit.clone(),
    }
}

/// Which attendance a rule counts.
pub fn rule(rule: &CountingRule) -> String {
    let attribution = match rule.attribution {
        Attribution::Organiser => "主办单位所在街道",
        Attribution::Venue => "举办地所在街道",
        Attribution::Workplace => "职工所在单位的街道",
    };
    let parts = [
        ("项目类型", &rule.programme_kind),
        ("主题", &rule.topic),
        ("对象", &rule.audience),
        ("身份", &rule.role),
    ];
    let mut said: Vec<String> = parts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    said.push(format!("归属 {attribution}"));
    said.join("；")
}

/// The parts of a figure as everybody may see them: none where fewer than `least` people are meant.
///
/// Of a single part that is left out the whole would tell it; then the next smallest is left out too.
pub fn public_parts(figure: &Figure, least: i64) -> Vec<(&Part, Option<i64>)> {
    let small = |value: i64| figure.people && value > 0 && value < least;
    let mut shown: Vec<(&Part, Option<i64>)> =
        figure.parts.iter().map(|part| (part, (!small(part.value)).then_some(part.value))).collect();
    if shown.iter().filter(|(_, value)| value.is_none()).count() == 1
        && let Some((_, next)) = shown
            .iter_mut()
            .filter(|(part, value)| value.is_some() && part.value > 0)
            .min_by_key(|(part, _)| part.value)
    {
        *next = None;
    }
    shown
}

/// The whole of a figure as everybody may see it.
pub fn public_value(figure: &Figure, least: i64) -> Option<i64> {
    (!(figure.people && figure.value > 0 && figure.value < least)).then_some(figure.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn figure(people: bool, parts: &[i64]) -> Figure {
        let parts = parts
            .iter()
            .map(|value| Part { name: format!("n{value}"), value: *value, share: None })
            .collect();
        Figure {
            code: "07b".into(),
            clause: String::new(),
            measure: "",
            source: "",
            people,
            unit: "人次".into(),
            part_unit: "人次".into(),
            value: 0,
            required: 1,
            upper: None,
            per_mille: 0,
            expected: 0,
            forecast: None,
            own: None,
            status: term_status(true, true),
            pair: None,
            parts,
            overlap: 0,
            months: Vec::new(),
            terms: Vec::new(),
            composite: Vec::new(),
            missing: Vec::new(),
            lines: 0,
            grades: [0; 4],
            demanded: None,
            rules: Vec::new(),
        }
    }

    #[test]
    fn a_minute_is_settled_when_it_has_been_over_for_a_while() {
        let at = |minute, second| Utc.with_ymd_and_hms(2025, 6, 16, 10, minute, second).unwrap();
        for (now, settled_at) in [((5, 44), (4, 0)), ((5, 45), (5, 0)), ((6, 0), (5, 0)), ((6, 44), (5, 0))] {
            assert_eq!(settled(at(now.0, now.1)), at(settled_at.0, settled_at.1), "{now:?}");
        }
    }

    #[test]
    fn few_people_are_not_shown_and_cannot_be_worked_out() {
        let values = |people, parts: &[i64]| -> Vec<Option<i64>> {
            public_parts(&figure(people, parts), 10).into_iter().map(|(_, value)| value).collect()
        };
        assert_eq!(values(false, &[5, 3]), [Some(5), Some(3)]);
        assert_eq!(values(true, &[50, 9, 3]), [Some(50), None, None]);
        assert_eq!(values(true, &[50, 40, 3, 0]), [Some(50), None, None, Some(0)]);
        assert_eq!(values(true, &[50, 10]), [Some(50), Some(10)]);
        assert_eq!(values(true, &[3]), [None]);
    }
}

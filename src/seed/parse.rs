//! One function per kind of row: which fields it has, what they refer to, and what must hold among them.

use std::collections::HashSet;

use chrono::{Datelike, NaiveTime};

use super::fault::{Problem, SeedFaults};
use super::findings::{Findings, Place, Space};
use super::model::*;
use super::raw::{csv_rows, toml_root};
use super::row::Row;
use super::source::{
    CALENDAR, CALENDAR_YEARS, DEMO, MILESTONES, ORGANISATIONS, PAUSES, PLAN, POLICIES, RULES, SEMANTICS,
    SeedFile, SeedSource, TARGETS, TOPICS,
};
use crate::policy::calendar::is_weekend;

/// Reads all seed files of `source`.
///
/// # Errors
/// Every fault of every file: unreadable files, faulty fields, duplicate codes, references that lead nowhere, and
/// figures that contradict each other.
pub fn load(source: &SeedSource) -> Result<SeedSet, SeedFaults> {
    let mut findings = Findings::default();
    let organisations = table(source, ORGANISATIONS, &mut findings, organisation);
    one_district(&organisations, &mut findings);
    let topics = table(source, TOPICS, &mut findings, topic);
    let plan = document(source, PLAN, &mut findings, plan);
    let mut targets = table(source, TARGETS, &mut findings, target);
    table(source, SEMANTICS, &mut findings, |row| semantics(row, &mut targets));
    whole_targets(&targets, &mut findings);
    let milestones = table(source, MILESTONES, &mut findings, milestone);
    let counting_rules = table(source, RULES, &mut findings, |row| rule(row, &targets));
    every_attendance_counts(&targets, &counting_rules, &mut findings);
    let policies = table(source, POLICIES, &mut findings, policy);
    let penalty_pauses = table(source, PAUSES, &mut findings, pause);
    let calendar_years = table(source, CALENDAR_YEARS, &mut findings, calendar_year);
    let calendar_days = table(source, CALENDAR, &mut findings, calendar_day);
    let (chains, reasons) = super::chains::read(source, &mut findings);
    let demo = document(source, DEMO, &mut findings, demo);
    match findings.settle() {
        Some(faults) => Err(faults),
        None => Ok(SeedSet {
            organisations,
            topics,
            plan,
            targets,
            milestones,
            counting_rules,
            policies,
            penalty_pauses,
            calendar_years,
            calendar_days,
            chains,
            reasons,
            demo,
        }),
    }
}

fn text(
    source: &SeedSource,
    file: SeedFile,
    findings: &mut Findings,
) -> Option<std::borrow::Cow<'static, str>> {
    source.read(file).unwrap_or_else(|problem| {
        findings.unread(Place { file: file.name, line: None, field: None }, problem);
        None
    })
}

fn table<T>(
    source: &SeedSource,
    file: SeedFile,
    findings: &mut Findings,
    mut reader: impl FnMut(&mut Row<'_>) -> T,
) -> Vec<T> {
    let Some(text) = text(source, file, findings) else { return Vec::new() };
    let rows = csv_rows(file.name, &text, findings);
    rows.iter().map(|fields| Row::read(file.name, fields, findings, &mut reader)).collect()
}

fn document<T: Default>(
    source: &SeedSource,
    file: SeedFile,
    findings: &mut Findings,
    reader: fn(&mut Row<'_>) -> T,
) -> T {
    let text = text(source, file, findings);
    let root = text.and_then(|text| toml_root(file.name, &text, findings));
    // Absent by choice, or with its fault noted already.
    root.map_or_else(T::default, |root| Row::read(file.name, &root, findings, reader))
}

fn organisation(row: &mut Row<'_>) -> Organisation {
    use OrganisationKind as Kind;
    let organisation = Organisation {
        code: row.define(Space::Organisation, "code"),
        name: row.get("name"),
        short_name: row.get("short_name"),
        kind: row.get("kind"),
        parent_code: row.refer_earlier(Space::Organisation, "parent_code"),
        division_code: row.define(Space::Division, "division_code"),
        level: row.get("level"),
    };
    let Organisation { code, kind, parent_code, division_code, level, .. } = &organisation;
    match kind {
        Kind::Department => row.define_as(Space::Department, "code", code.clone()),
        Kind::SubDistrict => row.define_as(Space::SubDistrict, "code", code.clone()),
        _ => {}
    }
    row.check(&["parent_code", "kind"], (*kind == Kind::District) == parent_code.is_none(), || {
        Problem::new("the district has no parent, all others have one", "只有区总工会没有上级")
    });
    let demo_parent = parent_code.as_ref().is_some_and(|parent| parent.starts_with(DEMO_PREFIX));
    row.check(&["parent_code", "code"], organisation.is_demo() || !demo_parent, || {
        Problem::new("an official organisation has a demonstration above it", "正式组织的上级不能是演示组织")
    });
    let nine_digits = |code: &String| code.len() == 9 && code.bytes().all(|byte| byte.is_ascii_digit());
    row.check(&["division_code"], division_code.as_ref().is_none_or(nine_digits), || {
        Problem::new("is not nine digits", "不是九位数字")
    });
    row.check(&["division_code", "kind"], division_code.is_none() || *kind == Kind::SubDistrict, || {
        Problem::new("only a sub-district has one", "只有街道有区划代码")
    });
    let fits = match kind {
        Kind::Station => level.is_some_and(|level| level != Level::Grassroots),
        Kind::DirectUnion => level.is_none_or(|level| level == Level::Grassroots),
        _ => level.is_none(),
    };
    row.check(&["level", "kind"], fits, || {
        let en = "a station has a level, a direct union has grassroots or none, all others none";
        Problem::new(en, "驿站须有级别；直管工会只能为 grassroots 或空；其他组织为空")
    });
    organisation
}

fn one_district(organisations: &[Organisation], findings: &mut Findings) {
    let roots = organisations.iter().filter(|one| one.kind == OrganisationKind::District).count();
    if roots != 1 && findings.is_read(ORGANISATIONS, "kind") {
        let place = Place { file: ORGANISATIONS.name, line: None, field: Some("kind".to_owned()) };
        let problem = Problem::new(format!("needs one district, has {roots}"), "须有且只有一个区总工会");
        findings.fault(place, problem);
    }
}

fn topic(row: &mut Row<'_>) -> Topic {
    Topic { code: row.define(Space::Topic, "code"), name: row.get("name") }
}

fn plan(row: &mut Row<'_>) -> Plan {
    Plan {
        year: row.get("year"),
        title: row.get("title"),
        preamble: row.get("preamble"),
        sections: row.tables("sections", |row| Section {
            number: row.define(Space::Section, "number"),
            title: row.get("title"),
        }),
        items: row.tables("items", item),
    }
}

fn item(row: &mut Row<'_>) -> Item {
    let item = Item {
        number: row.define(Space::Item, "number"),
        section: row.refer(Space::Section, "section"),
        title: row.get("title"),
        text: row.get("text"),
        leads: row.refer(Space::Department, "leads"),
        participants: row.get("participants"),
    };
    row.check(&["text", "title"], item.text.starts_with(&item.title), || {
        Problem::new("does not begin with the title", "没有以标题开头")
    });
    row.check(&["leads"], !item.leads.is_empty(), || Problem::new("names no department", "未写牵头部室"));
    item
}

fn target(row: &mut Row<'_>) -> Target {
    let target = Target {
        code: row.define(Space::Target, "code"),
        item: row.refer(Space::Item, "item"),
        clause: row.get("clause"),
        measure: row.get("measure"),
        comparator: row.get("comparator"),
        value: row.get("value"),
        upper: row.get("upper"),
        unit: row.get("unit"),
        each: row.get("each"),
        period: row.get("period"),
        counted_from: row.get("counted_from"),
        semantics: TargetSemantics::default(),
    };
    let number = format!("{:02}", target.item);
    row.check(&["code", "item"], target.code.starts_with(&number), || {
        Problem::new(format!("does not begin with {number}, the item"), "没有以条目序号开头")
    });
    row.check(&["value"], target.value > 0, || Problem::new("must be above 0", "必须大于 0"));
    let range = match target.comparator {
        Comparator::AtLeast => target.upper.is_none(),
        Comparator::Between => target.upper.is_some_and(|upper| upper > target.value),
    };
    row.check(&["upper", "value", "comparator"], range, || {
        Problem::new("belongs to `between` only, and lies above the value", "仅用于 between，且须大于 value")
    });
    let percent = target.measure != Measure::Rate || (target.unit == "%" && target.value <= 100);
    row.check(&["measure", "value", "unit"], percent, || {
        Problem::new("a rate is in % and at most 100", "比率的单位为 %，且不超过 100")
    });
    let source = match target.measure {
        Measure::CasesAccepted => CountedFrom::Cases,
        Measure::ReportedCount | Measure::Rate => CountedFrom::Report,
        _ => CountedFrom::Attendance,
    };
    row.check(&["counted_from", "measure"], target.counted_from == source, || {
        Problem::new(format!("{} is counted from {source}", target.measure), "与计量方式不符")
    });
    target
}

fn semantics(row: &mut Row<'_>, targets: &mut [Target]) {
    let code: String = row.refer(Space::Target, "target");
    row.define_as(Space::Semantics, "target", code.clone());
    let semantics = TargetSemantics {
        pair: row.refer(Space::Target, "pair"),
        parts: row.get("parts"),
        min_level: row.get("min_level"),
        rotates: row.get("rotates"),
        attribution: row.get("attribution"),
        coverage: row.get("coverage"),
        curve: row.get("curve"),
        min_good_percent: row.get("min_good_percent"),
    };
    let Some(target) = targets.iter_mut().find(|target| target.code == code) else { return };
    let sum = semantics.parts.iter().fold(0i64, |sum, part| sum.saturating_add(*part));
    row.check(&["parts"], semantics.parts.is_empty() || sum == target.value, || {
        Problem::new(format!("add up to {sum}, the target is {}", target.value), "各部分之和与指标值不等")
    });
    let stations = target.each == Some(Each::Station);
    row.check(&["min_level"], semantics.min_level.is_none() || stations, || {
        Problem::new("belongs to targets of stations only", "仅用于驿站指标")
    });
    row.check(
        &["attribution"],
        semantics.attribution.is_none() || target.counted_from == CountedFrom::Cases,
        || {
            Problem::new(
                "belongs to cases only: counting rules say it for attendance",
                "仅用于案件指标，签到指标见计数规则",
            )
        },
    );
    row.check(
        &["coverage"],
        semantics.coverage.is_none() || target.counted_from == CountedFrom::Report,
        || Problem::new("belongs to reported figures only", "仅用于上报指标"),
    );
    let planned = semantics.curve.len() == 12
        && semantics.curve.iter().all(|weight| (0..=1000).contains(weight))
        && semantics.curve.iter().any(|weight| *weight > 0);
    row.check(&["curve"], semantics.curve.is_empty() || planned, || {
        Problem::new(
            "is not twelve weights from 0 to 1000, one of them above 0",
            "须为十二个月的权重（0 至 1000，不能全为 0）",
        )
    });
    row.check(
        &["min_good_percent"],
        semantics.min_good_percent.is_none_or(|percent| (1..=100).contains(&percent)),
        || Problem::new("is not from 1 to 100", "应为 1 至 100"),
    );
    target.semantics = semantics;
}

/// What can be seen only when all rows about targets are read.
fn whole_targets(targets: &[Target], findings: &mut Findings) {
    if !findings.is_read(SEMANTICS, "target") {
        return;
    }
    for target in targets {
        let code = target.code.as_str();
        if let Some(pair) = &target.semantics.pair {
            let other = targets.iter().find(|other| other.code == *pair);
            let mutual = other.is_none_or(|other| other.semantics.pair.as_deref() == Some(code));
            if !mutual || pair == code {
                let problem = Problem::new(
                    format!("\"{pair}\" does not name \"{code}\" in turn"),
                    "成对指标须互相指明",
                );
                findings.fault(findings.place_of(Space::Semantics, code, "pair"), problem);
            }
        }
        if target.counted_from == CountedFrom::Cases && target.semantics.attribution.is_none() {
            let en = format!("cases need an attribution in {}", SEMANTICS.name);
            let problem = Problem::new(en, "案件指标须写明归属方式");
            findings.fault(findings.place_of(Space::Target, code, "counted_from"), problem);
        }
    }
}

fn milestone(row: &mut Row<'_>) -> Milestone {
    let milestone = Milestone {
        code: row.define(Space::Milestone, "code"),
        item: row.refer(Space::Item, "item"),
        name: row.get("name"),
        due: row.get("due"),
    };
    let prefix = format!("M{:02}-", milestone.item);
    row.check(&["code", "item"], milestone.code.starts_with(&prefix), || {
        Problem::new(format!("does not begin with {prefix}, the item"), "没有以条目序号开头")
    });
    milestone
}

fn rule(row: &mut Row<'_>, targets: &[Target]) -> CountingRule {
    let rule = CountingRule {
        target: row.refer(Space::Target, "target"),
        programme_kind: row.get("programme_kind"),
        topic: row.refer(Space::Topic, "topic"),
        audience: row.get("audience"),
        role: row.get("role"),
        attribution: row.get("attribution"),
    };
    let CountingRule { target, programme_kind, topic, audience, role, .. } = &rule;
    let key = format!("{target} {programme_kind:?} {topic:?} {audience:?} {role:?}");
    row.define_as(Space::Rule, "target", key);
    let Some(target) = targets.iter().find(|known| known.code == *target) else { return rule };
    row.check(&["target"], target.counted_from == CountedFrom::Attendance, || {
        Problem::new(format!("\"{}\" is not counted from attendance", target.code), "该指标不由签到计数")
    });
    let persons = matches!(target.measure, Measure::PersonTimes | Measure::DistinctPersons);
    row.check(&["role"], role.is_none() || persons, || {
        Problem::new("belongs to counts of people only: a session has no role", "仅用于人次、人数指标")
    });
    let narrowed = programme_kind.is_some() || topic.is_some() || audience.is_some();
    row.check(&["topic", "programme_kind", "audience"], narrowed, || {
        Problem::new(
            "a rule needs a programme kind, a topic or an audience",
            "规则须限定项目类型、主题或对象",
        )
    });
    rule
}

fn every_attendance_counts(targets: &[Target], rules: &[CountingRule], findings: &mut Findings) {
    if !findings.is_read(RULES, "target") {
        return;
    }
    let ruled: HashSet<&str> = rules.iter().map(|rule| rule.target.as_str()).collect();
    for target in targets.iter().filter(|target| target.counted_from == CountedFrom::Attendance) {
        if !ruled.contains(target.code.as_str()) {
            let en = format!("\"{}\" has no rule in {}", target.code, RULES.name);
            let problem = Problem::new(en, "签到指标缺少计数规则");
            findings.fault(findings.place_of(Space::Target, &target.code, "counted_from"), problem);
        }
    }
}

fn policy(row: &mut Row<'_>) -> Policy {
    let unit = row.get("unit");
    let value = match unit {
        // What the value should be is not known.
        _ if !row.is_read("unit") => PolicyValue::Words(vec![row.get("value")]),
        PolicyUnit::Day => PolicyValue::Day(row.get("value")),
        PolicyUnit::Words => PolicyValue::Words(row.get("value")),
        _ => PolicyValue::Whole(row.get("value")),
    };
    let policy = Policy {
        key: row.get("key"),
        value,
        unit,
        source: row.get("source"),
        effective_from: row.get("effective_from"),
    };
    row.define_as(Space::Policy, "key", format!("{} {}", policy.key, policy.effective_from));
    policy
}

fn pause(row: &mut Row<'_>) -> PenaltyPause {
    let pause = PenaltyPause {
        from_day: row.get("from_day"),
        until_day: row.get("until_day"),
        reason: row.get("reason"),
        source: row.get("source"),
    };
    row.define_as(Space::Pause, "from_day", pause.from_day.to_string());
    row.check(&["until_day", "from_day"], pause.from_day <= pause.until_day, || {
        Problem::new("is before from_day", "早于 from_day")
    });
    pause
}

fn calendar_year(row: &mut Row<'_>) -> CalendarYear {
    CalendarYear { year: row.define(Space::CalendarYear, "year"), source: row.get("source") }
}

fn calendar_day(row: &mut Row<'_>) -> CalendarDay {
    let day = CalendarDay {
        day: row.get("day"),
        kind: row.get("kind"),
        name: row.get("name"),
        source: row.get("source"),
    };
    row.define_as(Space::CalendarDay, "day", day.day.to_string());
    // Half a notice would pass for a whole one.
    row.refer_as(Space::CalendarYear, "day", day.day.year().to_string());
    row.check(&["kind", "day"], day.kind == DayKind::Holiday || is_weekend(day.day), || {
        Problem::new("a weekday is worked anyhow", "周一至周五本为工作日")
    });
    day
}

fn demo(row: &mut Row<'_>) -> Demo {
    Demo {
        programmes: row.tables("programmes", programme),
        activities: row.tables("activities", activity),
        staff: row.tables("staff", |row| Staff {
            user: row.define(Space::User, "user"),
            name: row.get("name"),
            role: row.get("role"),
            organisation: row.refer(Space::Organisation, "organisation"),
        }),
    }
}

/// The code of a row of the demonstration.
fn demo_code(row: &mut Row<'_>, space: Space) -> String {
    let code: String = row.define(space, "code");
    row.check(&["code"], code.starts_with(DEMO_PREFIX), || {
        Problem::new(format!("does not begin with {DEMO_PREFIX}"), format!("没有以 {DEMO_PREFIX} 开头"))
    });
    code
}

fn programme(row: &mut Row<'_>) -> Programme {
    Programme {
        code: demo_code(row, Space::Programme),
        name: row.get("name"),
        kind: row.get("kind"),
        topic: row.refer(Space::Topic, "topic"),
        audience: row.get("audience"),
        organisation: row.refer(Space::Organisation, "organisation"),
        allocation: row.get("allocation"),
        summary: row.get("summary"),
    }
}

fn activity(row: &mut Row<'_>) -> Activity {
    let activity = Activity {
        code: demo_code(row, Space::Activity),
        programme: row.refer(Space::Programme, "programme"),
        title: row.get("title"),
        summary: row.get("summary"),
        organiser: row.refer(Space::Organisation, "organiser"),
        venue: row.table("venue", |row| Venue {
            name: row.get("name"),
            address: row.get("address"),
            sub_district: row.refer(Space::SubDistrict, "sub_district"),
        }),
        capacity: row.get("capacity"),
        signup_opens: row.table("signup_opens", moment),
        signup_closes: row.table("signup_closes", moment),
        sessions: row.tables("sessions", session),
    };
    row.check(&["capacity"], activity.capacity > 0, || Problem::new("must be above 0", "必须大于 0"));
    row.check(&["signup_closes", "signup_opens"], activity.signup_opens < activity.signup_closes, || {
        Problem::new("is not after signup_opens", "须晚于 signup_opens")
    });
    row.check(&["sessions"], !activity.sessions.is_empty(), || Problem::new("is empty", "至少要有一个场次"));
    let ordered = activity.sessions.is_sorted_by(|one, next| one.start < next.start);
    row.check(&["sessions"], ordered, || Problem::new("are not in order of start", "须按开始时间排列"));
    let midnight_after =
        |session: &Session| Moment { day: session.start.day.saturating_add(1), at: NaiveTime::MIN };
    let last = activity.sessions.last().map(midnight_after);
    row.check(&["signup_closes", "sessions"], last.is_none_or(|last| activity.signup_closes < last), || {
        Problem::new("is after the day of the last session", "晚于最后一场的当日")
    });
    activity
}

fn session(row: &mut Row<'_>) -> Session {
    let session = Session { start: row.table("start", moment), minutes: row.get("minutes") };
    row.check(&["minutes"], (1..=24 * 60).contains(&session.minutes), || {
        Problem::new("is not between 1 and 1440", "须在 1 至 1440 之间")
    });
    session
}

fn moment(row: &mut Row<'_>) -> Moment {
    let moment = Moment { day: row.get("day"), at: row.get("at") };
    row.check(&["day"], (-366..=366).contains(&moment.day), || {
        Problem::new("is more than a year away", "超出一年")
    });
    moment
}

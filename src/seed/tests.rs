//! The embedded data against the plan, and faults against broken copies of it.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, NaiveTime};

use super::model::*;
use super::source::FILES;
use super::{SeedSource, load};

const PLAN_TEXT: &str = include_str!("../../seeds/work-plan-2025.zh.txt");

fn embedded() -> SeedSet {
    load(&SeedSource::Embedded).unwrap_or_else(|faults| panic!("{faults}"))
}

fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Loads a copy of the seed folder in which `edits` (file, old, new) were made; the faults, line by line.
fn faults(edits: &[(&str, &str, &str)]) -> Vec<String> {
    let folder = copy();
    for (file, old, new) in edits {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{file} has no {old:?}");
        std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
    }
    match load(&SeedSource::Folder(folder.path().to_owned())) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect(),
    }
}

fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for file in FILES {
        std::fs::copy(seeds.join(file.name), folder.path().join(file.name)).unwrap();
    }
    folder
}

#[test]
fn the_plan_is_word_for_word() {
    let plan = embedded().plan;
    assert_eq!((plan.year, plan.sections.len(), plan.items.len()), (2025, 6, 30));
    let mut whole = plan.title.clone() + &plan.preamble;
    for (section, ordinal) in plan.sections.iter().zip("一二三四五六".chars()) {
        whole += &format!("（{ordinal}）{}", section.title);
        for item in plan.items.iter().filter(|item| item.section == section.number) {
            let own = bare(&format!("{}.{}", item.number, item.text));
            assert!(bare(PLAN_TEXT).contains(&own), "item {}", item.number);
            whole += &own;
        }
    }
    assert_eq!(bare(&whole), bare(PLAN_TEXT));
}

#[test]
fn leads_and_participants_are_those_of_the_text() {
    let seeds = embedded();
    for item in &seeds.plan.items {
        let name = |code: &String| {
            let found = seeds.organisations.iter().find(|organisation| organisation.code == *code).unwrap();
            found.short_name.clone()
        };
        let group = |group: &ParticipantGroup| match group {
            ParticipantGroup::AllSubDistricts => "各街道总工会",
            ParticipantGroup::IndustryUnions => "行业工会",
            ParticipantGroup::AllDepartments => "区总各部室",
            ParticipantGroup::DirectUnions => "区总直管工联会",
            ParticipantGroup::DirectGrassrootsUnions => "区直管基层工会",
        };
        let leads = item.leads.iter().map(name).collect::<Vec<_>>().join("、");
        let participants = item.participants.iter().map(group).collect::<Vec<_>>().join("、");
        let text =
            item.text.replace([':', '：'], "").replace(',', "，").replace('(', "（").replace(')', "）");
        let ending = format!("（牵头部室{leads}，参与单位{participants}）");
        assert!(text.ends_with(&ending), "item {}: {ending}", item.number);
    }
}

#[test]
fn the_plan_has_46_targets_and_no_item_without_target_or_milestone() {
    let seeds = embedded();
    assert_eq!(seeds.targets.len(), 46);
    let targeted: BTreeSet<i64> = seeds.targets.iter().map(|target| target.item).collect();
    let stepped: BTreeSet<i64> = seeds.milestones.iter().map(|milestone| milestone.item).collect();
    assert_eq!(targeted.union(&stepped).copied().collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    for item in [1, 2, 4, 6, 18, 22, 26, 30] {
        assert!(!targeted.contains(&item) && stepped.contains(&item), "item {item}");
    }
    for target in &seeds.targets {
        assert_eq!(target.code.get(..2), Some(format!("{:02}", target.item).as_str()));
    }
    assert!(seeds.milestones.iter().all(|milestone| milestone.due.year() == 2025));
}

#[test]
fn targets_keep_what_the_wording_implies() {
    let seeds = embedded();
    let target = |code: &str| seeds.targets.iter().find(|target| target.code == code).unwrap();
    for (one, other) in [("03a", "03b"), ("07a", "07b"), ("17a", "17b"), ("21a", "21b")] {
        assert_eq!(target(one).semantics.pair.as_deref(), Some(other));
        assert_eq!(target(other).semantics.pair.as_deref(), Some(one));
    }
    assert_eq!(target("11a").semantics.parts, [1, 50, 30]);
    assert_eq!(target("16b").semantics.min_level, Some(Level::City));
    assert_eq!((target("16b").each, target("16b").period), (Some(Each::Station), Period::Month));
    assert!(target("27a").semantics.rotates);
    let range = target("12b");
    assert_eq!((range.comparator, range.value, range.upper), (Comparator::Between, 3, Some(5)));
}

#[test]
fn official_organisations_are_exactly_those_of_the_plan() {
    let seeds = embedded();
    let official: Vec<&Organisation> = seeds.organisations.iter().filter(|one| !one.is_demo()).collect();
    assert_eq!(official.len(), 1 + 5 + 11);
    let divisions: Vec<&str> = official.iter().filter_map(|one| one.division_code.as_deref()).collect();
    let expected = ["003", "006", "012", "013", "014", "015", "016", "017", "018", "019", "020"];
    assert_eq!(divisions, expected.map(|last| format!("440307{last}")));
    let count =
        |kind, level| seeds.organisations.iter().filter(|one| one.kind == kind && one.level == level).count();
    assert_eq!(count(OrganisationKind::DirectUnion, Some(Level::Grassroots)), 7);
    assert_eq!(count(OrganisationKind::DirectUnion, None), 1);
    assert!(count(OrganisationKind::Station, Some(Level::City)) >= 2);
    for street in official.iter().filter(|one| one.kind == OrganisationKind::SubDistrict) {
        let below = |kind| {
            let is_below =
                |one: &&Organisation| one.kind == kind && one.parent_code.as_ref() == Some(&street.code);
            seeds.organisations.iter().filter(is_below).count()
        };
        assert!((2..=3).contains(&below(OrganisationKind::EnterpriseUnion)), "{}", street.code);
        assert!((1..=2).contains(&below(OrganisationKind::Station)), "{}", street.code);
    }
}

#[test]
fn one_attendance_counts_for_several_targets() {
    let seeds = embedded();
    let counts = |programme: &str, role: AttendanceRole| -> Vec<&str> {
        let programme = seeds.demo.programmes.iter().find(|one| one.code == programme).unwrap();
        let rules = seeds.counting_rules.iter().filter(|rule| rule.covers(programme));
        rules
            .filter(|rule| rule.role.is_none_or(|wanted| wanted == role))
            .map(|rule| rule.target.as_str())
            .collect()
    };
    assert_eq!(counts("demo-skills-rider", AttendanceRole::Participant), ["07a", "07b", "21a", "21b"]);
    assert_eq!(counts("demo-injury-visit", AttendanceRole::Participant), ["19a"]);
    assert_eq!(counts("demo-injury-visit", AttendanceRole::Gift), ["19a", "19b"]);
    assert_eq!(counts("demo-craftsman-support", AttendanceRole::Expert), ["09c"]);
    assert_eq!(counts("demo-craftsman-support", AttendanceRole::Participant), ["09e"]);
    assert_eq!(counts("demo-station-service", AttendanceRole::Participant), ["16b", "21a", "21b"]);
    // The demonstration can move every target that attendance feeds.
    for target in seeds.targets.iter().filter(|target| target.counted_from == CountedFrom::Attendance) {
        let mut rules = seeds.counting_rules.iter().filter(|rule| rule.target == target.code);
        assert!(
            rules.any(|rule| seeds.demo.programmes.iter().any(|one| rule.covers(one))),
            "{}",
            target.code
        );
    }
}

#[test]
fn check_in_can_be_tried_in_every_street_on_the_day_of_seeding() {
    let seeds = embedded();
    let demo = &seeds.demo;
    for street in seeds.organisations.iter().filter(|one| one.kind == OrganisationKind::SubDistrict) {
        let here = demo.activities.iter().filter(|activity| activity.venue.sub_district == street.code);
        let all_day = here
            .flat_map(|activity| &activity.sessions)
            .any(|session| session.start == Moment { day: 0, at: NaiveTime::MIN } && session.minutes == 1439);
        assert!(all_day, "{}", street.code);
    }
    let now = Moment { day: 0, at: NaiveTime::from_hms_opt(12, 0, 0).unwrap() };
    let open =
        demo.activities.iter().filter(|one| one.signup_opens <= now && now < one.signup_closes).count();
    let later = demo.activities.iter().filter(|one| one.signup_opens > now).count();
    assert!(open >= 11 && later >= 3 && demo.activities.len() - open - later >= 3);
    let kinds: BTreeSet<ProgrammeKind> = demo.programmes.iter().map(|programme| programme.kind).collect();
    assert_eq!(kinds.len(), ProgrammeKind::ALL.len());
    let roles: BTreeSet<StaffRole> = demo.staff.iter().map(|staff| staff.role).collect();
    assert_eq!(roles.len(), StaffRole::ALL.len());
}

#[test]
fn moments_are_shanghai_time() {
    let moment = Moment { day: 2, at: NaiveTime::from_hms_opt(14, 30, 0).unwrap() };
    let day = NaiveDate::from_ymd_opt(2025, 12, 30).unwrap();
    assert_eq!(moment.on(day).to_rfc3339(), "2026-01-01T06:30:00+00:00");
}

#[test]
fn due_is_a_day_or_a_quarter() {
    let due = |text: &str| text.parse::<Due>().map(Due::last_day);
    assert_eq!(due("2025-Q2"), Ok(NaiveDate::from_ymd_opt(2025, 6, 30).unwrap()));
    assert_eq!(due("2025-03-08"), Ok(NaiveDate::from_ymd_opt(2025, 3, 8).unwrap()));
    for text in ["2025-Q5", "2025-Q0", "Q2", "2025-02-30", ""] {
        assert_eq!(due(text), Err(DueError), "{text}");
    }
}

#[test]
fn names_are_those_of_serde() {
    fn same<T: Named + serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>() {
        for value in T::ALL {
            let json = serde_json::Value::from(value.as_str());
            assert_eq!(serde_json::to_value(value).unwrap(), json);
            assert_eq!(&serde_json::from_value::<T>(json).unwrap(), value);
        }
    }
    same::<OrganisationKind>();
    same::<Level>();
    same::<ParticipantGroup>();
    same::<Measure>();
    same::<Attribution>();
    same::<ProgrammeKind>();
    same::<Audience>();
    same::<AttendanceRole>();
    same::<StaffRole>();
    same::<PolicyUnit>();
    same::<DayKind>();
}

#[test]
fn a_folder_is_read_like_the_embedded_files() {
    let folder = copy();
    let source = SeedSource::Folder(folder.path().to_owned());
    assert_eq!(load(&source).unwrap(), embedded());
    // A spreadsheet's byte order mark and line ends do not matter, and the demonstration may be left out.
    let targets = folder.path().join("targets-2025.csv");
    let text = std::fs::read_to_string(&targets).unwrap();
    std::fs::write(&targets, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    std::fs::remove_file(folder.path().join("demo.toml")).unwrap();
    let loaded = load(&source).unwrap();
    assert_eq!((loaded.targets, loaded.demo), (embedded().targets, Demo::default()));
}

#[test]
fn a_faulty_cell_names_file_line_and_field() {
    let found = faults(&[(
        "targets-2025.csv",
        "09b,9,11个创新工作室联盟,reported_count,at_least,11",
        "09b,9,11个创新工作室联盟,reported_count,at_least,abc",
    )]);
    assert_eq!(found, [r#"targets-2025.csv:10 field "value": "abc" is not a whole number / 不是整数"#]);
}

#[test]
fn all_faults_of_all_files_come_at_once() {
    let found = faults(&[
        (
            "organisations.csv",
            "dept-office,深圳市龙岗区总工会办公室,办公室,department",
            "dept-office,,办公室,office",
        ),
        ("organisations.csv", "street-pinghu,深圳", "street-pingdi,深圳"),
        (
            "plan-2025.toml",
            "section = 1\ntitle = \"不断强化理论武装\"",
            "section = 9\ntitle = \"强化理论武装\"",
        ),
        ("targets-2025.csv", "03b,3,", "03b,33,"),
        ("targets-2025-semantics.csv", "1;50;30", "1;50;31"),
        ("targets-2025-semantics.csv", "21b,21a", "21b,"),
        (
            "milestones-2025.csv",
            "M01-3,1,学习贯彻广东省工会十五大精神,2025-12-31",
            "M01-2,1,学习贯彻广东省工会十五大精神,2025-Q7",
        ),
        ("counting-rules-2025.csv", "27a,,street_exchange", "27b,,street_fair"),
        ("policies.csv", "legal_aid.review,7", "legal_aid.review,seven"),
        (
            "demo.toml",
            "capacity = 60\nsignup_opens = { day = -7, at = \"09:00\" }",
            "capacity = \"60\"\nsignup_opens = { day = -7, at = \"9 am\" }",
        ),
        ("demo.toml", "organiser = \"street-pinghu\"", "organizer = \"street-pinghu\""),
    ]);
    let expected = [
        r#"organisations.csv:6 field "name": is empty / 不能为空"#,
        r#"organisations.csv:6 field "kind": "office" is not one of: district, department, sub_district, industry_union, direct_union, station, enterprise_union / 不在可选值之列"#,
        r#"organisations.csv:12 field "code": organisation "street-pingdi" is already defined on line 11 / 组织重复，已见于第 11 行"#,
        r#"plan-2025.toml:36 field "section": there is no section "9" / 部分不存在"#,
        r#"plan-2025.toml:40 field "text": does not begin with the title / 没有以标题开头"#,
        r#"targets-2025.csv:3 field "code": does not begin with 33, the item / 没有以条目序号开头"#,
        r#"targets-2025.csv:3 field "item": there is no plan item "33" / 条目不存在"#,
        r#"targets-2025-semantics.csv:7 field "parts": add up to 82, the target is 81 / 各部分之和与指标值不等"#,
        r#"milestones-2025.csv:6 field "code": milestone "M01-2" is already defined on line 5 / 里程碑重复，已见于第 5 行"#,
        r#"counting-rules-2025.csv:23 field "target": there is no target "27b" / 指标不存在"#,
        r#"policies.csv:6 field "value": "seven" is not a whole number / 不是整数"#,
        r#"demo.toml:215 field "capacity": "60" is not a whole number / 不是整数"#,
        r#"demo.toml:216 field "at": "9 am" is not a time of day such as 09:00 / 不是时刻（如 09:00）"#,
    ];
    for line in expected {
        assert!(found.iter().any(|fault| fault == line), "{line}\nis not among\n{}", found.join("\n"));
    }
    // A department whose kind is not known may well be there.
    assert!(!found.iter().any(|fault| fault.contains("no department")));
    assert!(found.iter().any(|fault| fault.contains("field \"organizer\": is not a field of this file")));
    assert!(found.iter().any(|fault| fault.contains("field \"organiser\": is missing")));
    assert!(found.iter().any(|fault| fault.contains("\"21b\" does not name \"21a\" in turn")));
    assert!(found.iter().any(|fault| fault.contains("\"27a\" has no rule")));
    assert!(found.iter().any(|fault| fault.contains("there is no topic \"street_fair\"")));
    assert!(found.iter().any(|fault| fault.contains("\"2025-Q7\" is not a date or quarter")));
}

#[test]
fn what_depends_on_an_unreadable_value_is_not_blamed() {
    let folder = copy();
    std::fs::write(folder.path().join("organisations.csv"), [0xbd, 0xcc]).unwrap();
    std::fs::remove_file(folder.path().join("topics.csv")).unwrap();
    let faults = load(&SeedSource::Folder(folder.path().to_owned())).unwrap_err();
    assert_eq!(faults.0.len(), 2, "{faults}");
    assert_eq!(faults.0[0].to_string(), "organisations.csv: is not UTF-8 text / 不是 UTF-8 编码的文本");
    assert!(faults.0[1].to_string().starts_with("topics.csv: cannot be read: "));
    assert!(
        faults
            .to_string()
            .starts_with("2 faults in the seed files / 初始数据有 2 处错误\n  organisations.csv")
    );
}

#[test]
fn a_missing_column_and_a_short_row_are_named_once() {
    let found = faults(&[
        ("milestones-2025.csv", "code,item,name,due", "code,item,name,until"),
        ("topics.csv", "skills,技能培训", "skills"),
    ]);
    assert_eq!(
        found,
        [
            "topics.csv:3: has 1 cells, the header has 2 / 列数与表头不一致",
            r#"milestones-2025.csv:3 field "due": the column is missing / 缺少此列"#,
            r#"milestones-2025.csv:3 field "until": is not a field of this file / 不是此文件的字段"#,
        ]
    );
}

#[test]
fn broken_toml_is_named_by_line() {
    let found = faults(&[("plan-2025.toml", "year = 2025", "year = = 2025")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("plan-2025.toml:6: is not TOML: "), "{found:?}");
}

#[test]
fn parents_stand_before_children_and_above_the_demonstration() {
    let found = faults(&[(
        "organisations.csv",
        "dept-office,深圳市龙岗区总工会办公室,办公室,department,longgang",
        "dept-office,深圳市龙岗区总工会办公室,办公室,department,demo-direct-1",
    )]);
    assert_eq!(
        found,
        [
            r#"organisations.csv:6 field "parent_code": an official organisation has a demonstration above it / 正式组织的上级不能是演示组织"#
        ]
    );
    let found =
        faults(&[("organisations.csv", "办公室,department,longgang", "办公室,department,street-buji")]);
    assert_eq!(
        found,
        [
            r#"organisations.csv:6 field "parent_code": organisation "street-buji" must stand on an earlier line / 组织必须写在前面的行"#
        ]
    );
}

#[test]
fn the_calendar_has_as_many_days_as_the_notices() {
    let seeds = embedded();
    assert_eq!(seeds.calendar_years.iter().map(|row| row.year).collect::<Vec<_>>(), [2024, 2025, 2026]);
    let count = |year: i32, kind: DayKind| {
        seeds.calendar_days.iter().filter(|row| row.day.year() == year && row.kind == kind).count()
    };
    // 1+8+3+5+1+3+7, 1+8+3+5+3+8, 3+9+3+5+3+3+7 days off
    for (year, off, worked) in [(2024, 28, 8), (2025, 28, 5), (2026, 33, 6)] {
        assert_eq!((count(year, DayKind::Holiday), count(year, DayKind::Workday)), (off, worked), "{year}");
    }
}

#[test]
fn wrong_days_of_the_calendar_are_named() {
    let row = |date: &str, kind: &str| format!("{date},{kind},");
    let edit = |date: &str, kind: &str, new: String| ("calendar.csv", row(date, kind), new);
    let edits = [
        edit("2024-01-01", "holiday", row("2024-01-01", "feast")),
        edit("2024-02-04", "workday", row("2024-02-05", "workday")),
        edit("2024-02-10", "holiday", row("2024-02-30", "holiday")),
        edit("2024-02-12", "holiday", row("2024-02-11", "holiday")),
        edit("2024-02-13", "holiday", row("2027-02-13", "holiday")),
    ];
    let found = faults(&edits.each_ref().map(|(file, old, new)| (*file, old.as_str(), new.as_str())));
    assert_eq!(
        found,
        [
            r#"calendar.csv:4 field "kind": "feast" is not one of: holiday, workday / 不在可选值之列"#,
            r#"calendar.csv:5 field "kind": a weekday is worked anyhow / 周一至周五本为工作日"#,
            r#"calendar.csv:6 field "day": "2024-02-30" is not a date such as 2025-12-31 / 不是日期（如 2025-12-31）"#,
            r#"calendar.csv:8 field "day": day "2024-02-11" is already defined on line 7 / 日期重复，已见于第 7 行"#,
            r#"calendar.csv:9 field "day": there is no year of the calendar "2027" / 日历年份不存在"#,
        ]
    );
    let found = faults(&[("calendar-years.csv", "2025,", "2024,")]);
    let twice = r#"calendar-years.csv:4 field "year": year of the calendar "2024" is already defined on line 3 / 日历年份重复，已见于第 3 行"#;
    assert_eq!(found[0], twice);
    // Every day of the year that is gone.
    assert_eq!(found.len(), 1 + 28 + 5, "{found:?}");
}

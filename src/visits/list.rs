//! From the cells of a hospital's list to what it says, before anybody asks the database.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::model::Facts;
use super::rules;
use crate::error::Text;
use crate::offering::imports::columns::{CellFault, Column, Layout, Row, needed, optional};
use crate::offering::imports::sheet::Line;
use crate::people::phone::Phone;

/// Every column.
pub const COLUMNS: &[Column] = &[
    needed("name", &["姓名", "职工姓名", "患者姓名"]),
    needed("phone", &["手机号", "手机号码", "联系电话", "电话"]),
    optional("shared_phone", &["号码共用"]),
    optional("employer", &["用人单位", "工作单位", "单位", "单位名称"]),
    needed("hospital", &["医院", "就诊医院", "收治医院"]),
    needed("injured_on", &["受伤日期", "受伤时间", "事故日期"]),
    needed("admitted_on", &["入院日期", "入院时间", "住院日期"]),
    needed("injury", &["伤情", "受伤部位", "诊断", "伤情诊断"]),
];

/// How long texts may be.
const LONGEST: &[(&str, usize)] = &[("name", 40), ("employer", 120), ("hospital", 120), ("injury", 200)];

/// Somebody on a list.
#[derive(Debug, Clone)]
pub struct Patient {
    /// As the sheet numbers the row.
    pub row: u32,
    /// When they were injured.
    pub injured_on: NaiveDate,
    /// Whether the number is several people's.
    pub shared: bool,
    /// What else the list says.
    pub facts: Facts,
}

/// What is wrong, by row.
pub type RowFaults = BTreeMap<u32, Vec<CellFault>>;

/// What a list says.
#[derive(Debug, Default)]
pub struct List {
    /// Those whose rows could be read.
    pub patients: Vec<Patient>,
    /// What is wrong so far.
    pub faults: RowFaults,
    /// Every row, in order.
    pub rows: Vec<u32>,
}

/// Reads all rows below the header.
pub fn read(layout: &Layout, lines: &[Line], today: NaiveDate) -> List {
    let mut list = List::default();
    for line in lines {
        let row = Row::new(layout, line);
        list.rows.push(row.number);
        let mut cells = Cells { row: &row, faults: row.strays("name") };
        match cells.patient(today) {
            Some(patient) if cells.faults.is_empty() => list.patients.push(patient),
            _ => _ = list.faults.insert(row.number, cells.faults),
        }
    }
    list
}

/// The cells of one row, and what is wrong with them.
struct Cells<'a> {
    row: &'a Row<'a>,
    faults: Vec<CellFault>,
}

impl Cells<'_> {
    /// Whom the row is about; nobody where something that it needs is missing or cannot be read.
    fn patient(&mut self, today: NaiveDate) -> Option<Patient> {
        // All cells first, so that everything that is wrong is told at once.
        let (name, phone) = (self.text("name", true), self.phone());
        let (employer, hospital) = (self.text("employer", false), self.text("hospital", true));
        let (injured_on, admitted_on) = (self.day("injured_on"), self.day("admitted_on"));
        let injury = self.text("injury", true);
        let shared = self.kept(self.row.flag("shared_phone").map(Some)).unwrap_or_default();
        self.check_days(injured_on, admitted_on, today);
        let facts = Facts {
            name: name?,
            phone: phone?,
            employer,
            hospital: hospital?,
            admitted_on: admitted_on?,
            injury: injury?,
        };
        Some(Patient { row: self.row.number, injured_on: injured_on?, shared, facts })
    }

    fn kept<T>(&mut self, read: Result<Option<T>, CellFault>) -> Option<T> {
        read.unwrap_or_else(|fault| {
            self.faults.push(fault);
            None
        })
    }

    fn note(&mut self, column: &'static str, code: &'static str, zh: &'static str, en: &'static str) {
        self.faults.push(CellFault::new(column, code, Text::new(zh, en)));
    }

    fn text(&mut self, column: &'static str, required: bool) -> Option<String> {
        let before = self.faults.len();
        let text = self.kept(self.row.text(column));
        if required && text.is_none() && self.faults.len() == before {
            self.note(column, "required", "必填", "required");
        }
        let text = text?;
        let most = LONGEST.iter().find(|(name, _)| *name == column).map_or(usize::MAX, |(_, most)| *most);
        if text.chars().count() > most {
            let fault = Text::new(format!("最多 {most} 个字"), format!("at most {most} characters"));
            self.faults.push(CellFault::new(column, "max_length", fault));
        }
        if text.chars().any(char::is_control) {
            self.note(column, "pattern", "不能包含换行等控制符", "must not hold line breaks and the like");
        }
        Some(text)
    }

    fn phone(&mut self) -> Option<String> {
        let text = self.text("phone", true)?;
        match Phone::parse(&text) {
            Ok(phone) => Some(phone.as_str().to_owned()),
            Err(wrong) => {
                self.note("phone", "phone", wrong.zh(), wrong.en());
                None
            }
        }
    }

    fn day(&mut self, column: &'static str) -> Option<NaiveDate> {
        let before = self.faults.len();
        let day = self.kept(self.row.day(column));
        if day.is_none() && self.faults.len() == before {
            self.note(column, "required", "必填", "required");
        }
        day
    }

    fn check_days(&mut self, injured: Option<NaiveDate>, admitted: Option<NaiveDate>, today: NaiveDate) {
        for (column, day) in [("injured_on", injured), ("admitted_on", admitted)] {
            if day.is_some_and(|day| day > today) {
                self.note(column, "future", "不能晚于今天", "must not be after today");
            }
        }
        let earliest = today.checked_sub_months(rules::LOOK_BACK).unwrap_or(NaiveDate::MIN);
        if injured.is_some_and(|day| day < earliest) {
            self.note("injured_on", "past", "不能早于十年前", "must not be more than ten years ago");
        }
        if injured.zip(admitted).is_some_and(|(injured, admitted)| admitted < injured) {
            self.note("admitted_on", "order", "不能早于受伤日期", "must not be before injured_on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offering::imports::columns::layout_of;
    use crate::offering::imports::sheet::{CSV, read as read_sheet};

    fn listed(rows: &str) -> List {
        let csv = format!("姓名,手机号,用人单位,医院,受伤日期,入院日期,伤情,号码共用\n{rows}");
        let lines = read_sheet(CSV, csv.as_bytes()).unwrap();
        let (head, rest) = lines.split_first().unwrap();
        read(&layout_of(COLUMNS, head).unwrap(), rest, "2025-06-16".parse().unwrap())
    }

    #[test]
    fn a_row_is_read_as_hospitals_write_it() {
        let list = listed("张三,+86 138-0013-8000,,示例医院,2025/6/1,2025年6月2日,左手骨折,是");
        assert!(list.faults.is_empty(), "{:?}", list.faults);
        let patient = &list.patients[0];
        assert_eq!(
            (patient.row, patient.shared, patient.injured_on.to_string().as_str()),
            (2, true, "2025-06-01")
        );
        assert_eq!((patient.facts.phone.as_str(), patient.facts.employer.as_deref()), ("13800138000", None));
        assert_eq!(format!("{:?}", patient.facts), "Facts(…)");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let long = "长".repeat(201);
        let list = listed(&format!(
            ",123,,,昨天,,{long},也许\n\
             李四,13800138000,,示例医院,2025-06-17,2025-06-10,骨折,\n\
             王五,13800138000,,示例医院,2015-06-15,2015-06-14,骨折,\n"
        ));
        let told: Vec<(u32, &str, &str)> = list
            .faults
            .iter()
            .flat_map(|(row, faults)| faults.iter().map(move |fault| (*row, fault.column, fault.code)))
            .collect();
        assert_eq!(
            told,
            [
                (2, "name", "required"),
                (2, "phone", "phone"),
                (2, "hospital", "required"),
                (2, "injured_on", "format"),
                (2, "admitted_on", "required"),
                (2, "injury", "max_length"),
                (2, "shared_phone", "enum"),
                (3, "injured_on", "future"),
                (3, "admitted_on", "order"),
                (4, "injured_on", "past"),
                (4, "admitted_on", "order"),
            ]
        );
        assert!(list.patients.is_empty());
    }
}

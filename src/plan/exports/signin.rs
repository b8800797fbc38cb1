//! The sign-in sheet of a session (签到表): who was there and who is expected, for signing on paper.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use super::page::head;
use super::pen::{Pen, Pens};
use super::safe::html;
use super::sheet::moment;
use super::workbook::printed;
use crate::attendance;
use crate::attendance::model::CheckinMethod;
use crate::clock::shanghai;
use crate::error::{Error, Result};
use crate::ids::{OrganisationId, PersonId};
use crate::offering::model::{Activity, AttendanceRole, Session};
use crate::org;
use crate::people;
use crate::platform::access::Scope;
use crate::platform::db::Conn;
use crate::platform::vault::mask;

/// How the sheet looks.
const STYLE: &str = include_str!("signin.css");
/// People on one sheet at most.
pub const PEOPLE: usize = 5_000;

/// A sign-in sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Of the activity.
    pub title: String,
    /// Who holds it.
    pub organiser: String,
    /// Where.
    pub venue: String,
    /// When the session begins and ends.
    pub time: (DateTime<Utc>, DateTime<Utc>),
    /// Which session of the activity.
    pub number: i64,
    /// Everybody, in order.
    pub rows: Vec<Row>,
    /// Whether there are more than a sheet shows.
    pub cut: bool,
    /// Whether names are masked.
    pub masked: bool,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As the reader may see it.
    pub name: String,
    /// Where they work.
    pub unit: String,
    /// As what.
    pub role: &'static str,
    /// When they were checked in.
    pub at: Option<DateTime<Utc>>,
    /// How.
    pub way: &'static str,
}

/// Whose names are shown in full: of those who work inside `scope`; nobody's without one.
pub type Clear<'a> = Option<&'a Scope>;

/// The sign-in sheet of a session, and how many names of it are in full.
pub fn read(
    conn: &mut Conn,
    session: &Session,
    activity: &Activity,
    clear: Clear<'_>,
) -> Result<(SignIn, usize)> {
    let limit = i64::try_from(PEOPLE).unwrap_or(i64::MAX) + 1;
    let present = attendance::store::list(conn, session.id, None, limit)?;
    let there: BTreeSet<PersonId> = present.iter().map(|(row, _)| row.person_id).collect();
    let expected = attendance::store::expected_people(conn, activity.id)?;
    type One = (PersonId, Option<String>, AttendanceRole, Option<(DateTime<Utc>, CheckinMethod)>);
    let came = present.into_iter().map(|(row, name)| {
        let at = row.checked_in_at.and_utc();
        (row.person_id, name, row.role, Some((at, row.method)))
    });
    let missing = expected.into_iter().filter(|(person, _, _)| !there.contains(person));
    let mut all: Vec<One> =
        came.chain(missing.map(|(person, name, role)| (person, name, role, None))).collect();
    let cut = all.len() > PEOPLE;
    all.truncate(PEOPLE);
    let organisations = org::store::all(conn)?;
    let root = org::store::root(conn)?;
    let homes = homes(conn, &all.iter().map(|one| one.0).collect::<Vec<_>>())?;
    let mut revealed = 0;
    let rows = all
        .into_iter()
        .map(|(person, name, role, came)| {
            let home = homes.get(&person).and_then(|id| organisations.get(id));
            let name = name.unwrap_or_default();
            // Whoever has no workplace belongs to the district.
            let path = home.map_or(root.path.as_str(), |home| home.path.as_str());
            let name = if clear.is_some_and(|scope| scope.covers(path)) {
                revealed += 1;
                name
            } else {
                mask::name(&name)
            };
            Row {
                name,
                unit: home.map(|home| home.short_name.clone()).unwrap_or_default(),
                role: role_word(role.as_str()),
                at: came.map(|(at, _)| at),
                way: came.map_or("", |(_, method)| way(method.as_str())),
            }
        })
        .collect();
    let organiser =
        organisations.get(&activity.organisation_id).map(|one| one.name.clone()).unwrap_or_default();
    let sheet = SignIn {
        title: activity.title.clone(),
        organiser,
        venue: activity.venue.clone(),
        time: (session.starts_at.and_utc(), session.ends_at.and_utc()),
        number: session.number,
        rows,
        cut,
        masked: clear.is_none(),
    };
    Ok((sheet, revealed))
}

fn homes(conn: &mut Conn, people: &[PersonId]) -> Result<HashMap<PersonId, OrganisationId>> {
    let mut homes = HashMap::new();
    for some in people.chunks(500) {
        let profiles = people::store::profiles(conn, some, false)?;
        homes.extend(profiles.into_iter().filter_map(|(person, one)| Some((person, one.workplace?))));
    }
    Ok(homes)
}

fn way(method: &str) -> &'static str {
    match method {
        "staff_scan" => "工作人员扫码",
        "self_scan" => "本人扫码",
        "spoken_code" => "口令",
        "roster" => "名单签到",
        "sheet" => "纸质签到",
        "walk_in" => "现场登记",
        _ => "走访",
    }
}

fn role_word(role: &str) -> &'static str {
    match role {
        "participant" => "参加者",
        "companion" => "随行人员",
        "expert" => "劳模工匠",
        "gift" => "慰问对象",
        "trainer" => "讲师",
        "volunteer" => "志愿者",
        "staff" => "工作人员",
        _ => "观摩人员",
    }
}

/// Heads of the columns.
const HEADS: [&str; 7] = ["序号", "姓名", "单位", "身份", "签到时间", "签到方式", "本人签名"];

impl SignIn {
    fn when(&self) -> String {
        let until = self.time.1.with_timezone(&shanghai()).format("%H:%M");
        format!("{} 至 {until}（第 {} 场）", moment(self.time.0), self.number)
    }

    fn remarks(&self) -> String {
        let mut said = format!(
            "共 {} 人，已签到 {} 人。",
            self.rows.len(),
            self.rows.iter().filter(|r| r.at.is_some()).count()
        );
        if self.masked {
            said.push_str("姓名已脱敏。");
        }
        if self.cut {
            said.push_str(&format!("人数超过 {PEOPLE}，仅列出前 {PEOPLE} 人。"));
        }
        said
    }
}

fn cells(number: usize, row: &Row) -> [String; 6] {
    let at = row.at.map(|at| at.with_timezone(&shanghai()).format("%m-%d %H:%M").to_string());
    [
        number.to_string(),
        row.name.clone(),
        row.unit.clone(),
        row.role.to_owned(),
        at.unwrap_or_default(),
        row.way.to_owned(),
    ]
}

/// What the page may do.
pub fn policy() -> String {
    super::page::policy(STYLE)
}

/// The sheet as a page to print.
pub fn page(sheet: &SignIn) -> String {
    let mut page = head(&format!("签到表 {}", sheet.title), STYLE, "");
    page.push_str(&format!(
        "<body><h1>签到表</h1><dl><dt>活动</dt><dd>{}</dd><dt>时间</dt><dd>{}</dd><dt>地点</dt><dd>{}</dd><dt>主办</dt><dd>{}</dd></dl>",
        html(&sheet.title),
        html(&sheet.when()),
        html(&sheet.venue),
        html(&sheet.organiser)
    ));
    page.push_str("<table><thead><tr>");
    HEADS.iter().for_each(|head| page.push_str(&format!("<th>{head}</th>")));
    page.push_str("</tr></thead><tbody>");
    for (number, row) in (1..).zip(&sheet.rows) {
        page.push_str("<tr>");
        cells(number, row).iter().for_each(|text| page.push_str(&format!("<td>{}</td>", html(text))));
        page.push_str("<td></td></tr>");
    }
    page.push_str(&format!(
        "</tbody></table><p>{}</p><p class=\"sign\">负责人签名：　　　　　　　　日期：　　　　　</p></body></html>\n",
        html(&sheet.remarks())
    ));
    page
}

/// The sheet as a workbook.
pub fn workbook(sheet: &SignIn) -> Result<Vec<u8>> {
    draw(sheet).map_err(Error::internal)
}

fn draw(sheet: &SignIn) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let at = ExcelDateTime::from_timestamp(sheet.time.0.timestamp())?;
    book.set_properties(&DocProperties::new().set_title("签到表").set_creation_datetime(&at));
    let (pens, table) = (Pens::new(), book.add_worksheet());
    table.set_name("签到表")?;
    printed(table, false);
    for (column, width) in (0..).zip([6.0, 12.0, 24.0, 10.0, 14.0, 14.0, 22.0]) {
        table.set_column_width(column, width)?;
    }
    table.set_freeze_panes(6, 0)?;
    table.set_repeat_rows(5, 5)?;
    let mut pen = Pen::new(table, &pens);
    pen.title(0, "签到表")?;
    let about =
        [("活动", &sheet.title), ("时间", &sheet.when()), ("地点", &sheet.venue), ("主办", &sheet.organiser)];
    for (row, (name, text)) in (1..).zip(about) {
        pen.strong(row, 0, name)?;
        pen.plain(row, 1, text)?;
    }
    pen.heads(5, 0, &HEADS)?;
    let mut last = 5;
    for (number, row) in (1..).zip(&sheet.rows) {
        last += 1;
        for (column, text) in (0..).zip(cells(number, row)) {
            pen.text(last, column, &text)?;
        }
        pen.text(last, 6, "")?;
    }
    pen.plain(last + 1, 0, &sheet.remarks())?;
    for row in 6..=last {
        // Room for a hand.
        table.set_row_height(row, 24)?;
    }
    book.save_to_buffer()
}

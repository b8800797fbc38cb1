//! Breaking the glass: somebody who is not of a case's team opens it, for hours and with a reason.
//!
//! ```text
//! open ──close──▶ ended
//!   └──its hours are over──▶ ended, whether or not anybody has looked
//! ```
//! Whoever opened it reads and changes nothing. The auditors are told at once, the person whose case it is after some days, and each read is
//! in the audit chain as any read of a case is.

use chrono::{DateTime, Days, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

use super::hands::conflicts;
use super::model::Case;
use crate::clock::{civil_day, day_start, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::{CaseId, GlassId, Ids, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::org;
use crate::platform::access::Scope;
use crate::platform::access::policy::{LegalGlassRead, Permission};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    legal_cases, legal_glass, legal_team, organisations, people, staff_grants,
};
use crate::platform::vault::{Field, Vault};
use crate::policy;

/// Where the reasons are kept.
const TEXT: Field = Field("legal_glass.text");
/// How many hours at most.
const HOURS: &str = "legal_aid.glass_hours";
/// After how many days the person is told.
const TOLD: &str = "legal_aid.glass_told";
/// People whom one run of the job tells; the next takes the others.
const SWEPT: i64 = 200;

crate::text_enum! {
    /// Why somebody opens a case that is not theirs.
    pub enum GlassReason {
        /// 办案组成员均无法履职
        TeamAway = "team_away",
        /// 期限将至，须有人处理
        TermRunsOut = "term_runs_out",
        /// 涉及人身安全等紧急情形
        Danger = "danger",
        /// 核查投诉
        Complaint = "complaint",
        /// 法院、仲裁机构或有权机关依法要求
        Court = "court",
        /// 其他
        Other = "other",
    }
}

impl GlassReason {
    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::TeamAway => "办案组成员均无法履职",
            Self::TermRunsOut => "期限将至，须有人处理",
            Self::Danger => "涉及人身安全等紧急情形",
            Self::Complaint => "核查投诉",
            Self::Court => "有权机关依法要求",
            Self::Other => "其他原因",
        }
    }
}

/// That somebody opened a case that is not theirs.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_glass, treat_none_as_default_value = false)]
pub struct Glass {
    /// Its id.
    pub id: GlassId,
    /// Which case.
    pub case_id: CaseId,
    /// Who.
    pub person_id: PersonId,
    /// Why, in a word.
    pub reason: GlassReason,
    /// Why, in words.
    pub text_sealed: String,
    /// When.
    pub opened_at: NaiveDateTime,
    /// When it ends by itself.
    pub ends_at: NaiveDateTime,
    /// When it ended.
    pub ended_at: Option<NaiveDateTime>,
    /// When the person whose case it is was told.
    pub told_at: Option<NaiveDateTime>,
}

impl Glass {
    /// Whether it is open at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && self.ends_at.and_utc() > now
    }

    /// Why, in words.
    pub fn text(&self, vault: &Vault) -> Result<String> {
        let text = vault.open(TEXT, self.id.0.as_bytes(), &self.text_sealed).map_err(Error::internal)?;
        Ok(text.expose_secret().to_owned())
    }
}

/// Which case, as somebody names it who does not know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its id.
    Id(CaseId),
    /// By its number, as it stands on a paper.
    Number(String),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which case.
    pub case: Named,
    /// Why, in a word.
    pub reason: GlassReason,
    /// Why, in words.
    pub text: String,
    /// For how long; as long as the policy allows where it is not said.
    pub minutes: Option<i64>,
}

/// By which glass `person` looks into `case` at `now`, if by any.
pub fn open_for(
    conn: &mut Conn,
    case: CaseId,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<Option<GlassId>> {
    let open = legal_glass::table
        .filter(legal_glass::case_id.eq(case))
        .filter(legal_glass::person_id.eq(person))
        .filter(legal_glass::ended_at.is_null())
        .filter(legal_glass::ends_at.gt(db_time(now)));
    Ok(open.select(legal_glass::id).first(conn).optional()?)
}

/// Opens a case for `person`, who may do so over `scope`.
///
/// # Errors
/// 404 for a case that is not there, is of a desk outside, or from which the caller must keep away; `state_forbids` for somebody of the team and while it is
/// open already.
pub fn open_in_tx(
    conn: &mut Conn,
    (ids, vault): (&Ids, &Vault),
    (person, scope): (PersonId, &Scope),
    id: GlassId,
    ask: &Ask,
    now: DateTime<Utc>,
) -> Result<Glass> {
    let case = locked_in_tx(conn, &ask.case)?;
    let desk = org::store::get(conn, case.desk_id)?;
    scope.require(&desk.path)?;
    // Whoever asked, works for the employer, or has stood on the other side does not even learn that it is there.
    if !conflicts::check(conn, vault, &case, person)?.is_empty() {
        return Err(Error::not_found());
    }
    let of_team = legal_team::table
        .filter(legal_team::case_id.eq(case.id))
        .filter(legal_team::person_id.eq(person))
        .filter(legal_team::left_at.is_null());
    if of_team.count().get_result::<i64>(conn)? > 0 {
        return Err(Error::new(Code::StateForbids).detail("您已在该案办案组中", "You are of the case's team"));
    }
    expire_in_tx(conn, now)?;
    if open_for(conn, case.id, person, now)?.is_some() {
        return Err(
            Error::new(Code::StateForbids).detail("您已打开该案，尚未结束", "You have it open already")
        );
    }
    let most = policy::store::number_on(conn, HOURS, civil_day(now))?.saturating_mul(60);
    let minutes = ask.minutes.unwrap_or(most).clamp(1, most.max(1));
    let row = Glass {
        id,
        case_id: case.id,
        person_id: person,
        reason: ask.reason,
        text_sealed: vault.seal(TEXT, id.0.as_bytes(), &ask.text).map_err(Error::internal)?,
        opened_at: db_time(now),
        ends_at: db_time(now + TimeDelta::minutes(minutes)),
        ended_at: None,
        told_at: None,
    };
    diesel::insert_into(legal_glass::table).values(&row).execute(conn)?;
    let mut beside = Beside::default();
    let told = |person| Message {
        person,
        kind: NoticeKind::LegalGlassOpened,
        subject: desk.short_name.clone(),
        detail: format!("事由：{}。", row.reason.words()),
        link: format!("/api/v1/legal-glass/{id}"),
    };
    beside.messages.extend(auditors(conn, &desk.path)?.into_iter().map(told));
    let detail = json!({ "glass": id, "reason": row.reason, "ends_at": row.ends_at.and_utc() });
    beside.entries.push(Entry::new(person, "legal_glass.open", case.id).detail(detail));
    beside.write_in_tx(conn, ids, now)?;
    Ok(row)
}

/// The case that is named, locked; 404 where there is none.
fn locked_in_tx(conn: &mut Conn, named: &Named) -> Result<Case> {
    let found: Vec<Case> = match named {
        Named::Id(id) => crate::load_locked!(
            &mut *conn,
            legal_cases::table.filter(legal_cases::id.eq(*id)).select(Case::as_select())
        )?,
        Named::Number(number) => crate::load_locked!(
            &mut *conn,
            legal_cases::table.filter(legal_cases::number.eq(number)).select(Case::as_select())
        )?,
    };
    found.into_iter().next().ok_or_else(Error::not_found)
}

/// Who is told of it at once: auditors of the desk at `path` and of everything above it.
fn auditors(conn: &mut Conn, path: &str) -> Result<Vec<PersonId>> {
    let above: Vec<String> =
        path.match_indices('/').skip(1).filter_map(|(end, _)| path.get(..=end)).map(Into::into).collect();
    let query = staff_grants::table
        .inner_join(organisations::table)
        .inner_join(people::table.on(people::id.eq(staff_grants::person_id)))
        .filter(organisations::path.eq_any(above))
        .filter(staff_grants::role.eq_any(LegalGlassRead::ROLES.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people::disabled_at.is_null())
        .order(staff_grants::person_id)
        .select(staff_grants::person_id)
        .distinct();
    Ok(query.load(conn)?)
}

/// Closes what `person` opened, before its hours are over.
///
/// # Errors
/// 404 for what they did not open, `state_forbids` once it has ended.
pub fn close_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    person: PersonId,
    id: GlassId,
    now: DateTime<Utc>,
) -> Result<Glass> {
    let query = legal_glass::table.find(id).filter(legal_glass::person_id.eq(person));
    let found: Vec<Glass> = crate::load_locked!(&mut *conn, query.select(Glass::as_select()))?;
    let row = found.into_iter().next().ok_or_else(Error::not_found)?;
    if !row.is_open(now) {
        return Err(Error::new(Code::StateForbids).detail("查阅已结束", "It has ended already"));
    }
    let ended_at = Some(db_time(now));
    let open = legal_glass::table.filter(legal_glass::id.eq(id)).filter(legal_glass::ended_at.is_null());
    diesel::update(open).set(legal_glass::ended_at.eq(ended_at)).execute(conn)?;
    let entry = Entry::new(person, "legal_glass.close", row.case_id).detail(json!({ "glass": id }));
    let beside = Beside { entries: vec![entry], ..Beside::default() };
    beside.write_in_tx(conn, ids, now)?;
    Ok(Glass { ended_at, ..row })
}

/// Notes the end of what has ended by itself. Nobody waits for this: what is over opens nothing.
fn expire_in_tx(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    let over = legal_glass::table
        .filter(legal_glass::ended_at.is_null())
        .filter(legal_glass::ends_at.le(db_time(now)));
    diesel::update(over).set(legal_glass::ended_at.eq(legal_glass::ends_at.nullable())).execute(conn)?;
    Ok(())
}

/// Notes what has ended, and tells people that their case was opened, once each, when the days of the policy are over.
pub fn sweep_in_tx(conn: &mut Conn, ids: &Ids, now: DateTime<Utc>) -> Result<()> {
    expire_in_tx(conn, now)?;
    let today = civil_day(now);
    let days = u64::try_from(policy::store::number_on(conn, TOLD, today)?).unwrap_or(0);
    let last = today.checked_sub_days(Days::new(days)).unwrap_or(today);
    let before = last.succ_opt().map_or(now, day_start).min(now);
    let untold: Vec<(Glass, PersonId)> = legal_glass::table
        .inner_join(legal_cases::table)
        .filter(legal_glass::told_at.is_null())
        .filter(legal_glass::ended_at.is_not_null())
        .filter(legal_glass::opened_at.lt(db_time(before)))
        .order(legal_glass::opened_at)
        .limit(SWEPT)
        .select((Glass::as_select(), legal_cases::person_id))
        .load(conn)?;
    let mut beside = Beside::default();
    for (row, applicant) in untold {
        let one =
            legal_glass::table.filter(legal_glass::id.eq(row.id)).filter(legal_glass::told_at.is_null());
        if diesel::update(one).set(legal_glass::told_at.eq(db_time(now))).execute(conn)? != 1 {
            continue;
        }
        beside.messages.push(Message {
            person: applicant,
            kind: NoticeKind::LegalGlassTold,
            subject: row.reason.words().to_owned(),
            detail: civil_day(row.opened_at.and_utc()).format("%Y年%-m月%-d日").to_string(),
            link: format!("/api/v1/me/legal-requests/{}", row.case_id),
        });
        let detail = json!({ "glass": row.id });
        beside.entries.push(Entry::system("legal_glass.tell", row.case_id).detail(detail));
    }
    beside.write_in_tx(conn, ids, now)
}

/// What was opened at desks under `patterns` before `before`, newest first, with the desk's short name.
pub fn list(
    conn: &mut Conn,
    patterns: Vec<String>,
    before: Option<GlassId>,
    limit: i64,
) -> Result<Vec<(Glass, String)>> {
    let mut query = legal_glass::table
        .inner_join(legal_cases::table)
        .inner_join(organisations::table.on(organisations::id.eq(legal_cases::desk_id)))
        .order(legal_glass::id.desc())
        .limit(limit)
        .select((Glass::as_select(), organisations::short_name))
        .into_boxed();
    query = query.filter(org::store::under(patterns));
    if let Some(before) = before {
        query = query.filter(legal_glass::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// One that was opened at a desk within `scope`, with the desk's short name; 404 elsewhere.
pub fn get(conn: &mut Conn, scope: &Scope, id: GlassId) -> Result<(Glass, String)> {
    let query = legal_glass::table
        .inner_join(legal_cases::table)
        .inner_join(organisations::table.on(organisations::id.eq(legal_cases::desk_id)))
        .filter(legal_glass::id.eq(id))
        .select((Glass::as_select(), organisations::short_name, organisations::path));
    let found: Option<(Glass, String, String)> = query.first(conn).optional()?;
    let (row, desk, path) = found.ok_or_else(Error::not_found)?;
    scope.require(&path)?;
    Ok((row, desk))
}

/// Reasons after `after`, for the rotation of keys.
pub fn sealed_after(conn: &mut Conn, after: Option<GlassId>, limit: i64) -> Result<Vec<(GlassId, String)>> {
    let mut query = legal_glass::table
        .order(legal_glass::id)
        .limit(limit)
        .select((legal_glass::id, legal_glass::text_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_glass::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Seals a reason under the active key.
pub fn reseal_in_tx(conn: &mut Conn, vault: &Vault, id: GlassId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(TEXT, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    Ok(diesel::update(legal_glass::table.find(id)).set(legal_glass::text_sealed.eq(new)).execute(conn)?)
}

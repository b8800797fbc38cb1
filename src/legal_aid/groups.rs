//! Group cases: ten workers and more with one claim (劳动争议调解仲裁法 第七条), who elect representatives.
//!
//! ```text
//! named ──consent──▶ consented ──decline──▶ declined
//!   └──decline──▶ declined ──consent──▶ consented
//! ```
//! The applicant names the others; each agrees for themselves, under their own login, and says how much they claim. Who has not agreed does
//! not count. From `labour.group_min` on that have agreed it is a group case, and `members` of its row says of how many.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::counting::CaseCounting;
use super::hands::{opened, sealed};
use super::model::{Case, TeamRole};
use super::team;
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseId, CaseMemberId, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::people::model::PHONE;
use crate::people::phone::Phone;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_cases, legal_members, people};
use crate::platform::vault::{Field, Vault};
use crate::{people as persons, policy};

/// Where members' names are kept.
pub const MEMBER_NAME: Field = Field("legal_members.name");
/// Where their telephone numbers are kept.
pub const MEMBER_PHONE: Field = Field("legal_members.phone");
/// Where what they claim is kept.
pub const MEMBER_AMOUNT: Field = Field("legal_members.amount");

/// From how many workers on it is a group.
const LEAST: &str = "labour.group_min";
/// How few and how many represent it.
const REPRESENTATIVES: [&str; 2] = ["labour.representatives_min", "labour.representatives_max"];
/// What messages are about.
const ABOUT: &str = "集体法律援助事项";

crate::text_enum! {
    /// How it stands with a member's consent.
    pub enum MemberState {
        /// 待本人确认
        Named = "named",
        /// 本人已同意
        Consented = "consented",
        /// 本人不参加
        Declined = "declined",
    }
}

/// A worker of a group case.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_members, treat_none_as_default_value = false)]
pub struct Member {
    /// Their id.
    pub id: CaseMemberId,
    /// Of which case.
    pub case_id: CaseId,
    /// In which place they were named, from 1: the applicant.
    pub place: i64,
    /// Who; none until somebody with that number has answered.
    pub person_id: Option<PersonId>,
    /// Their name, as the applicant wrote it.
    pub name_sealed: String,
    /// Their mobile number; none for the applicant.
    pub phone_sealed: Option<String>,
    /// To find it by: the same as that of a person.
    pub phone_index: Option<Vec<u8>>,
    /// What they claim, in fen.
    pub amount_sealed: Option<String>,
    /// Whether they represent the group.
    pub representative: bool,
    /// How it stands with their consent.
    pub state: MemberState,
    /// When they answered last.
    pub answered_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

impl Member {
    /// Their name.
    pub fn name(&self, vault: &Vault) -> Result<String> {
        opened(vault, MEMBER_NAME, self.id.0.as_bytes(), &self.name_sealed)
    }

    /// Their mobile number, of those who are known by it.
    pub fn phone(&self, vault: &Vault) -> Result<Option<String>> {
        let open = |text: &str| opened(vault, MEMBER_PHONE, self.id.0.as_bytes(), text);
        self.phone_sealed.as_deref().map(open).transpose()
    }

    /// What they claim, in fen.
    pub fn amount(&self, vault: &Vault) -> Result<Option<i64>> {
        let open = |text: &str| opened(vault, MEMBER_AMOUNT, self.id.0.as_bytes(), text);
        let text = self.amount_sealed.as_deref().map(open).transpose()?;
        text.map(|text| text.parse().map_err(Error::internal)).transpose()
    }
}

/// A worker as the applicant names them.
#[derive(Debug, Clone)]
pub struct Naming {
    /// The id that they are to have.
    pub id: CaseMemberId,
    /// Their name.
    pub name: String,
    /// Their mobile number.
    pub phone: String,
    /// What they claim, as far as the applicant knows.
    pub amount_fen: Option<i64>,
    /// Whether they represent the group.
    pub representative: bool,
}

/// How few may be a group, and how few and how many represent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Workers at least, the applicant among them.
    pub least: i64,
    /// Representatives at least, the applicant among them.
    pub few: i64,
    /// Representatives at most.
    pub many: i64,
}

/// The bounds of the day.
pub fn bounds(conn: &mut Conn, now: DateTime<Utc>) -> Result<Bounds> {
    let today = civil_day(now);
    let [few, many] = REPRESENTATIVES;
    Ok(Bounds {
        least: policy::store::number_on(conn, LEAST, today)?,
        few: policy::store::number_on(conn, few, today)?,
        many: policy::store::number_on(conn, many, today)?,
    })
}

/// Everything that is wrong with the workers whom an applicant names beside themselves; their numbers, read.
fn check(bounds: Bounds, own_phone: Option<&[u8]>, others: &[Naming], vault: &Vault) -> Result<Vec<Phone>> {
    let mut faults = Vec::new();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1);
    if count(others.len()) < bounds.least {
        let text = Text::new(
            format!("连同申请人不足 {} 人，请分别申请", bounds.least),
            format!("fewer than {} with the applicant: each applies alone", bounds.least),
        );
        faults.push(Fault::new("/members", "too_few", text));
    }
    let representatives = count(others.iter().filter(|one| one.representative).count());
    if !(bounds.few..=bounds.many).contains(&representatives) {
        let text = Text::new(
            format!("连同申请人应有 {} 至 {} 名代表", bounds.few, bounds.many),
            format!("{} to {} represent it, the applicant among them", bounds.few, bounds.many),
        );
        faults.push(Fault::new("/members", "representatives", text));
    }
    let (mut phones, mut seen) = (Vec::new(), HashSet::new());
    for (place, one) in others.iter().enumerate() {
        let at = format!("/members/{place}/phone");
        match Phone::parse(&one.phone) {
            Err(fault) => faults.push(Fault::new(at, "phone", Text::new(fault.zh(), fault.en()))),
            Ok(phone) if own_phone == Some(vault.blind_index(PHONE, phone.as_str()).as_slice()) => {
                let text = Text::new("这是您自己的号码", "this is your own number");
                faults.push(Fault::new(at, "own", text));
            }
            Ok(phone) if !seen.insert(phone.as_str().to_owned()) => {
                faults.push(Fault::new(at, "duplicate", Text::new("重复", "named twice")));
            }
            Ok(phone) => phones.push(phone),
        }
    }
    if faults.is_empty() { Ok(phones) } else { Err(Error::invalid(faults)) }
}

/// All members of a case, in the order in which they were named.
pub fn of_case(conn: &mut Conn, case: CaseId) -> Result<Vec<Member>> {
    let query = legal_members::table.filter(legal_members::case_id.eq(case)).order(legal_members::place);
    Ok(query.select(Member::as_select()).load(conn)?)
}

/// The members of a case who have agreed.
pub fn consented(conn: &mut Conn, case: CaseId) -> Result<Vec<CaseMemberId>> {
    let query = legal_members::table
        .filter(legal_members::case_id.eq(case))
        .filter(legal_members::state.eq(MemberState::Consented))
        .order(legal_members::id);
    Ok(query.select(legal_members::id).load(conn)?)
}

/// Makes a request of one's own, which is locked, that of a group: names the others, who are asked.
///
/// # Errors
/// Everything that is wrong at once; `state_forbids` once it was decided, and for a group that has its members already.
pub fn form_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    (own, own_amount): (CaseMemberId, Option<i64>),
    others: &[Naming],
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Vec<Member>> {
    if case.decided_at.is_some() || case.ended_at.is_some() {
        return Err(Error::new(Code::StateForbids).detail(
            "该申请已有决定，不能再改为集体案件",
            "It is decided; it does not become a group's any more",
        ));
    }
    if !of_case(conn, case.id)?.is_empty() {
        return Err(Error::new(Code::StateForbids)
            .detail("该申请的成员已登记", "The members of this request are named already"));
    }
    let applicant = persons::store::get(conn, case.person_id)?;
    let phones = check(bounds(conn, now)?, applicant.phone_index.as_deref(), others, vault)?;
    let name = applicant.name.unwrap_or_default();
    let mut rows = vec![Member {
        id: own,
        case_id: case.id,
        place: 1,
        person_id: Some(case.person_id),
        name_sealed: sealed(vault, MEMBER_NAME, own.0.as_bytes(), &name)?,
        phone_sealed: None,
        phone_index: None,
        amount_sealed: amount(vault, own, own_amount)?,
        representative: true,
        // Whoever asks agrees by asking.
        state: MemberState::Consented,
        answered_at: Some(db_time(now)),
        version: 1,
    }];
    for (place, (one, phone)) in (2..).zip(others.iter().zip(&phones)) {
        let key = one.id.0;
        rows.push(Member {
            id: one.id,
            case_id: case.id,
            place,
            person_id: None,
            name_sealed: sealed(vault, MEMBER_NAME, key.as_bytes(), one.name.trim())?,
            phone_sealed: Some(sealed(vault, MEMBER_PHONE, key.as_bytes(), phone.as_str())?),
            phone_index: Some(vault.blind_index(PHONE, phone.as_str())),
            amount_sealed: amount(vault, one.id, one.amount_fen)?,
            representative: one.representative,
            state: MemberState::Named,
            answered_at: None,
            version: 1,
        });
    }
    insert(conn, &rows)?;
    let known: Vec<&str> = phones.iter().map(Phone::as_str).collect();
    for (_, person, _) in persons::store::with_phones(conn, vault, &known)? {
        beside.messages.push(Message {
            person,
            kind: NoticeKind::LegalStep,
            subject: ABOUT.to_owned(),
            detail: "有工友在一项法律援助申请中列您为成员，是否参加由您本人决定，请打开查看。".to_owned(),
            link: "/api/v1/me/legal-groups".to_owned(),
        });
    }
    let detail = json!({ "by": "applicant", "members": rows.len() });
    beside.entries.push(Entry::system("legal_group.form", case.id).detail(detail));
    Ok(rows)
}

fn insert(conn: &mut Conn, rows: &[Member]) -> diesel::QueryResult<usize> {
    crate::insert_rows!(conn, legal_members::table, rows)
}

fn amount(vault: &Vault, id: CaseMemberId, fen: Option<i64>) -> Result<Option<String>> {
    fen.map(|fen| sealed(vault, MEMBER_AMOUNT, id.0.as_bytes(), &fen.to_string())).transpose()
}

/// Where somebody is named: by themselves, or by a number that WeChat vouches is theirs; the latest first.
pub fn of_person(conn: &mut Conn, person: PersonId) -> Result<Vec<(Member, Case)>> {
    let own: Option<Vec<u8>> =
        people::table.find(person).select(people::phone_index).first(conn).optional()?.flatten();
    let query = legal_members::table
        .inner_join(legal_cases::table)
        .filter(
            legal_members::person_id
                .eq(person)
                .or(legal_members::person_id.is_null().and(legal_members::phone_index.eq(own))),
        )
        .order(legal_members::id.desc())
        .limit(100);
    Ok(query.select((Member::as_select(), Case::as_select())).load(conn)?)
}

/// The member that `person` is, with the case; 404 where they are none.
fn own(conn: &mut Conn, person: PersonId, id: CaseMemberId) -> Result<(Member, Case)> {
    let mut all = of_person(conn, person)?;
    all.retain(|(member, _)| member.id == id);
    all.pop().ok_or_else(Error::not_found)
}

/// Says for oneself whether one belongs to the group, and how much one claims.
///
/// # Errors
/// 404 for another's; `state_forbids` once the case has ended, and for whoever asked: they withdraw the request.
pub fn answer_in_tx(
    conn: &mut Conn,
    (vault, counting): (&Vault, &dyn CaseCounting),
    (person, id): (PersonId, CaseMemberId),
    (agrees, amount_fen): (bool, Option<i64>),
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<(Member, Case)> {
    let seen = own(conn, person, id)?.1.id;
    let locked: Vec<Case> = crate::load_locked!(
        &mut *conn,
        legal_cases::table.filter(legal_cases::id.eq(seen)).select(Case::as_select())
    )?;
    let case = locked.into_iter().next().ok_or_else(Error::not_found)?;
    // Once more behind the lock: another account with the same number may have answered.
    let (before, _) = own(conn, person, id)?;
    if case.ended_at.is_some() {
        return Err(Error::new(Code::StateForbids).detail("该案已办结", "This case has ended"));
    }
    if case.person_id == person {
        return Err(Error::new(Code::StateForbids)
            .detail("您是申请人，如不再需要请撤回申请", "You asked for it; withdraw the request instead"));
    }
    let amount_sealed = match amount_fen {
        Some(_) => amount(vault, id, amount_fen)?,
        None => before.amount_sealed.clone(),
    };
    let after = Member {
        person_id: Some(person),
        amount_sealed,
        state: if agrees { MemberState::Consented } else { MemberState::Declined },
        answered_at: Some(db_time(now)),
        version: before.version + 1,
        ..before.clone()
    };
    update_in_tx(conn, &before, &after)?;
    let was = case.members;
    let case = recount_in_tx(conn, counting, &case, now)?;
    if (was > 1) != (case.members > 1) {
        let zh = if case.members > 1 {
            "同意参加的成员已达到集体案件人数。"
        } else {
            "同意参加的成员已不足集体案件人数。"
        };
        let handlers = team::of(conn, case.id)?.into_iter().filter(|one| one.role == TeamRole::Handler);
        beside.messages.extend(handlers.map(|one| Message {
            person: one.person_id,
            kind: NoticeKind::LegalWork,
            subject: ABOUT.to_owned(),
            detail: zh.to_owned(),
            link: format!("/api/v1/legal-cases/{}", case.id),
        }));
    }
    let detail = json!({ "by": "member", "member": id, "agrees": agrees });
    beside.entries.push(Entry::system("legal_group.answer", case.id).detail(detail));
    Ok((after, case))
}

fn update_in_tx(conn: &mut Conn, before: &Member, after: &Member) -> Result<()> {
    let same = legal_members::table
        .filter(legal_members::id.eq(before.id))
        .filter(legal_members::version.eq(before.version));
    let changed = diesel::update(same)
        .set((
            legal_members::person_id.eq(after.person_id),
            legal_members::amount_sealed.eq(&after.amount_sealed),
            legal_members::state.eq(after.state),
            legal_members::answered_at.eq(after.answered_at),
            legal_members::version.eq(after.version),
        ))
        .execute(conn);
    match changed {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::internal(format!("{} changed behind its case's lock", before.id))),
        // Named twice, by two numbers of one person.
        Err(error) if crate::platform::db::unique_violation(&error) => {
            Err(Error::new(Code::UniqueTaken)
                .detail("您已是该案成员", "You are a member of this case already"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Of how many workers a case is: all who have agreed where they are enough for a group, and otherwise of whoever asked.
fn size(least: i64, consented: usize) -> i64 {
    let count = i64::try_from(consented).unwrap_or(i64::MAX);
    if count >= least { count } else { 1 }
}

/// Keeps in the case's row of how many workers it is, and has the plan told where that is another number.
fn recount_in_tx(
    conn: &mut Conn,
    counting: &dyn CaseCounting,
    case: &Case,
    now: DateTime<Utc>,
) -> Result<Case> {
    let least = policy::store::number_on(conn, LEAST, civil_day(case.received_at.and_utc()))?;
    let members = size(least, consented(conn, case.id)?.len());
    if members == case.members {
        return Ok(case.clone());
    }
    let same =
        legal_cases::table.filter(legal_cases::id.eq(case.id)).filter(legal_cases::version.eq(case.version));
    let changed = diesel::update(same)
        .set((legal_cases::members.eq(members), legal_cases::version.eq(case.version + 1)))
        .execute(conn)?;
    if changed != 1 {
        return Err(Error::internal(format!("{} changed behind its lock", case.id)));
    }
    let after = Case { members, version: case.version + 1, ..case.clone() };
    if after.number.is_some() {
        counting.members_changed_in_tx(conn, &after, now)?;
    }
    Ok(after)
}

#[cfg(test)]
mod tests;

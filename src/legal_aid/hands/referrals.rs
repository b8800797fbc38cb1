//! Referrals elsewhere: with the applicant's consent, and with no more than the other side needs.
//!
//! What would be handed over is put together when it is proposed and does not change any more: what the applicant has read and agreed to is
//! what leaves the house.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::model::{Destination, REFERRAL_DATA, REFERRAL_OUTCOME, REFERRAL_REASON, Referral, ReferralState};
use super::{opened, sealed};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseId, PersonId, ReferralId};
use crate::legal_aid::model::{Case, Facts, TeamRole};
use crate::legal_aid::team;
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::people;
use crate::people::model::PHONE;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_referrals;
use crate::platform::vault::Vault;

/// What messages are about.
const ABOUT: &str = "法律援助事项转介";

crate::text_enum! {
    /// Something that may be handed over.
    pub enum ReferralField {
        /// 姓名
        Name = "name",
        /// 手机号码
        Phone = "phone",
        /// 事项类别
        Category = "category",
        /// 用人单位名称
        Employer = "employer",
        /// 统一社会信用代码
        EmployerCode = "employer_code",
        /// 事由发生日期
        EventOn = "event_on",
        /// 时效届满日
        LimitationOn = "limitation_on",
        /// 涉及金额（分）
        AmountFen = "amount_fen",
        /// 事实经过
        Facts = "facts",
        /// 请求事项
        Wishes = "wishes",
    }
}

/// What each place needs to know: nothing else is ever handed to it.
pub fn needed(destination: Destination) -> &'static [ReferralField] {
    use ReferralField::{
        AmountFen, Category, Employer, EmployerCode, EventOn, Facts, LimitationOn, Name, Phone, Wishes,
    };
    match destination {
        Destination::Hotline => &[Name, Phone, Category],
        Destination::AidOffice => &[Name, Phone, Category, Employer, EventOn, LimitationOn, Facts, Wishes],
        Destination::Arbitration | Destination::Court => {
            &[Name, Phone, Employer, EmployerCode, EventOn, LimitationOn, AmountFen, Wishes]
        }
        Destination::Inspection => &[Name, Phone, Employer, EmployerCode, AmountFen, Facts],
    }
}

crate::text_enum! {
    /// What happens to a referral.
    pub enum ReferralAct {
        /// 申请人同意
        Consent = "consent",
        /// 申请人不同意，或者移送前收回同意
        Decline = "decline",
        /// 移送
        Send = "send",
        /// 对方接收
        Accept = "accept",
        /// 对方不接收
        Reject = "reject",
        /// 对方退回
        Return = "return",
    }
}

/// Every transition: what happens, in which state, what it leads to.
pub const TRANSITIONS: &[(ReferralAct, ReferralState, ReferralState)] = &[
    (ReferralAct::Consent, ReferralState::Proposed, ReferralState::Consented),
    (ReferralAct::Decline, ReferralState::Proposed, ReferralState::Declined),
    (ReferralAct::Decline, ReferralState::Consented, ReferralState::Declined),
    (ReferralAct::Send, ReferralState::Consented, ReferralState::Sent),
    (ReferralAct::Accept, ReferralState::Sent, ReferralState::Accepted),
    (ReferralAct::Reject, ReferralState::Sent, ReferralState::Rejected),
    (ReferralAct::Return, ReferralState::Sent, ReferralState::Returned),
    (ReferralAct::Return, ReferralState::Accepted, ReferralState::Returned),
];

/// What `act` makes of a referral in `state`.
///
/// # Errors
/// `state_forbids` for what is not in the table.
pub fn transition(act: ReferralAct, state: ReferralState) -> Result<ReferralState> {
    let line = TRANSITIONS.iter().find(|(known, from, _)| (*known, *from) == (act, state));
    line.map(|(_, _, to)| *to).ok_or_else(|| {
        let zh = match state {
            ReferralState::Proposed => "正在等待申请人同意",
            ReferralState::Consented => "申请人已同意，尚未移送",
            ReferralState::Declined => "申请人不同意转介",
            ReferralState::Sent => "已移送",
            ReferralState::Accepted => "对方已接收",
            ReferralState::Rejected => "对方不接收",
            ReferralState::Returned => "对方已退回",
        };
        Error::new(Code::StateForbids)
            .detail(format!("该转介{zh}"), format!("This referral is {state}; it cannot {act} now"))
    })
}

/// A referral to propose.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The id that it is to have.
    pub id: ReferralId,
    /// Who proposes it.
    pub actor: PersonId,
    /// To what.
    pub destination: Destination,
    /// To which one.
    pub office: String,
    /// What is to be handed over.
    pub fields: Vec<ReferralField>,
    /// Why.
    pub reason: String,
}

/// Everything that is wrong with what is to be handed over.
fn check(proposal: &Proposal) -> Result<()> {
    let needed = needed(proposal.destination);
    let fault = |(place, field): (usize, &ReferralField)| {
        let at = format!("/fields/{place}");
        if proposal.fields.iter().take(place).any(|other| other == field) {
            return Some(Fault::new(at, "duplicate", Text::new("重复", "named twice")));
        }
        (!needed.contains(field)).then(|| {
            let text = Text::new("转介到该处不需要此项", "that place does not need this");
            Fault::new(at, "not_needed", text)
        })
    };
    let faults: Vec<Fault> = proposal.fields.iter().enumerate().filter_map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// Puts together what would be handed over, and asks the applicant. The case is locked.
///
/// # Errors
/// All fields that the place does not need; `state_forbids` while another referral to such a place is under way.
pub fn propose_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    proposal: &Proposal,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Referral> {
    check(proposal)?;
    let id = proposal.id;
    let data = gather(conn, vault, case, &proposal.fields)?;
    let text = serde_json::to_string(&data).map_err(Error::internal)?;
    let row = Referral {
        id,
        case_id: case.id,
        destination: proposal.destination,
        office: proposal.office.clone(),
        fields: serde_json::to_string(&proposal.fields).map_err(Error::internal)?,
        reason_sealed: sealed(vault, REFERRAL_REASON, id.0.as_bytes(), &proposal.reason)?,
        data_sealed: sealed(vault, REFERRAL_DATA, id.0.as_bytes(), &text)?,
        state: ReferralState::Proposed,
        proposed_by: proposal.actor,
        proposed_at: db_time(now),
        answered_at: None,
        sent_by: None,
        sent_at: None,
        outcome_at: None,
        outcome_sealed: None,
        version: 1,
    };
    let rows = std::slice::from_ref(&row);
    let new: Vec<ReferralId> = crate::insert_new!(
        &mut *conn, legal_referrals::table, rows,
        legal_referrals::id => |row: &Referral| row.id
    )?;
    if new.is_empty() {
        return Err(Error::new(Code::StateForbids)
            .detail("已有一项同类转介正在进行", "A referral to such a place is under way already"));
    }
    beside
        .messages
        .push(to_applicant(case, "承办人建议将您的事项转介其他机构，需要您同意后才会移送，请打开查看。"));
    let detail = json!({ "referral": id, "destination": row.destination, "fields": proposal.fields });
    beside.entries.push(Entry::new(proposal.actor, "legal_referral.propose", case.id).detail(detail));
    Ok(row)
}

/// The values of `fields`, where the case has them.
fn gather(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    fields: &[ReferralField],
) -> Result<BTreeMap<ReferralField, String>> {
    let person = people::store::get(conn, case.person_id)?;
    let facts = Facts::open(vault, case)?;
    let phone = match &person.phone_sealed {
        Some(text) if fields.contains(&ReferralField::Phone) => {
            Some(opened(vault, PHONE, person.id.0.as_bytes(), text)?)
        }
        _ => None,
    };
    let value = |field: ReferralField| match field {
        ReferralField::Name => person.name.clone(),
        ReferralField::Phone => phone.clone(),
        ReferralField::Category => Some(case.category.to_string()),
        ReferralField::Employer => Some(facts.employer.clone()),
        ReferralField::EmployerCode => facts.employer_code.clone(),
        ReferralField::EventOn => case.event_on.map(|day| day.to_string()),
        ReferralField::LimitationOn => case.limitation_on.map(|day| day.to_string()),
        ReferralField::AmountFen => facts.amount_fen.map(|amount| amount.to_string()),
        ReferralField::Facts => Some(facts.facts.clone()),
        ReferralField::Wishes => Some(facts.wishes.clone()),
    };
    Ok(fields.iter().filter_map(|field| Some((*field, value(*field)?))).collect())
}

/// All referrals of a case, the latest first.
pub fn of_case(conn: &mut Conn, case: CaseId) -> Result<Vec<Referral>> {
    let query = legal_referrals::table
        .filter(legal_referrals::case_id.eq(case))
        .order(legal_referrals::id.desc())
        .limit(100);
    Ok(query.select(Referral::as_select()).load(conn)?)
}

/// A referral of a case, or 404: also for another case's.
pub fn get(conn: &mut Conn, case: CaseId, id: ReferralId) -> Result<Referral> {
    let query =
        legal_referrals::table.filter(legal_referrals::id.eq(id)).filter(legal_referrals::case_id.eq(case));
    query.select(Referral::as_select()).first(conn).optional()?.ok_or_else(Error::not_found)
}

/// Why it was proposed.
pub fn reason(vault: &Vault, row: &Referral) -> Result<String> {
    opened(vault, REFERRAL_REASON, row.id.0.as_bytes(), &row.reason_sealed)
}

/// What is handed over.
pub fn data(vault: &Vault, row: &Referral) -> Result<BTreeMap<ReferralField, String>> {
    let text = opened(vault, REFERRAL_DATA, row.id.0.as_bytes(), &row.data_sealed)?;
    if text.is_empty() {
        // Erased with its case.
        return Ok(BTreeMap::new());
    }
    serde_json::from_str(&text).map_err(Error::internal)
}

/// What is handed over, in clear, of a referral whose applicant has agreed.
///
/// # Errors
/// 404; `state_forbids` before that, and where they have not.
pub fn revealed(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    id: ReferralId,
) -> Result<BTreeMap<ReferralField, String>> {
    let row = get(conn, case.id, id)?;
    // What may be sent, or was, may be read.
    if row.sent_at.is_none() {
        transition(ReferralAct::Send, row.state)?;
    }
    data(vault, &row)
}

/// What was said of it in the end.
pub fn outcome(vault: &Vault, row: &Referral) -> Result<Option<String>> {
    let open = |text: &str| opened(vault, REFERRAL_OUTCOME, row.id.0.as_bytes(), text);
    row.outcome_sealed.as_deref().map(open).transpose()
}

/// The applicant says yes or no. The case is theirs, and locked.
///
/// # Errors
/// 404 for a referral of another case; `state_forbids` once it was handed over, or refused before.
pub fn answer_in_tx(
    conn: &mut Conn,
    case: &Case,
    id: ReferralId,
    agrees: bool,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Referral> {
    let before = get(conn, case.id, id)?;
    let act = if agrees { ReferralAct::Consent } else { ReferralAct::Decline };
    let state = transition(act, before.state)?;
    let after = Referral { state, answered_at: Some(db_time(now)), ..before.clone() };
    let after = update_in_tx(conn, &before, after)?;
    let zh = if agrees { "申请人同意转介，可以移送。" } else { "申请人不同意转介。" };
    let handlers = team::of(conn, case.id)?.into_iter().filter(|one| one.role == TeamRole::Handler);
    beside.messages.extend(handlers.map(|one| Message {
        person: one.person_id,
        kind: NoticeKind::LegalWork,
        subject: ABOUT.to_owned(),
        detail: zh.to_owned(),
        link: format!("/api/v1/legal-cases/{}", case.id),
    }));
    let detail = json!({ "by": "applicant", "referral": id, "agrees": agrees });
    beside.entries.push(Entry::system("legal_referral.answer", case.id).detail(detail));
    Ok(after)
}

/// Hands over what the applicant has agreed to. The case is locked.
///
/// # Errors
/// 404; `state_forbids` without consent.
pub fn send_in_tx(
    conn: &mut Conn,
    case: &Case,
    id: ReferralId,
    actor: PersonId,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Referral> {
    let before = get(conn, case.id, id)?;
    let state = transition(ReferralAct::Send, before.state)?;
    let after = Referral { state, sent_by: Some(actor), sent_at: Some(db_time(now)), ..before.clone() };
    let after = update_in_tx(conn, &before, after)?;
    beside.messages.push(to_applicant(case, "您同意转介的事项已移送。"));
    let detail = json!({ "referral": id, "destination": after.destination });
    beside.entries.push(Entry::new(actor, "legal_referral.send", case.id).detail(detail));
    Ok(after)
}

/// Keeps what came of it. The case is locked.
///
/// # Errors
/// 404; `state_forbids` before it was handed over, and after the end.
pub fn settle_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    id: ReferralId,
    (actor, act, note): (PersonId, ReferralAct, &str),
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Referral> {
    let before = get(conn, case.id, id)?;
    let state = transition(act, before.state)?;
    let outcome_sealed = Some(sealed(vault, REFERRAL_OUTCOME, id.0.as_bytes(), note)?);
    let after = Referral { state, outcome_at: Some(db_time(now)), outcome_sealed, ..before.clone() };
    let after = update_in_tx(conn, &before, after)?;
    let zh = match state {
        ReferralState::Accepted => "对方已接收您的事项。",
        ReferralState::Rejected => "对方没有接收您的事项，承办人会与您商量下一步。",
        _ => "对方退回了您的事项，承办人会与您商量下一步。",
    };
    beside.messages.push(to_applicant(case, zh));
    let detail = json!({ "referral": id, "state": state });
    beside.entries.push(Entry::new(actor, "legal_referral.settle", case.id).detail(detail));
    Ok(after)
}

/// Writes what changes, from the version that `before` has.
fn update_in_tx(conn: &mut Conn, before: &Referral, after: Referral) -> Result<Referral> {
    let after = Referral { version: before.version + 1, ..after };
    let same = legal_referrals::table
        .filter(legal_referrals::id.eq(before.id))
        .filter(legal_referrals::state.eq(before.state))
        .filter(legal_referrals::version.eq(before.version));
    let changed = diesel::update(same)
        .set((
            legal_referrals::state.eq(after.state),
            legal_referrals::answered_at.eq(after.answered_at),
            legal_referrals::sent_by.eq(after.sent_by),
            legal_referrals::sent_at.eq(after.sent_at),
            legal_referrals::outcome_at.eq(after.outcome_at),
            legal_referrals::outcome_sealed.eq(&after.outcome_sealed),
            legal_referrals::version.eq(after.version),
        ))
        .execute(conn)?;
    if changed == 1 {
        Ok(after)
    } else {
        Err(Error::internal(format!("{} changed behind its lock", before.id)))
    }
}

fn to_applicant(case: &Case, detail: &str) -> Message {
    Message {
        person: case.person_id,
        kind: NoticeKind::LegalStep,
        subject: ABOUT.to_owned(),
        detail: detail.to_owned(),
        link: format!("/api/v1/me/legal-requests/{}", case.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn nothing_is_handed_over_without_consent() {
        for act in ReferralAct::ALL {
            for state in ReferralState::ALL {
                let known = TRANSITIONS.iter().find(|(a, from, _)| (a, from) == (act, state));
                match (transition(*act, *state), known) {
                    (Ok(to), Some((_, _, expected))) => assert_eq!(to, *expected),
                    (Err(error), None) => assert_eq!(error.code(), Code::StateForbids, "{act} {state}"),
                    (told, _) => panic!("{act} {state}: {told:?}"),
                }
            }
        }
        let leads_to_sent: Vec<_> =
            TRANSITIONS.iter().filter(|(_, _, to)| *to == ReferralState::Sent).collect();
        assert_eq!(leads_to_sent, [&(ReferralAct::Send, ReferralState::Consented, ReferralState::Sent)]);
    }

    #[test]
    fn a_place_is_told_what_it_needs() {
        let proposal = |destination, fields: &[ReferralField]| Proposal {
            id: Uuid::from_u128(1).into(),
            actor: Uuid::from_u128(2).into(),
            destination,
            office: "龙岗区法律援助处".into(),
            fields: fields.to_vec(),
            reason: "需要由其受理".into(),
        };
        for destination in Destination::ALL {
            assert!(check(&proposal(*destination, needed(*destination))).is_ok(), "{destination}");
        }
        use ReferralField::{Facts, Name, Wishes};
        let refusal = check(&proposal(Destination::Hotline, &[Name, Facts, Name, Wishes])).unwrap_err();
        let faults: Vec<_> =
            refusal.inner().faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        assert_eq!(
            faults,
            [("/fields/1", "not_needed"), ("/fields/2", "duplicate"), ("/fields/3", "not_needed")]
        );
    }
}

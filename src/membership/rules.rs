//! Pure decisions: what may happen to a membership, and who may be claimed to be one's union.

use chrono::{DateTime, NaiveDate, Utc};

use super::model::{Membership, MembershipEnd, MembershipState};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::org::model::{Organisation, OrganisationKind};

crate::text_enum! {
    /// What happens to a membership.
    pub enum MembershipEvent {
        /// 通过: by the last body, or on appeal.
        Approve = "approve",
        /// 不通过.
        Reject = "reject",
        /// 撤回, or what was missing did not come in time.
        Withdraw = "withdraw",
        /// 转会: the person is verified elsewhere.
        Move = "move",
        /// 终止: by staff.
        End = "end",
    }
}

/// Every transition: what happens, in which state, what it leads to.
pub const TRANSITIONS: &[(MembershipEvent, MembershipState, MembershipState)] = &[
    (MembershipEvent::Approve, MembershipState::Claimed, MembershipState::Verified),
    (MembershipEvent::Approve, MembershipState::Refused, MembershipState::Verified),
    (MembershipEvent::Reject, MembershipState::Claimed, MembershipState::Refused),
    (MembershipEvent::Withdraw, MembershipState::Claimed, MembershipState::Withdrawn),
    (MembershipEvent::Move, MembershipState::Verified, MembershipState::Ended),
    (MembershipEvent::End, MembershipState::Verified, MembershipState::Ended),
];

/// What `event` makes of a membership in `state`.
///
/// # Errors
/// `state_forbids`, naming the state, for what is not in the table.
pub fn transition(event: MembershipEvent, state: MembershipState) -> Result<MembershipState> {
    let line = TRANSITIONS.iter().find(|(known, from, _)| (*known, *from) == (event, state));
    line.map(|(_, _, to)| *to).ok_or_else(|| {
        let (zh, en) = words(state);
        Error::new(Code::StateForbids).detail(format!("该会籍{zh}"), format!("This membership is {en}"))
    })
}

fn words(state: MembershipState) -> (&'static str, &'static str) {
    match state {
        MembershipState::Claimed => ("正在认证", "being verified"),
        MembershipState::Verified => ("已认证", "verified"),
        MembershipState::Refused => ("未通过认证", "refused"),
        MembershipState::Withdrawn => ("申请已撤回", "withdrawn"),
        MembershipState::Ended => ("已终止", "ended"),
    }
}

/// `row` after it was verified at `now`.
///
/// # Errors
/// `state_forbids` where it is neither claimed nor refused.
pub fn verified(row: &Membership, now: DateTime<Utc>) -> Result<Membership> {
    let state = transition(MembershipEvent::Approve, row.state)?;
    Ok(Membership { state, verified_at: Some(db_time(now)), version: row.version + 1, ..row.clone() })
}

/// `row` after it ended at `now`: `event` is a move or an end.
///
/// # Errors
/// `state_forbids` where it is not verified.
pub fn ended(
    row: &Membership,
    event: MembershipEvent,
    because: MembershipEnd,
    now: DateTime<Utc>,
) -> Result<Membership> {
    let state = transition(event, row.state)?;
    let version = row.version + 1;
    Ok(Membership {
        state,
        ended_at: Some(db_time(now)),
        ended_because: Some(because),
        version,
        ..row.clone()
    })
}

/// The membership that an approval of `row` ends, of all `rows` of the person.
///
/// # Errors
/// `membership_held` where they are verified there already, or have been verified elsewhere upon a later claim: an appeal
/// does not undo what came after it.
pub fn moved_from<'a>(row: &Membership, rows: &'a [Membership]) -> Result<Option<&'a Membership>> {
    let held = rows.iter().find(|one| one.state == MembershipState::Verified);
    match held {
        Some(held) if held.organisation_id == row.organisation_id => Err(held_here()),
        Some(held) if held.claimed_at > row.claimed_at => Err(Error::new(Code::MembershipHeld).detail(
            "申请人此后已在其他工会认证会籍",
            "The applicant has been verified as a member of another union since",
        )),
        held => Ok(held),
    }
}

/// That somebody is a verified member of the union already.
pub fn held_here() -> Error {
    Error::new(Code::MembershipHeld).detail("已是该工会的认证会员", "Already a verified member of this union")
}

/// Whether unions of this kind have members of their own.
pub fn has_members(kind: OrganisationKind) -> bool {
    matches!(
        kind,
        OrganisationKind::EnterpriseUnion | OrganisationKind::DirectUnion | OrganisationKind::IndustryUnion
    )
}

/// Whether an organisation exists no more on `day`.
pub fn is_closed(organisation: &Organisation, day: NaiveDate) -> bool {
    organisation.closed_on.is_some_and(|last| last < day)
}

/// The first day on which anybody can have joined: the All-China Federation of Trade Unions was founded.
const FIRST: NaiveDate = match NaiveDate::from_ymd_opt(1925, 5, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Tests what somebody says of their membership on `today`; `organisation` is none where there is no such.
///
/// # Errors
/// All wrong fields.
pub fn check(organisation: Option<&Organisation>, since: Option<NaiveDate>, today: NaiveDate) -> Result<()> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, code, zh: &'static str, en: &'static str| {
        faults.push(Fault::new(pointer, code, Text::new(zh, en)));
    };
    let union = "/organisation_id";
    match organisation {
        None => fault(union, "unknown", "没有这个组织", "no such organisation"),
        Some(one) if !has_members(one.kind) => {
            fault(
                union,
                "enum",
                "请选择所在的基层工会或行业工会",
                "name the union of an enterprise or an industry",
            );
        }
        Some(one) if is_closed(one, today) => {
            fault(union, "closed", "该工会已撤销", "this union exists no more")
        }
        Some(_) => {}
    }
    if since.is_some_and(|day| day < FIRST || day > today) {
        fault(
            "/since",
            "range",
            "入会日期应在1925年5月1日至今天之间",
            "must lie between 1 May 1925 and today",
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_750_039_200 + seconds, 0).unwrap()
    }

    /// The arrows that the room's diagram draws, read from its text.
    fn drawn() -> Vec<(String, String)> {
        let text = include_str!("mod.rs");
        let diagram = text
            .lines()
            .skip_while(|line| !line.contains("```text"))
            .skip(1)
            .take_while(|line| !line.contains("```"));
        let mut arrows = Vec::new();
        for line in diagram {
            let pieces: Vec<&str> = line.split("──▶").collect();
            for two in pieces.windows(2) {
                let event = two[0].rsplit("──").next().unwrap_or_default().trim();
                let to = two[1].trim().split(' ').next().unwrap_or_default();
                arrows.push((event.to_owned(), to.to_owned()));
            }
        }
        arrows.sort();
        arrows
    }

    #[test]
    fn the_diagram_is_the_table() {
        let mut table: Vec<(String, String)> =
            TRANSITIONS.iter().map(|(event, _, to)| (event.to_string(), to.to_string())).collect();
        table.sort();
        assert_eq!(drawn(), table);
    }

    #[test]
    fn everything_else_is_forbidden() {
        for event in MembershipEvent::ALL {
            for state in MembershipState::ALL {
                let told = transition(*event, *state);
                let known = TRANSITIONS.iter().find(|(e, from, _)| e == event && from == state);
                match known {
                    Some((_, _, to)) => assert_eq!(told.unwrap(), *to),
                    None => assert_eq!(told.unwrap_err().code(), Code::StateForbids, "{event} {state}"),
                }
            }
        }
    }

    fn row(union: u128, state: MembershipState, claimed: i64) -> Membership {
        let id = |n: u128| Uuid::from_u128(n);
        Membership {
            id: id(union * 100 + u128::try_from(claimed).unwrap()).into(),
            person_id: id(1).into(),
            organisation_id: id(union).into(),
            state,
            since: None,
            claimed_at: db_time(at(claimed)),
            verified_at: None,
            ended_at: None,
            ended_because: None,
            version: 1,
        }
    }

    #[test]
    fn an_approval_ends_what_came_before_it_and_nothing_else() {
        let claim = row(1, MembershipState::Claimed, 10);
        let others = |held: Membership| [row(2, MembershipState::Ended, 1), claim.clone(), held];
        assert_eq!(moved_from(&claim, &others(row(3, MembershipState::Refused, 5))).unwrap(), None);
        let before = row(3, MembershipState::Verified, 5);
        assert_eq!(moved_from(&claim, &others(before.clone())).unwrap(), Some(&before));
        for held in [row(1, MembershipState::Verified, 5), row(3, MembershipState::Verified, 11)] {
            let refusal = moved_from(&claim, &others(held)).unwrap_err();
            assert_eq!(refusal.code(), Code::MembershipHeld);
        }
    }

    fn organisation(kind: OrganisationKind, closed_on: Option<NaiveDate>) -> Organisation {
        Organisation {
            id: Uuid::from_u128(9).into(),
            code: "demo".into(),
            name: "示例工会".into(),
            short_name: "示例".into(),
            kind,
            parent_id: None,
            path: "/demo/".into(),
            street_id: None,
            division_code: None,
            level: None,
            opened_on: day("2020-01-01"),
            closed_on,
            version: 1,
        }
    }

    #[test]
    fn one_claims_to_be_a_member_of_a_union_that_has_members() {
        let today = day("2025-06-16");
        let faults =
            |organisation: Option<&Organisation>, since: Option<&str>| -> Vec<(String, &'static str)> {
                match check(organisation, since.map(day), today) {
                    Ok(()) => Vec::new(),
                    Err(error) => {
                        error.inner().faults.iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
                    }
                }
            };
        let union = |kind| organisation(kind, None);
        for kind in OrganisationKind::ALL {
            let expected =
                if has_members(*kind) { vec![] } else { vec![("/organisation_id".to_owned(), "enum")] };
            assert_eq!(faults(Some(&union(*kind)), None), expected, "{kind}");
        }
        let closed = |last| organisation(OrganisationKind::EnterpriseUnion, Some(day(last)));
        assert_eq!(faults(Some(&closed("2025-06-16")), None), []);
        let expected = [("/organisation_id".to_owned(), "closed"), ("/since".to_owned(), "range")];
        assert_eq!(faults(Some(&closed("2025-06-15")), Some("2025-06-17")), expected);
        assert_eq!(faults(None, Some("1925-05-01")), [("/organisation_id".to_owned(), "unknown")]);
        let direct = union(OrganisationKind::DirectUnion);
        assert_eq!(faults(Some(&direct), Some("2025-06-16")), []);
        assert_eq!(faults(Some(&direct), Some("1925-04-30")), [("/since".to_owned(), "range")]);
    }
}

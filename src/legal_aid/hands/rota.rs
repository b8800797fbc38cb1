//! Whose turn it is: whoever has taken the fewest cases lately, and of those whoever has waited longest.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Days, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::{ChangeState, Lawyer, SkipReason};
use super::{conflicts, lawyers, turns};
use crate::clock::{civil_day, day_start, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseId, LawyerId, OrganisationId, PersonId};
use crate::legal_aid::model::{Case, Category, TeamRole};
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_cases, legal_lawyer_changes, legal_team};
use crate::platform::vault::Vault;
use crate::{org, policy};

/// How far back cases count as lately taken.
const WINDOW: &str = "legal_aid.rota_window";

/// A lawyer in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Which lawyer.
    pub lawyer: LawyerId,
    /// Who that is.
    pub person: PersonId,
    /// In which place, from 1.
    pub place: i64,
    /// Cases that they have taken lately.
    pub recent: i64,
    /// Cases that are open.
    pub open: i64,
    /// Why they are passed over; none where they may be assigned.
    pub skip: Option<SkipReason>,
    /// Why an officer passed them over.
    pub note: Option<String>,
}

/// What the turn of a lawyer depends on.
#[derive(Debug, Clone)]
struct Standing {
    lawyer: Lawyer,
    /// Cases taken lately.
    recent: i64,
    /// Cases that are open.
    open: i64,
    /// When they took the last of those.
    last: Option<NaiveDateTime>,
}

/// What may keep a lawyer from a case.
#[derive(Debug, Clone, Copy)]
struct Obstacles {
    on_duty: bool,
    takes_kind: bool,
    has_role: bool,
    same_lawyer: bool,
    conflict: bool,
}

/// Orders lawyers by their turn. Never two in one place, so the order is the same whoever asks.
fn order(standings: &mut [Standing]) {
    // None comes first: whoever has taken nothing lately has waited longest.
    standings.sort_by_key(|one| (one.recent, one.last, one.lawyer.registered_at, one.lawyer.id));
}

/// The first reason that keeps a lawyer from a case.
fn skip(one: &Standing, obstacles: Obstacles) -> Option<SkipReason> {
    [
        (!obstacles.on_duty, SkipReason::OffDuty),
        (!obstacles.takes_kind, SkipReason::OtherKind),
        (!obstacles.has_role, SkipReason::NoRole),
        (obstacles.same_lawyer, SkipReason::SameLawyer),
        (one.open >= one.lawyer.capacity, SkipReason::Full),
        (obstacles.conflict, SkipReason::Conflict),
    ]
    .into_iter()
    .find_map(|(is_so, reason)| is_so.then_some(reason))
}

/// The lawyers who serve `desk`, in the order of their turn, and why some of them are passed over for `case`. What was found is kept.
///
/// A lawyer serves the desks below the organisation of their station, and those above it: a centre's all of the district, a street's their
/// own street's and the district's.
pub fn suggest_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    desk: OrganisationId,
    case: &Case,
    now: DateTime<Utc>,
) -> Result<Vec<Suggestion>> {
    let found = look(conn, vault, desk, case, now)?;
    turns::record_in_tx(conn, vault, case.id, &found, now)?;
    Ok(found)
}

/// Makes `person` the lawyer whom an officer has chosen for `case`: whoever stands before them and could take it is passed over for `note`,
/// and the licence of the chosen one is kept as a side of the case. Whoever is no lawyer of the register has no turn, and needs none.
///
/// # Errors
/// `legal_conflict` for somebody who has to keep away; `validation_failed` for a lawyer who is passed over for another reason, and
/// where others are passed over without a note.
pub fn choose_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    person: PersonId,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    conflicts::require(conn, vault, case, person)?;
    if lawyers::of_person(conn, person)?.is_none() {
        return Ok(());
    }
    let mut found = look(conn, vault, case.desk_id, case, now)?;
    let place = found.iter().position(|one| one.person == person);
    let Some((place, chosen)) = place.and_then(|place| Some((place, found.get(place)?.clone()))) else {
        return Err(unfit("该律师不在本受理机构的服务范围内", "This lawyer does not serve this desk"));
    };
    if let Some(reason) = chosen.skip {
        return Err(unfit(reason.zh(), reason.en()));
    }
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    for one in found.iter_mut().take(place).filter(|one| one.skip.is_none()) {
        let Some(note) = note else {
            let text = Text::new(
                "未按轮值顺序指派，请说明理由",
                "others come before this lawyer: say why they are passed over",
            );
            return Err(Error::invalid(vec![Fault::new("/note", "required", text)]));
        };
        one.skip = Some(SkipReason::PassedOver);
        one.note = Some(note.to_owned());
    }
    turns::record_in_tx(conn, vault, case.id, &found, now)?;
    lawyers::record_in_tx(conn, vault, case.id, person)
}

fn unfit(zh: &'static str, en: &'static str) -> Error {
    Error::invalid(vec![Fault::new("/person_id", "unfit", Text::new(zh, en))])
}

fn look(
    conn: &mut Conn,
    vault: &Vault,
    desk: OrganisationId,
    case: &Case,
    now: DateTime<Utc>,
) -> Result<Vec<Suggestion>> {
    let desk = org::store::get(conn, desk)?;
    let mut serving = lawyers::all(conn)?;
    serving.retain(|(_, path)| desk.path.starts_with(path.as_str()) || path.starts_with(desk.path.as_str()));
    let people: Vec<PersonId> = serving.iter().map(|(lawyer, _)| lawyer.person_id).collect();
    let mut standings = standings(conn, serving.into_iter().map(|(lawyer, _)| lawyer).collect(), now)?;
    order(&mut standings);
    let with_role = lawyers::with_role(conn, &people)?;
    let same = same_lawyers(conn, case.id)?;
    let today = civil_day(now);
    let mut found = Vec::with_capacity(standings.len());
    for (place, one) in (1..).zip(&standings) {
        let person = one.lawyer.person_id;
        let categories: Vec<Category> = one.lawyer.categories()?;
        let obstacles = Obstacles {
            on_duty: one.lawyer.is_on_duty(today),
            takes_kind: categories.contains(&case.category),
            has_role: with_role.contains(&person),
            same_lawyer: same.contains(&person),
            conflict: false,
        };
        let mut reason = skip(one, obstacles);
        if reason.is_none() {
            let conflict = !conflicts::check(conn, vault, case, person)?.is_empty();
            reason = skip(one, Obstacles { conflict, ..obstacles });
        }
        found.push(Suggestion {
            lawyer: one.lawyer.id,
            person,
            place,
            recent: one.recent,
            open: one.open,
            skip: reason,
            note: None,
        });
    }
    Ok(found)
}

/// How many cases each lawyer has taken lately, and how many are open.
fn standings(conn: &mut Conn, lawyers: Vec<Lawyer>, now: DateTime<Utc>) -> Result<Vec<Standing>> {
    type Row = (PersonId, CaseId, NaiveDateTime, Option<NaiveDateTime>, Option<NaiveDateTime>);
    let today = civil_day(now);
    let window = u64::try_from(policy::store::number_on(conn, WINDOW, today)?).unwrap_or(0);
    let since = db_time(day_start(today.checked_sub_days(Days::new(window)).unwrap_or(today)));
    let people: Vec<PersonId> = lawyers.iter().map(|lawyer| lawyer.person_id).collect();
    let rows: Vec<Row> = legal_team::table
        .inner_join(legal_cases::table)
        .filter(legal_team::person_id.eq_any(&people))
        .filter(legal_team::role.eq(TeamRole::Lawyer))
        .filter(legal_team::joined_at.ge(since).or(legal_team::left_at.is_null()))
        .select((
            legal_team::person_id,
            legal_team::case_id,
            legal_team::joined_at,
            legal_team::left_at,
            legal_cases::ended_at,
        ))
        .load(conn)?;
    let mut recent: HashMap<PersonId, HashSet<CaseId>> = HashMap::new();
    let mut open: HashMap<PersonId, i64> = HashMap::new();
    let mut last: HashMap<PersonId, NaiveDateTime> = HashMap::new();
    for (person, case, joined, left, ended) in rows {
        if joined >= since {
            recent.entry(person).or_default().insert(case);
            let latest = last.entry(person).or_insert(joined);
            *latest = joined.max(*latest);
        }
        if left.is_none() && ended.is_none() {
            *open.entry(person).or_default() += 1;
        }
    }
    let standing = |lawyer: Lawyer| {
        let person = lawyer.person_id;
        let count = recent.get(&person).map_or(0, HashSet::len);
        Standing {
            recent: i64::try_from(count).unwrap_or(i64::MAX),
            open: open.get(&person).copied().unwrap_or(0),
            last: last.get(&person).copied(),
            lawyer,
        }
    };
    Ok(lawyers.into_iter().map(standing).collect())
}

/// Who is or was the lawyer of a case, or is not wanted any more.
fn same_lawyers(conn: &mut Conn, case: CaseId) -> Result<HashSet<PersonId>> {
    let mut found: Vec<PersonId> = legal_team::table
        .filter(legal_team::case_id.eq(case))
        .filter(legal_team::role.eq(TeamRole::Lawyer))
        .select(legal_team::person_id)
        .load(conn)?;
    let unwanted: Vec<PersonId> = legal_lawyer_changes::table
        .filter(legal_lawyer_changes::case_id.eq(case))
        .filter(legal_lawyer_changes::state.eq_any([ChangeState::Asked, ChangeState::Granted]))
        .select(legal_lawyer_changes::lawyer_id)
        .load(conn)?;
    found.extend(unwanted);
    Ok(found.into_iter().collect())
}

/// The refusal of an assignment for which nobody is left.
pub fn nobody() -> Error {
    Error::new(Code::StateForbids).detail(
        "目前没有可指派的律师，原因见轮值记录",
        "No lawyer can be assigned now; the record of turns says why",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDate, TimeDelta};
    use proptest::prelude::*;
    use uuid::Uuid;

    const FREE: Obstacles =
        Obstacles { on_duty: true, takes_kind: true, has_role: true, same_lawyer: false, conflict: false };

    fn instant(seconds: i64) -> NaiveDateTime {
        DateTime::from_timestamp(1_750_000_000 + seconds, 0).unwrap().naive_utc()
    }

    fn lawyer(number: u128, capacity: i64) -> Standing {
        let lawyer = Lawyer {
            id: Uuid::from_u128(number).into(),
            person_id: Uuid::from_u128(1000 + number).into(),
            station_id: Uuid::from_u128(1).into(),
            firm: "示例律师事务所".into(),
            licence_sealed: String::new(),
            licence_index: Vec::new(),
            phone_sealed: String::new(),
            kinds: "[\"labour_dispute\"]".into(),
            capacity,
            on_duty_from: NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(),
            on_duty_until: None,
            registered_at: instant(0),
            version: 1,
        };
        Standing { lawyer, recent: 0, open: 0, last: None }
    }

    #[test]
    fn the_first_reason_is_given_and_each_has_its_own() {
        let one = lawyer(1, 1);
        let full = Standing { open: 1, ..one.clone() };
        for (standing, obstacles, reason) in [
            (&one, FREE, None),
            (&one, Obstacles { on_duty: false, conflict: true, ..FREE }, Some(SkipReason::OffDuty)),
            (&one, Obstacles { takes_kind: false, ..FREE }, Some(SkipReason::OtherKind)),
            (&one, Obstacles { has_role: false, ..FREE }, Some(SkipReason::NoRole)),
            (&full, Obstacles { same_lawyer: true, ..FREE }, Some(SkipReason::SameLawyer)),
            (&full, Obstacles { conflict: true, ..FREE }, Some(SkipReason::Full)),
            (&one, Obstacles { conflict: true, ..FREE }, Some(SkipReason::Conflict)),
        ] {
            assert_eq!(skip(standing, obstacles), reason);
        }
    }

    #[test]
    fn whoever_waited_longest_comes_first() {
        let mut three = [
            Standing { recent: 1, last: Some(instant(50)), ..lawyer(1, 9) },
            Standing { recent: 1, last: Some(instant(10)), ..lawyer(2, 9) },
            lawyer(3, 9),
        ];
        order(&mut three);
        let ids: Vec<LawyerId> = three.iter().map(|one| one.lawyer.id).collect();
        assert_eq!(ids, [3, 2, 1].map(|n| LawyerId(Uuid::from_u128(n))));
    }

    proptest! {
        /// Cases come, some lawyers have to keep away from some of them, and cases end. Whoever is never kept away never has more than one
        /// case more than another who is never kept away, and nobody is passed over without a reason.
        #[test]
        fn turns_are_fair(
            lawyers in 2usize..8,
            cases in proptest::collection::vec((any::<u8>(), any::<bool>()), 1..60),
        ) {
            // The last one has conflicts now and then; the others have none.
            let mut all: Vec<Standing> = (1..=lawyers).map(|n| lawyer(n as u128, 1_000)).collect();
            let unlucky = all.last().unwrap().lawyer.id;
            for (number, (dice, ends)) in (1i64..).zip(cases) {
                order(&mut all);
                let obstacles = |one: &Standing| Obstacles {
                    conflict: one.lawyer.id == unlucky && dice % 3 == 0,
                    ..FREE
                };
                let chosen = all.iter().position(|one| skip(one, obstacles(one)).is_none()).unwrap();
                for before in &all[..chosen] {
                    prop_assert!(skip(before, obstacles(before)).is_some(), "passed over without a reason");
                    prop_assert_eq!(before.lawyer.id, unlucky);
                }
                let taken = &mut all[chosen];
                taken.recent += 1;
                taken.open += i64::from(!ends);
                taken.last = Some(instant(0) + TimeDelta::seconds(number));
                let counts: Vec<i64> =
                    all.iter().filter(|one| one.lawyer.id != unlucky).map(|one| one.recent).collect();
                let (most, least) = (counts.iter().max().unwrap(), counts.iter().min().unwrap());
                prop_assert!(most - least <= 1, "{counts:?}");
                let own = all.iter().find(|one| one.lawyer.id == unlucky).unwrap().recent;
                prop_assert!(own <= most + 1, "being kept away gives nobody more than their share");
            }
        }

        /// However they were found, the order is the same.
        #[test]
        fn the_order_is_one(figures in proptest::collection::vec((0i64..4, 0i64..4), 1..12), turn in any::<usize>()) {
            let mut one: Vec<Standing> = figures
                .iter()
                .enumerate()
                .map(|(n, (recent, last))| Standing {
                    recent: *recent,
                    last: (*last > 0).then(|| instant(*last)),
                    ..lawyer(n as u128, 5)
                })
                .collect();
            let mut other = one.clone();
            other.rotate_left(turn % figures.len());
            order(&mut one);
            order(&mut other);
            let ids = |all: &[Standing]| all.iter().map(|one| one.lawyer.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&one), ids(&other));
        }
    }
}

//! An act on a case: asked of the table, written once, and kept as an event.

use chrono::{DateTime, Utc};

use super::events::{self, Happened};
use super::machine::{self, Act};
use super::model::{Case, CaseState};
use super::store;
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{CaseDocumentId, Ids, PersonId};
use crate::platform::db::Conn;
use crate::platform::vault::Vault;

/// Does `act` to `case`, which the caller has locked, and gives it as it stands then.
///
/// # Errors
/// `state_forbids` where the table has no such line.
#[expect(
    clippy::too_many_arguments,
    reason = "every act says all of it: who, what, why, by which document, when"
)]
pub fn act_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    vault: &Vault,
    case: &Case,
    act: Act,
    actor: Option<PersonId>,
    note: Option<&str>,
    document: Option<CaseDocumentId>,
    now: DateTime<Utc>,
) -> Result<Case> {
    let after = after(case, act, now)?;
    store::update_in_tx(conn, case, &after)?;
    events::record_in_tx(conn, ids, vault, &after, Happened { act, actor, note, document }, now)?;
    Ok(after)
}

/// What `act` makes of `case`.
fn after(case: &Case, act: Act, now: DateTime<Utc>) -> Result<Case> {
    let state = machine::transition(act, case.state)?;
    let now = db_time(now);
    let decides = matches!(act, Act::Accept | Act::Provisional | Act::Refuse)
        || (act == Act::Uphold && case.state == CaseState::Refused);
    let ground = match act {
        Act::Terminate(ground) => Some(ground),
        _ if state == CaseState::Terminated => case.ground,
        _ => None,
    };
    Ok(Case {
        state,
        decided_at: if decides { Some(now) } else { case.decided_at },
        // What is over stays over since when it was, until an objection takes it back.
        ended_at: if state.is_over() { case.ended_at.or(Some(now)) } else { None },
        ground,
        version: case.version + 1,
        ..case.clone()
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::legal_aid::model::{AidForm, Category, Ground, Means};

    fn case(state: CaseState) -> Case {
        let at = DateTime::UNIX_EPOCH;
        Case {
            id: uuid::Uuid::from_u128(1).into(),
            number: None,
            person_id: uuid::Uuid::from_u128(2).into(),
            desk_id: uuid::Uuid::from_u128(3).into(),
            street_id: None,
            category: Category::LabourDispute,
            matter: None,
            form: AidForm::Mediation,
            facts_sealed: String::new(),
            event: None,
            event_on: None,
            limitation_on: None,
            urgent: false,
            means: Means::Declared,
            state,
            members: 1,
            received_at: db_time(at),
            decided_at: None,
            ended_at: state.is_over().then(|| db_time(at)),
            ground: (state == CaseState::Terminated).then_some(Ground::Asked),
            version: 3,
        }
    }

    #[test]
    fn an_act_keeps_what_the_database_asks_of_a_row() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let acts = [
            Act::Notice,
            Act::Supply,
            Act::Lapse,
            Act::Provisional,
            Act::Accept,
            Act::Refuse,
            Act::Assign,
            Act::Start,
            Act::Close,
            Act::Terminate(Ground::Fraud),
            Act::Annul,
            Act::Object,
            Act::Uphold,
            Act::Dismiss,
            Act::Withdraw,
        ];
        let mut tried = 0;
        for act in acts {
            for state in CaseState::ALL {
                let Ok(after) = after(&case(*state), act, now) else { continue };
                tried += 1;
                assert_eq!(after.ended_at.is_some(), after.state.is_over(), "{act:?} {state}");
                assert_eq!(after.ground.is_some(), after.state == CaseState::Terminated, "{act:?} {state}");
                assert_eq!(after.version, 4);
            }
        }
        assert_eq!(tried, machine::TRANSITIONS.len() + 4);
    }

    #[test]
    fn an_objection_that_is_right_decides_anew_about_a_refusal_alone() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let accepted = after(&case(CaseState::Refused), Act::Uphold, now).unwrap();
        assert_eq!((accepted.state, accepted.decided_at), (CaseState::Accepted, Some(db_time(now))));
        let back = after(&case(CaseState::Terminated), Act::Uphold, now).unwrap();
        assert_eq!((back.state, back.decided_at, back.ended_at), (CaseState::Handling, None, None));
        let stays = after(&case(CaseState::Terminated), Act::Object, now).unwrap();
        assert_eq!(stays.ended_at, Some(db_time(DateTime::UNIX_EPOCH)));
        assert_eq!(stays.ground, Some(Ground::Asked));
    }
}

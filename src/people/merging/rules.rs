//! Pure: what may be merged and parted, and by whom.

use super::model::{MergeState, PersonMerge};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::PersonId;

crate::text_enum! {
    /// What happens to a merge.
    pub enum MergeEvent {
        /// 同意合并.
        Agree = "agree",
        /// 不同意合并.
        Refuse = "refuse",
        /// 提议拆分.
        Part = "part",
        /// 同意拆分.
        AgreeParting = "agree_parting",
        /// 不同意拆分.
        RefuseParting = "refuse_parting",
    }
}

const STATES: &[(MergeEvent, MergeState, MergeState)] = &[
    (MergeEvent::Agree, MergeState::Proposed, MergeState::Merged),
    (MergeEvent::Refuse, MergeState::Proposed, MergeState::Refused),
    (MergeEvent::Part, MergeState::Merged, MergeState::Parting),
    (MergeEvent::AgreeParting, MergeState::Parting, MergeState::Parted),
    (MergeEvent::RefuseParting, MergeState::Parting, MergeState::Merged),
];

/// What `event` leads to from `state`.
///
/// # Errors
/// `state_forbids` for everything that is not in the table.
pub fn transition(event: MergeEvent, state: MergeState) -> Result<MergeState> {
    let line = STATES.iter().find(|(known, from, _)| (*known, *from) == (event, state));
    line.map(|(.., to)| *to).ok_or_else(|| {
        Error::new(Code::StateForbids).detail(format!("当前状态为 {state}"), format!("It is {state}"))
    })
}

/// What a decision is about: the merge, or to part it.
pub fn decision(state: MergeState, agree: bool) -> MergeEvent {
    match (state, agree) {
        (MergeState::Parting, true) => MergeEvent::AgreeParting,
        (MergeState::Parting, false) => MergeEvent::RefuseParting,
        (_, true) => MergeEvent::Agree,
        (_, false) => MergeEvent::Refuse,
    }
}

/// Nobody has a say in a merge of their own account.
pub fn keep_away(by: PersonId, kept: PersonId, merged: PersonId) -> Result<()> {
    if by == kept || by == merged { Err(Error::new(Code::SecondOfficer)) } else { Ok(()) }
}

/// Who proposed something does not decide it.
pub fn second(row: &PersonMerge, by: PersonId) -> Result<()> {
    let proposer = if row.state == MergeState::Parting { row.parting_by } else { Some(row.proposed_by) };
    if proposer == Some(by) { Err(Error::new(Code::SecondOfficer)) } else { Ok(()) }
}

/// Something that must end before an account can be merged.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Which kind: `signup`, `review`.
    pub kind: &'static str,
    /// The id of the thing.
    pub id: String,
    /// What it is and what to do.
    pub text: Text,
}

/// Refuses with everything that is unfinished.
pub fn clean(unfinished: Vec<Unfinished>) -> Result<()> {
    if unfinished.is_empty() {
        return Ok(());
    }
    let fault = |one: Unfinished| Fault::new(format!("/{}/{}", one.kind, one.id), one.kind, one.text);
    Err(Error::parameters(Code::PeopleUnfinished, unfinished.into_iter().map(fault).collect()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn person(number: u128) -> PersonId {
        PersonId(Uuid::from_u128(number))
    }

    fn row(state: MergeState) -> PersonMerge {
        PersonMerge {
            id: Uuid::from_u128(9).into(),
            kept_id: person(1),
            merged_id: person(2),
            state,
            reason: "同一人".into(),
            was_enabled: true,
            proposed_by: person(3),
            proposed_at: Default::default(),
            decided_by: None,
            decided_at: None,
            parting_reason: None,
            parting_by: (state == MergeState::Parting).then(|| person(4)),
            parting_at: None,
            parted_by: None,
            parted_at: None,
            version: 1,
        }
    }

    #[test]
    fn what_was_refused_or_parted_is_over() {
        for event in [MergeEvent::Agree, MergeEvent::Refuse, MergeEvent::Part, MergeEvent::AgreeParting] {
            for state in [MergeState::Refused, MergeState::Parted] {
                assert_eq!(
                    transition(event, state).unwrap_err().code(),
                    Code::StateForbids,
                    "{event} {state}"
                );
            }
        }
        let merged = transition(MergeEvent::Agree, MergeState::Proposed).unwrap();
        let parting = transition(MergeEvent::Part, merged).unwrap();
        assert_eq!(transition(decision(parting, false), parting).unwrap(), MergeState::Merged);
        assert_eq!(transition(decision(parting, true), parting).unwrap(), MergeState::Parted);
    }

    #[test]
    fn another_officer_decides_who_is_neither_account() {
        assert_eq!(keep_away(person(1), person(1), person(2)).unwrap_err().code(), Code::SecondOfficer);
        assert_eq!(keep_away(person(2), person(1), person(2)).unwrap_err().code(), Code::SecondOfficer);
        assert!(keep_away(person(3), person(1), person(2)).is_ok());
        assert!(second(&row(MergeState::Proposed), person(3)).is_err());
        assert!(second(&row(MergeState::Proposed), person(4)).is_ok());
        // Whoever proposed the merge may agree that it was wrong.
        assert!(second(&row(MergeState::Parting), person(4)).is_err());
        assert!(second(&row(MergeState::Parting), person(3)).is_ok());
    }

    #[test]
    fn everything_that_is_unfinished_is_named() {
        let one = |kind, id: &str| Unfinished { kind, id: id.into(), text: Text::new("未了", "open") };
        assert!(clean(Vec::new()).is_ok());
        let error = clean(vec![one("signup", "sgn_1"), one("review", "rev_1")]).unwrap_err();
        assert_eq!(error.code(), Code::PeopleUnfinished);
        assert_eq!(error.inner().faults.len(), 2);
    }
}

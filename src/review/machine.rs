//! What may happen to a review in which state. Pure; the diagram in `mod.rs` is tested against it.

use crate::error::{Code, Error, Result};

crate::text_enum! {
    /// Where in its life a review is.
    pub enum ReviewState {
        /// 审核中: a body is to decide.
        Open = "open",
        /// 待补正: the applicant is to supply what is missing; the clock stands.
        Returned = "returned",
        /// 已通过.
        Approved = "approved",
        /// 未通过.
        Rejected = "rejected",
        /// 已撤回: by the applicant, or because what it was about is gone.
        Withdrawn = "withdrawn",
        /// 视为撤回: what was missing was not supplied in time.
        Lapsed = "lapsed",
    }
}

impl ReviewState {
    /// Whether anybody still has something to do.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Returned)
    }

    /// For people.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Open => ("审核中", "under review"),
            Self::Returned => ("待补正", "returned for supplement"),
            Self::Approved => ("已通过", "approved"),
            Self::Rejected => ("未通过", "rejected"),
            Self::Withdrawn => ("已撤回", "withdrawn"),
            Self::Lapsed => ("视为撤回", "lapsed"),
        }
    }
}

crate::text_enum! {
    /// What happens to a review.
    pub enum ReviewEvent {
        /// 通过: by the last stage. Approvals before it change the stage only.
        Approve = "approve",
        /// 不通过.
        Reject = "reject",
        /// 退回补正.
        Return = "return",
        /// 补正.
        Supplement = "supplement",
        /// 撤回.
        Withdraw = "withdraw",
        /// 逾期未补正.
        Lapse = "lapse",
    }
}

/// Every transition: what happens, in which state, what it leads to.
pub const TRANSITIONS: &[(ReviewEvent, ReviewState, ReviewState)] = &[
    (ReviewEvent::Approve, ReviewState::Open, ReviewState::Approved),
    (ReviewEvent::Reject, ReviewState::Open, ReviewState::Rejected),
    (ReviewEvent::Return, ReviewState::Open, ReviewState::Returned),
    (ReviewEvent::Supplement, ReviewState::Returned, ReviewState::Open),
    (ReviewEvent::Withdraw, ReviewState::Open, ReviewState::Withdrawn),
    (ReviewEvent::Withdraw, ReviewState::Returned, ReviewState::Withdrawn),
    (ReviewEvent::Lapse, ReviewState::Returned, ReviewState::Lapsed),
];

/// What `event` makes of a review in `state`.
///
/// # Errors
/// `state_forbids`, naming the state, for what is not in the table.
pub fn transition(event: ReviewEvent, state: ReviewState) -> Result<ReviewState> {
    let line = TRANSITIONS.iter().find(|(known, from, _)| (*known, *from) == (event, state));
    line.map(|(_, _, to)| *to).ok_or_else(|| forbidden(state))
}

/// Refuses what is asked of a review that has ended.
///
/// # Errors
/// `state_forbids`, naming the state.
pub fn live(state: ReviewState) -> Result<()> {
    if state.is_live() { Ok(()) } else { Err(forbidden(state)) }
}

fn forbidden(state: ReviewState) -> Error {
    let (zh, en) = state.words();
    Error::new(Code::StateForbids).detail(format!("该申请{zh}"), format!("This request is {en}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arrows that the room's diagram draws, read from its text.
    fn drawn() -> Vec<(String, String)> {
        let text = include_str!("mod.rs");
        let diagram: String = text
            .lines()
            .skip_while(|line| !line.contains("```text"))
            .skip(1)
            .take_while(|line| !line.contains("```"))
            .collect::<Vec<_>>()
            .join("\n");
        let mut arrows = Vec::new();
        for line in diagram.lines() {
            for piece in line.split("──▶").skip(1) {
                let to = piece.trim().split(' ').next().unwrap_or_default().to_owned();
                let before = line.split(&format!("──▶ {to}")).next().unwrap_or_default();
                let event = before.rsplit("──").next().unwrap_or_default();
                let event = event.split(' ').next().unwrap_or_default().to_owned();
                arrows.push((event, to));
            }
            if line.contains("◀──") {
                let event = line.split("◀──").nth(1).and_then(|rest| rest.split("──").next());
                arrows.push((event.unwrap_or_default().to_owned(), "open".to_owned()));
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
        for event in ReviewEvent::ALL {
            for state in ReviewState::ALL {
                let told = transition(*event, *state);
                let known = TRANSITIONS.iter().find(|(e, from, _)| e == event && from == state);
                match known {
                    Some((_, _, to)) => assert_eq!(told.unwrap(), *to),
                    None => assert_eq!(told.unwrap_err().code(), Code::StateForbids, "{event} {state}"),
                }
            }
        }
    }
}

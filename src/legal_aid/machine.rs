//! What may happen to a case in which state. Pure; the diagram in `mod.rs` is tested against it.

use super::model::{CaseState, Ground};
use crate::error::{Code, Error, Result};

/// What happens to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// 提出申请: where a case begins; no transition.
    Ask,
    /// 领取: an officer takes it.
    Take,
    /// 分派: a lead hands it to an officer.
    HandOut,
    /// 补充材料通知
    Notice,
    /// 补充材料
    Supply,
    /// 补交证据: the applicant adds evidence.
    AddEvidence,
    /// 逾期未补充
    Lapse,
    /// 先行提供法律援助: accepted, papers come later.
    Provisional,
    /// 补办的材料已齐全
    Papers,
    /// 受理
    Accept,
    /// 不予援助
    Refuse,
    /// 指派
    Assign,
    /// 更换承办人员
    Reassign,
    /// 开始办理
    Start,
    /// 终止援助
    Terminate(Ground),
    /// 撤销受理
    Annul,
    /// 提出异议
    Object,
    /// 异议成立
    Uphold,
    /// 异议不成立
    Dismiss,
    /// 结案
    Close,
    /// 撤回
    Withdraw,
}

use CaseState::{
    Accepted, Annulled, Assigned, Closed, DeemedWithdrawn, Handling, Received, Refused, Supplement,
    Terminated, Withdrawn,
};

impl Act {
    /// What events are kept under, and the table's name of it: a termination is one whatever its ground.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Take => "take",
            Self::HandOut => "hand_out",
            Self::Notice => "notice",
            Self::Supply => "supply",
            Self::AddEvidence => "add_evidence",
            Self::Lapse => "lapse",
            Self::Provisional => "provisional",
            Self::Papers => "papers",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Assign => "assign",
            Self::Reassign => "reassign",
            Self::Start => "start",
            Self::Terminate(_) => "terminate",
            Self::Annul => "annul",
            Self::Object => "object",
            Self::Uphold => "uphold",
            Self::Dismiss => "dismiss",
            Self::Close => "close",
            Self::Withdraw => "withdraw",
        }
    }
}

/// Every transition: what happens, in which state, what it leads to.
pub const TRANSITIONS: &[(&str, CaseState, CaseState)] = &[
    ("notice", Received, Supplement),
    ("supply", Supplement, Received),
    ("lapse", Supplement, DeemedWithdrawn),
    ("provisional", Received, Accepted),
    ("accept", Received, Accepted),
    ("refuse", Received, Refused),
    ("assign", Accepted, Assigned),
    ("start", Assigned, Handling),
    ("close", Handling, Closed),
    ("terminate", Accepted, Terminated),
    ("terminate", Assigned, Terminated),
    ("terminate", Handling, Terminated),
    ("annul", Accepted, Annulled),
    ("annul", Assigned, Annulled),
    ("annul", Handling, Annulled),
    ("uphold", Refused, Accepted),
    ("uphold", Terminated, Handling),
    ("withdraw", Received, Withdrawn),
    ("withdraw", Supplement, Withdrawn),
    ("withdraw", Accepted, Withdrawn),
    ("withdraw", Assigned, Withdrawn),
    ("withdraw", Handling, Withdrawn),
];

/// What leaves a case in its state, and in which states it may happen.
pub const STAYS: &[(&str, &[CaseState])] = &[
    ("take", &[Received, Supplement, Accepted, Assigned, Handling]),
    ("hand_out", &[Received, Supplement, Accepted, Assigned, Handling]),
    ("add_evidence", &[Received, Supplement, Accepted, Assigned, Handling]),
    ("papers", &[Accepted, Assigned, Handling]),
    ("reassign", &[Assigned, Handling]),
    ("object", &[Refused, Terminated]),
    ("dismiss", &[Refused, Terminated]),
];

/// What `act` makes of a case in `state`.
///
/// # Errors
/// `state_forbids`, naming the state, for what is in neither table.
pub fn transition(act: Act, state: CaseState) -> Result<CaseState> {
    let name = act.as_str();
    let changes = TRANSITIONS.iter().find(|(known, from, _)| (*known, *from) == (name, state));
    let stays = STAYS.iter().any(|(known, states)| *known == name && states.contains(&state));
    match changes {
        Some((_, _, to)) => Ok(*to),
        None if stays => Ok(state),
        None => Err(forbidden(state)),
    }
}

/// The refusal of what a case in `state` does not allow.
pub fn forbidden(state: CaseState) -> Error {
    let (zh, en) = state.words();
    Error::new(Code::StateForbids)
        .detail(format!("该法律援助事项{zh}"), format!("This request for legal aid is {en}"))
}

impl CaseState {
    /// For people.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Received => ("待审查", "under examination"),
            Supplement => ("待补充材料", "waiting for what is missing"),
            Refused => ("决定不予援助", "refused"),
            Accepted => ("已受理，待指派", "accepted"),
            Assigned => ("已指派", "assigned"),
            Handling => ("办理中", "being handled"),
            Closed => ("已结案", "closed"),
            Terminated => ("已终止", "terminated"),
            Withdrawn => ("已撤回", "withdrawn"),
            DeemedWithdrawn => ("逾期未补充，视为撤回", "deemed withdrawn"),
            Annulled => ("受理已撤销", "annulled"),
        }
    }

    /// Whether it has come to an end.
    pub fn is_over(self) -> bool {
        matches!(self, Refused | Closed | Terminated | Withdrawn | DeemedWithdrawn | Annulled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTS: &[Act] = &[
        Act::Ask,
        Act::Take,
        Act::HandOut,
        Act::Notice,
        Act::Supply,
        Act::AddEvidence,
        Act::Lapse,
        Act::Provisional,
        Act::Papers,
        Act::Accept,
        Act::Refuse,
        Act::Assign,
        Act::Reassign,
        Act::Start,
        Act::Terminate(Ground::Asked),
        Act::Annul,
        Act::Object,
        Act::Uphold,
        Act::Dismiss,
        Act::Close,
        Act::Withdraw,
    ];

    /// The arrows that the room's diagram draws, read from its text: act, from, to.
    fn drawn() -> Vec<(String, String, String)> {
        let text = include_str!("mod.rs");
        let lines: Vec<Vec<char>> = text
            .lines()
            .skip_while(|line| !line.contains("```text"))
            .skip(1)
            .take_while(|line| !line.contains("```"))
            .map(|line| line.chars().collect())
            .collect();
        // The state that stands in `column` of the nearest line above that has a letter there.
        let above = |row: usize, column: usize| -> String {
            let is_letter = |sign: &char| sign.is_ascii_lowercase() || *sign == '_';
            let line =
                lines[..row].iter().rev().find(|line| line.get(column).is_some_and(is_letter)).unwrap();
            let begin = (0..=column).rev().take_while(|at| is_letter(&line[*at])).last().unwrap();
            line[begin..].iter().take_while(|sign| is_letter(sign)).collect()
        };
        let mut arrows = Vec::new();
        for (row, line) in lines.iter().enumerate() {
            let text: String = line.iter().collect();
            let mut before = String::new();
            for piece in text.split_inclusive('▶') {
                if let Some(arrow) = piece.strip_suffix("──▶") {
                    let (left, act) = arrow.rsplit_once("──").unwrap();
                    let rest = &text[before.len() + piece.len()..];
                    let to = rest.trim_start().split([' ', ',']).next().unwrap().to_owned();
                    let left = left.trim().trim_start_matches("//!").trim();
                    if left.ends_with(['├', '└']) {
                        let column =
                            (before.clone() + arrow.rsplit_once("──").unwrap().0).chars().count() - 1;
                        arrows.push((act.to_owned(), above(row, column), to));
                    } else {
                        let from = left.split(',').map(str::trim);
                        arrows.extend(from.map(|from| (act.to_owned(), from.to_owned(), to.clone())));
                    }
                }
                before.push_str(piece);
            }
        }
        arrows.sort();
        arrows
    }

    #[test]
    fn the_diagram_is_the_table() {
        let mut table: Vec<(String, String, String)> = TRANSITIONS
            .iter()
            .map(|(act, from, to)| ((*act).to_owned(), from.to_string(), to.to_string()))
            .collect();
        table.sort();
        assert_eq!(drawn(), table);
    }

    #[test]
    fn everything_else_is_forbidden() {
        for act in ACTS {
            for state in CaseState::ALL {
                let name = act.as_str();
                let to = TRANSITIONS.iter().find(|(known, from, _)| *known == name && from == state);
                let stays = STAYS.iter().any(|(known, states)| *known == name && states.contains(state));
                match (to, stays) {
                    (Some((_, _, to)), false) => assert_eq!(transition(*act, *state).unwrap(), *to),
                    (None, true) => assert_eq!(transition(*act, *state).unwrap(), *state),
                    (None, false) => {
                        let told = transition(*act, *state).unwrap_err();
                        assert_eq!(told.code(), Code::StateForbids, "{name} {state}");
                    }
                    (Some(_), true) => panic!("{name} in {state} stands in both tables"),
                }
            }
        }
    }

    #[test]
    fn every_line_of_the_tables_is_an_act() {
        let known: Vec<&str> = ACTS.iter().map(|act| act.as_str()).collect();
        let named = TRANSITIONS.iter().map(|line| line.0).chain(STAYS.iter().map(|line| line.0));
        for name in named {
            assert!(known.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_is_over_ends_and_nothing_else_does() {
        for (act, from, to) in TRANSITIONS {
            // An objection that is right is the only way back.
            assert!(!from.is_over() || *act == "uphold", "{act} {from}");
            assert!(*act != "uphold" || !to.is_over());
        }
    }
}

//! Pure decisions: who may decide what.

use std::collections::HashSet;

use super::model::{Review, Stage};
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PersonId};

/// Why somebody does not decide about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// It is their own.
    Own,
    /// They decided about it before, or about what it appeals against.
    Before,
    /// They work where the applicant works.
    Employer,
    /// The applicant is kin, or they have an interest in the employer.
    Tie,
    /// They said so of this request.
    Recused,
}

impl Bar {
    /// The refusal.
    pub fn refusal(self) -> Error {
        let (code, zh, en) = match self {
            Self::Own => (Code::ReviewRecused, "不能办理本人的申请", "Nobody decides about themselves"),
            Self::Before => (
                Code::SecondOfficer,
                "您已办理过该申请的其他环节",
                "You have decided about this request already; this stage needs somebody else",
            ),
            Self::Employer => {
                (Code::ReviewRecused, "您与申请人同单位，应当回避", "The applicant is a colleague of yours")
            }
            Self::Tie => (
                Code::ReviewRecused,
                "您申报过与申请人或其单位的关系，应当回避",
                "You have declared a tie to the applicant or the employer",
            ),
            Self::Recused => {
                (Code::ReviewRecused, "您已对该申请申请回避", "You have recused yourself from this request")
            }
        };
        Error::new(code).detail(zh, en)
    }
}

/// What is known of the people who might decide.
#[derive(Debug, Default)]
pub struct Ties {
    /// Who decided a stage of the request, or of what it appeals against, or in whose stead it was decided.
    pub decided: HashSet<PersonId>,
    /// Who has a tie to the applicant or the employer.
    pub tied: HashSet<PersonId>,
    /// Who said that they do not decide.
    pub recused: HashSet<PersonId>,
    /// Who works where the applicant works.
    pub colleagues: HashSet<PersonId>,
}

/// Why `person` does not decide `stage`, if so.
pub fn bar(review: &Review, stage: &Stage, ties: &Ties, person: PersonId) -> Option<Bar> {
    if review.applicant_id == person {
        Some(Bar::Own)
    } else if ties.decided.contains(&person) {
        Some(Bar::Before)
    } else if ties.recused.contains(&person) {
        Some(Bar::Recused)
    } else if ties.tied.contains(&person) {
        Some(Bar::Tie)
    } else if stage.employer_barred && ties.colleagues.contains(&person) {
        Some(Bar::Employer)
    } else {
        None
    }
}

/// In whose stead somebody would decide at a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// In their own right.
    Own,
    /// For somebody who has delegated it to them.
    For(PersonId),
}

impl Seat {
    /// The person in whose stead.
    pub fn on_behalf_of(self) -> Option<PersonId> {
        match self {
            Self::Own => None,
            Self::For(person) => Some(person),
        }
    }
}

/// A right to decide: at this organisation, and below it once a term has run out there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// In whose stead.
    pub seat: Seat,
    /// Where.
    pub organisation: OrganisationId,
    /// Its path.
    pub path: String,
}

/// The seats from which a stage at `body` may be decided, one's own first. Whoever is above a body sees what it does, and decides
/// in its place only when its term has run out.
pub fn seats(rights: &[Right], body: &str, breached: bool) -> Vec<Seat> {
    let mut seats: Vec<Seat> = rights
        .iter()
        .filter(|right| right.path == body || (breached && body.starts_with(right.path.as_str())))
        .map(|right| right.seat)
        .collect();
    seats.sort_by_key(|seat| seat.on_behalf_of().is_some());
    seats.dedup();
    seats
}

/// The seat from which `actor` decides `stage`.
///
/// # Errors
/// Why nobody of the seats may: the bar of the first.
pub fn seat(review: &Review, stage: &Stage, ties: &Ties, actor: PersonId, seats: &[Seat]) -> Result<Seat> {
    let mut barred = None;
    for seat in seats {
        // In somebody's stead one is bound by what binds them.
        let bars = [Some(actor), seat.on_behalf_of()].into_iter().flatten();
        match bars.filter_map(|person| bar(review, stage, ties, person)).next() {
            None => return Ok(*seat),
            Some(bar) => barred = barred.or(Some(bar)),
        }
    }
    Err(barred.map_or_else(|| Error::new(Code::ReviewNotYours), Bar::refusal))
}

crate::text_enum! {
    /// How urgent something is.
    pub enum Urgency {
        /// 期限充裕.
        Green = "green",
        /// 临近到期.
        Amber = "amber",
        /// 已逾期.
        Red = "red",
    }
}

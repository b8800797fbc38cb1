//! What a review is about learns of its decision here, in the same transaction. The rooms above fill it; `app.rs` wires them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::chain::ReviewKind;
use super::model::Review;
use crate::error::{Error, Result};
use crate::ids::SubjectId;
use crate::notify::beside::Beside;
use crate::platform::db::Conn;

/// Why a subject gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// 不通过.
    Rejected,
    /// 本人撤回.
    Withdrawn,
    /// 逾期未补正.
    Lapsed,
}

/// One kind of subject.
pub trait Subject: Send + Sync {
    /// Which.
    fn kind(&self) -> ReviewKind;

    /// Locks what a decision will change, before the review itself is locked.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()>;

    /// It is approved: by the last body, or on appeal after it was refused. Says in Chinese what that means for the applicant.
    ///
    /// # Errors
    /// A refusal, such as `signup_full`, undoes the decision.
    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String>;

    /// It is not approved.
    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()>;
}

/// All kinds of subjects.
#[derive(Clone, Default)]
pub struct Subjects(pub Vec<Arc<dyn Subject>>);

impl Subjects {
    /// The one of `kind`.
    pub fn of(&self, kind: ReviewKind) -> Result<&dyn Subject> {
        let found = self.0.iter().find(|one| one.kind() == kind);
        found.map(AsRef::as_ref).ok_or_else(|| Error::internal(format!("nobody learns of reviews of {kind}")))
    }
}

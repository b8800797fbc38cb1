//! Rows of sign-ups.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{ActivityId, PersonId, SignupId};
use crate::platform::db::schema::signups;

crate::text_enum! {
    /// Life of a sign-up.
    pub enum SignupState {
        /// 已报名: the person has a place.
        Confirmed = "confirmed",
        /// 已参加: the person was checked in at least once.
        Attended = "attended",
        /// 已取消: the place is free again.
        Cancelled = "cancelled",
    }
}

/// A person's request for a place.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = signups)]
pub struct Signup {
    /// Its id.
    pub id: SignupId,
    /// For what.
    pub activity_id: ActivityId,
    /// Whose.
    pub person_id: PersonId,
    /// Where in its life it is.
    pub state: SignupState,
    /// When.
    pub created_at: NaiveDateTime,
    /// When it was cancelled.
    pub cancelled_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

//! Sign-ups: a person's request for a place in an activity.
//!
//! ```text
//! (none) ──create──▶ confirmed ──check-in──▶ attended
//!                        └──cancel──▶ cancelled      (and one may sign up again)
//! ```
//! All creations and cancellations of an instance go through one [`registrar`], which decides a whole batch in one
//! transaction, in the order of arrival.

pub mod api;
pub mod model;
pub mod registrar;
pub mod snapshot;
pub mod store;

//! Sign-ups: a person's request for a place in an activity.
//!
//! ```text
//!            ┌── place free ──────────────────────────────▶ confirmed ──check-in──▶ attended
//! (none) ────┤                                   accept ──▶     │
//!            ├── all taken ──▶ waiting ──offer──▶ offered ──────┤
//!            ├── first minutes ──▶ entered ──draw──▶ confirmed, waiting or cancelled
//!            └── allocation `review` ──▶ applied ──approval──▶ confirmed, or waiting where all are taken
//!                                          └──rejection, withdrawal, lapse──▶ cancelled ──appeal──▶ confirmed or waiting
//!
//! applied, entered, waiting, offered, confirmed ──cancel, expiry, the activity's end──▶ cancelled
//! (and one may sign up again)
//! ```
//! All creations, cancellations and acceptances of an instance go through one [`registrar`], which decides a whole batch in
//! one transaction, in the order of arrival. Whoever writes an activity's sign-ups, offers or quotas holds the lock of its
//! row; [`placing`] gives the places under it.

pub mod api;
pub mod draw;
pub mod early;
pub mod erasing;
pub mod following;
pub mod jobs;
pub mod merging;
pub mod model;
pub mod penalty;
pub mod placing;
pub mod profile;
pub mod quota_api;
pub mod quota_store;
pub mod quotas;
pub mod registrar;
pub mod reviewed;
pub mod reviewed_api;
pub mod roster;
pub mod rules;
pub mod snapshot;
pub mod store;
mod terms;
pub mod tree;
pub mod waiting;
pub mod waiting_api;
pub mod waiting_store;

//! Accounts that are one human: a list made one, and the worker logged in with another; or a phone was lost.
//!
//! ```text
//! (none) ──propose──▶ proposed ──agree──▶ merged ──propose to part──▶ parting ──agree──▶ parted
//!                        └────refuse──▶ refused  ◀────────refuse─────────┘ (merged again)
//! ```
//! A merge is a link and nothing else: the rows of both accounts stay where they are. The account that is merged rests, its login opens
//! the one that is kept, and whoever counts people counts both as one. So it can be undone, and the figures are then what they would be
//! without it. Two officers do either, none of whom is one of the accounts; the database holds that, too.
//!
//! Rooms above say what is unfinished, and let consequences follow ([`following::Follower`], wired in `app.rs`).

pub mod acts;
pub mod api;
pub mod following;
pub mod model;
pub mod rules;
pub mod store;

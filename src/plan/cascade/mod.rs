//! Targets divided among the sub-districts: the district proposes a share for each, every sub-district agrees or objects.
//!
//! ```text
//! (proposed) ──all agree──▶ current ──a later version is agreed──▶ replaced
//!     └──a later version is proposed──▶ replaced
//! ```
//! A division holds as a whole: it is in force when all have agreed, and the one before it holds until then. An objection stays where it
//! is, with its reason, until the district proposes the next version. Shares add up to the target at least; of people they may add up to
//! more, since somebody who comes in two sub-districts is one person of each.
//!
//! What each sub-district must reach by itself, rates, lists, and what is due in every period are not divided.

pub mod acting;
pub mod api;
pub mod model;
pub mod rules;
pub mod store;

//! Memberships: a worker says of which union they are a member, and the desk verifies it.
//!
//! ```text
//! claimed ──approve──▶ verified ──move──▶ ended
//!    │                    └──end──▶ ended
//!    ├──reject──▶ refused ──approve──▶ verified
//!    └──withdraw──▶ withdrawn
//! ```
//! A refused claim is approved on appeal. A person has one claim and is verified in one place at a time: whoever is verified
//! elsewhere moves there, and works there from then on. Activities for members only ask [`crate::people::memberships`].

pub mod api;
pub mod claims;
pub mod erasing;
pub mod model;
pub mod rules;
pub mod staff_api;
pub mod store;
pub mod subject;

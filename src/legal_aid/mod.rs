//! Legal aid: a worker asks, an officer decides within the days of the law, somebody is assigned, and the case is brought to its end.
//!
//! ```text
//! received ──notice──▶ supplement ──supply──▶ received
//!    │                     └──lapse──▶ deemed_withdrawn
//!    ├──refuse──▶ refused ──uphold──▶ accepted
//!    └──accept──▶ accepted ──assign──▶ assigned ──start──▶ handling ──close──▶ closed
//!                    │                     │                   └──terminate──▶ terminated ──uphold──▶ handling
//!                    └──annul──▶ annulled  └──terminate──▶ terminated
//! ```
//! Whoever asked may withdraw until the case has ended. Nobody but the team of a case knows of it ([`team`]): not the desk's other officers,
//! not their superiors, not an administrator.

pub mod closing;
pub mod consultation_api;
pub mod consultations;
pub mod counting;
pub mod glass;
pub mod glass_api;
pub mod glass_jobs;
pub mod glass_sealing;
pub mod group_api;
pub mod groups;
pub mod hands;
pub mod model;
pub mod papers;

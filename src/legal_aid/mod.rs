//! Legal aid: a worker asks, an officer decides within the days of the law, somebody is assigned, and the case is brought to its end.
//!
//! ```text
//! received ──notice──▶ supplement ──supply──▶ received
//!    │                     └──lapse──▶ deemed_withdrawn
//!    ├──refuse──▶ refused ──uphold──▶ accepted
//!    ├──provisional──▶ accepted
//!    └──accept──▶ accepted ──assign──▶ assigned ──start──▶ handling ──close──▶ closed
//! accepted, assigned, handling ──terminate──▶ terminated ──uphold──▶ handling
//! accepted, assigned, handling ──annul──▶ annulled
//! received, supplement, accepted, assigned, handling ──withdraw──▶ withdrawn
//! ```
//! Whoever asked may withdraw until the case has ended. Nobody but the team of a case knows of it ([`team`]): not the desk's other officers,
//! not their superiors, not an administrator.

pub mod acting;
pub mod asking;
pub mod clocks;
pub mod closing;
pub mod consultation_api;
pub mod consultations;
pub mod content;
pub mod counting;
pub mod deciding;
pub mod desk;
pub mod desk_api;
pub mod erasing;
pub mod events;
pub mod evidence;
pub mod figures;
pub mod form_api;
pub mod glass;
pub mod glass_api;
pub mod glass_jobs;
pub mod glass_sealing;
pub mod group_api;
pub mod groups;
pub mod hands;
pub mod jobs;
pub mod machine;
pub mod merging;
pub mod model;
pub mod objection_api;
pub mod objections;
pub mod own;
pub mod own_api;
pub mod own_views;
pub mod papers;
pub mod parties;
pub mod routing;
pub mod rules;
pub mod sealing;
pub mod statistics;
pub mod store;
pub mod talk;
pub mod talk_api;
pub mod team;
pub mod tools;

pub use tools::LegalTools;

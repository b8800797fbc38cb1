//! Work injuries, and the visits to those who lie in hospital with one (plan item 19).
//!
//! ```text
//! hospital's list ──import: looked at, then all or nothing──▶ injury, once a person and day of injury
//! injury:  not applied ◀──recorded, taken back──▶ applied
//!          while not applied, each term:  green ──few days left──▶ amber (the worker is told, once) ──last day──▶ red ──▶ breached
//! visit:   (record) ──▶ stands ──undo, with a reason──▶ undone
//!          the visits of one person that stand in one session ──▶ one attendance: participant, or gift
//! ```
//! Whom a list means is found by number and name ([`finding`]); who is new needs no login. A visit belongs to the session of its day and
//! organiser, which is made when it is missing ([`days`]) and finalised as any other. It counts as an attendance and in no other way
//! ([`presence`]). What a hospital says of somebody is sealed; staff see it masked, and open it one by one, audited.

pub mod api;
pub mod days;
pub mod erasing;
pub mod finding;
pub mod import_api;
pub mod importing;
pub mod jobs;
pub mod list;
pub mod model;
pub mod own_api;
pub mod photos;
pub mod presence;
pub mod rules;
pub mod sealing;
pub mod store;
pub mod visit_api;

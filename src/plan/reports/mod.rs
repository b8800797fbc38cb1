//! Reported figures: what no attendance gives. A unit says what it reached in a month and shows it; every lead department of the plan
//! item signs; then it counts.
//!
//! ```text
//! (entered) ──propose──▶ proposed ──approve──▶ approved ──overtake──▶ superseded
//!                           ├──approve, too late──▶ superseded
//!                           ├──reject──▶ rejected ──approve──▶ approved
//!                           └──withdraw──▶ withdrawn
//! ```
//! A figure is one of a target, a unit and a month. Its versions are numbered; of those that are approved the highest number counts,
//! whatever the order in which they were approved. None is ever edited: the database refuses it. What was approved is corrected, or
//! taken back, by the next version, which is signed like any other. A rejected one is approved on appeal.
//!
//! A figure of legal service stations agrees with their register, or is refused ([`registry`]).
//!
//! Lines in the ledger are brought into line by [`settling`], which [`expected_lines`] verifies. A rate has none: numerators and
//! denominators do not sum, and are read from the reports themselves ([`store::reported`]).

pub mod api;
pub mod holder;
pub mod model;
pub mod registry;
pub mod reporting;
pub mod rules;
pub mod settling;
pub mod store;
pub mod subject;
pub mod views;

pub use settling::expected_lines;

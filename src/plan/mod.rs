//! The work plan: items, targets, milestones; what counts for them; how far they are.
//!
//! Nobody types in what can be counted: [`counting`] turns attendance into ledger lines by rules that are data. What no attendance gives
//! is reported with evidence and signed by the lead departments ([`reports`]). [`rules`] reads the ledger's roll-ups, and what was
//! reported, as progress; [`cascade`] divides targets among the sub-districts. Every figure opens into its lines, and each line into its
//! source.

pub mod api;
pub mod cascade;
pub mod cases;
pub mod closing;
pub mod counting;
pub mod exports;
pub mod jobs;
pub mod measuring;
pub mod merging;
pub mod milestones_api;
pub mod model;
pub mod progress_api;
pub mod progress_views;
pub mod reports;
pub mod rolling;
pub mod rules;
mod standings;
pub mod store;
pub mod verify;
mod voiding;

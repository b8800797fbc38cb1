//! The work plan: items, targets, milestones; what counts for them; how far they are.
//!
//! Nobody types a figure in: [`counting`] turns attendance into ledger lines by rules that are data, and [`rules`]
//! reads the ledger's roll-ups as progress. Every figure opens into its lines, and each line into its source.

pub mod api;
pub mod counting;
pub mod exports;
pub mod jobs;
pub mod milestones_api;
pub mod model;
pub mod rules;
pub mod store;
pub mod verify;
mod voiding;

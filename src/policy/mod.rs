//! Policies: figures that laws, notices and this federation set, each with its source and the day from which it holds.
//!
//! Of several rows with one key, the one with the latest `effective_from` not after the day in question is in force.

pub mod calendar;
pub mod clock;
pub mod model;
pub mod store;

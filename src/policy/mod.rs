//! Policies: figures that laws, notices and this federation set, each with its source and the day from which it holds.
//!
//! Terms run on them: [`calendar`] says which days are worked, [`clock`] when a term is over. Both are pure; [`store`] loads what they need.
//!
//! Of several rows with one key, the one with the latest `effective_from` not after the day in question is in force.

pub mod calendar;
pub mod clock;
pub mod model;
pub mod store;

//! The data that a fresh installation starts from: the union tree, the work plan, counting rules, policies and a
//! demonstration. Reading is pure: bytes in, typed rows or a list of faults out; [`loader`] alone writes to a database.
//!
//! `seeds/README.md` explains every file. The files are compiled in, and the same file names can be read from a
//! folder instead. Reading never stops at the first fault: whoever edits a seed file sees everything wrong with
//! it, and with what it refers to, at once.
//!
//! ```text
//! source (bytes) → raw (values with lines) → row (typed fields) → parse (one function per file) → model
//!                                              └ findings: faults, definitions, references ┘
//! ```

mod chains;
mod fault;
mod findings;
pub mod loader;
pub mod model;
mod names;
pub mod parse;
mod raw;
mod row;
mod source;
#[cfg(test)]
mod tests;

pub use fault::{Problem, SeedFault, SeedFaults};
pub use model::SeedSet;
pub use parse::load;
pub use source::SeedSource;

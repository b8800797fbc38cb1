//! Promises of the project as a whole, checked against the project itself.

pub mod conditional;
pub mod document;
pub mod floors;
pub mod licences;
pub mod names;
pub mod schema;

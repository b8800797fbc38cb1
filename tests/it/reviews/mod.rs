//! The desk: what is decided, who decides it, and what is said meanwhile.

pub mod cover;
pub mod leave;
pub mod steps;
pub mod talk;

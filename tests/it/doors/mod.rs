//! The door: passes and figures, other ways in, and without a signal.

pub mod completing;
pub mod door;
pub mod histories;
pub mod offline;
pub mod phone;
pub mod reopening;
pub mod ways;

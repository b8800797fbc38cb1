//! What every answer of the server has in common, whatever room it comes from.

pub mod lists;
pub mod problems;
pub mod served;
pub mod traffic;

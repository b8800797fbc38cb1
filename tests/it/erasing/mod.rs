//! Erasure: what is left of whoever asked for it (nothing but what was counted, and what the law keeps), and what is not changed by it.

pub mod asking;
mod casework;
pub mod columns;
pub mod histories;
pub mod planting;
pub mod scanning;

//! Legal aid.

pub mod counting;
pub mod glass;
pub mod planting;
pub mod secrecy;

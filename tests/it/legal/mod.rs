//! Legal aid.

pub mod closing;
pub mod counting;
pub mod glass;
pub mod papers;
pub mod planting;
pub mod secrecy;

//! Legal aid.

pub mod asking;
pub mod changes;
pub mod closing;
pub mod counting;
pub mod dsl;
pub mod glass;
pub mod groups;
pub mod hand_keys;
pub mod hands;
pub mod histories;
pub mod manning;
pub mod papers;
pub mod planting;
pub mod referrals;
pub mod secrecy;

//! People: who somebody is, and how that is known.

pub mod id_number;
pub mod phone;

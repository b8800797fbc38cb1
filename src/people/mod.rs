//! People: one human, whatever they log in with. Phone and ID number are sealed in the vault and shown masked.

pub mod api;
pub mod id_number;
pub mod model;
pub mod phone;
pub mod store;

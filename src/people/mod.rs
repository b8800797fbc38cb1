//! People: one human, whatever they log in with. Phone and ID number are sealed in the vault and shown masked. What
//! somebody is, as far as quotas and waves go, is recorded by staff; of which union they
//! are verified members is asked here, and decided in the room `membership`.

pub mod api;
pub mod audiences;
pub mod content;
pub mod erasing;
pub mod id_number;
pub mod memberships;
pub mod merging;
pub mod model;
pub mod phone;
pub mod store;

//! Unionhall: sign-up, check-in, review and the work plan of a district trade-union federation.
//!
//! `docs/ARCHITECTURE.md` is the map. Imports go down only: `app`, `routes` → `plan` → `attendance` →
//! `signup` → `offering`, `identity`, `notify` → `people` → `org` → `ledger` → `platform`.

pub mod clock;
pub mod error;
pub mod ids;
pub mod people;
pub mod platform;
pub mod seed;

//! Unionhall: sign-up, check-in, review and the work plan of a district trade-union federation.
//!
//! `docs/ARCHITECTURE.md` is the map. Imports go down only: `app`, `routes`, `seed`, `erasure` → `plan`, `visits` → `attendance` →
//! `signup`, `membership` → `review` → `offering`, `identity`, `notify` → `people` → `content` → `org` → `ledger` → `policy` → `platform`.

pub mod app;
pub mod attendance;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod content;
pub mod docs;
pub mod erasure;
pub mod error;
pub mod identity;
pub mod ids;
pub mod jobs;
pub mod ledger;
pub mod legal_aid;
pub mod membership;
pub mod notify;
pub mod offering;
pub mod openapi;
pub mod ops;
pub mod org;
pub mod people;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod review;
pub mod routes;
pub mod seed;
pub mod signup;
pub mod visits;

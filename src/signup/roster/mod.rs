//! Unions sign up their people, and staff those who asked them to.
//!
//! ```text
//! roster row ──nominated──▶ sign-up `offered` ──▶ the worker accepts, refuses, or is silent (see signup)
//! 'name later' ──▶ open ──names──▶ named
//!                   └──time is up, or taken back──▶ released     (the places go to those who wait)
//! ```
//! A place is kept for everybody who is nominated, so a union cannot nominate more people than there are places, and passes
//! nobody who waits. Nobody is signed up against their will: a nominated worker confirms.

pub mod api;
pub mod holds_api;
pub mod model;
pub mod nominate;
pub mod proxy_api;
pub mod rules;
pub mod store;

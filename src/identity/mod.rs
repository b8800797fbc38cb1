//! Logins and staff rights.
//!
//! ```text
//! WeChat code ──code2Session──▶ openid ──▶ person ──▶ token family (one login on one device)
//!                                                        │ refresh: the old token is used up, a new one is given
//!                                                        │ an old one used again: the family ends (it was stolen)
//!                                                        ▼
//!                            ended: logout | logout_everywhere | refresh_reused | person_disabled
//! ```

pub mod accounts_api;
pub mod api;
pub mod erasing;
pub mod grants_api;
pub mod merging;
pub mod model;
pub mod standing;
pub mod store;

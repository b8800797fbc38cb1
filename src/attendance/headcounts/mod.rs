//! Headcounts: crowds that nobody registered. One officer counts and shows pictures, another agrees, and the number counts
//! less those who were checked in one by one.
//!
//! ```text
//! (counted) ──refuse──▶ refused
//!     └──propose──▶ proposed ──approve──▶ approved ──void──▶ voided
//!                      ├──reject──▶ rejected ──approve──▶ approved
//!                      ├──withdraw──▶ withdrawn
//!                      └──void──▶ voided
//! ```
//! What cannot be (more people than the venue holds, than parcels, than the gates let through) is refused, kept, and counts
//! nowhere. A rejected headcount is approved on appeal. A session has one that is being decided or counts. Its line in the ledger
//! is written anew whenever more or fewer are checked in ([`recounting`]); a cancelled session voids it ([`following`]).
//!
//! Of each sub-district and quarter some are drawn, with a seed that was promised before ([`sampling`]); what an auditor finds
//! may lower a number, with a second officer, and never raises it ([`findings`]).

pub mod api;
pub mod findings;
pub mod following;
pub mod holder;
pub mod model;
pub mod photos;
pub mod proposing;
pub mod recounting;
pub mod rules;
pub mod sample_api;
pub mod sampling;
pub mod store;
pub mod subject;
pub mod views;

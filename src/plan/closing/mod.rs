//! Months and quarters are closed: by the streets first, each its own part, then by the district, with two officers.
//!
//! A street's month, the district's period, and a restatement:
//!
//! ```text
//! street:
//!   open     ──soften──▶  soft
//!   soft     ──reopen──▶  open
//! period:
//!   open     ──propose──▶ proposed
//!   proposed ──close──▶   hard
//!   proposed ──refuse──▶  open
//! restatement:
//!   proposed ──agree──▶   agreed
//!   proposed ──refuse──▶  refused
//! ```
//! A month is proposed when all streets are soft, a quarter when its three months are hard; and neither before it is over, nor with
//! anything on its checklist ([`checklist`]). What is hard stays so, and the ledger takes no more lines for it: what comes later is held
//! (`ledger::held`), until a restatement ([`restating`]), proposed by one officer and agreed to by another, posts it. The
//! figure that was issued and the restated one are both shown ([`figures`]).

pub mod acts;
pub mod api;
pub mod changes_api;
pub mod checklist;
pub mod figures;
pub mod model;
pub mod restate_api;
pub mod restating;
pub mod rules;
pub mod store;
pub mod views;

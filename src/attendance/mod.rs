//! Attendance: who was there, recorded once, with the evidence.
//!
//! ```text
//! worker's phone:  pass (changes every 30 s) ──shown──▶ staff scan ──▶ present, once a person and session
//! session:         planned ──finalise (held or not)──▶ finalised, figures in the ledger
//!                          ◀──reopen (its month open)──  ([`reopening`])
//! either of them:  ──cancel──▶ its attendances are history and count no more ([`following`])
//! one attendance:  ──undo──▶ void, and counts no more ([`undoing`]); who comes again is present again
//! ```
//! All scans of an instance go through one [`door`], a batch at a time; attendance, the ledger's lines and its roll-ups are
//! one transaction. What counts for which target is the plan's to say, through [`counting::Counting`].

pub mod api;
pub mod codes;
pub mod completing;
pub mod completion_api;
pub mod counting;
pub mod door;
pub mod entering;
pub mod erasing;
pub mod following;
pub mod headcounts;
pub mod merging;
pub mod model;
pub mod offline;
pub mod papers;
pub mod pass;
pub mod reopening;
pub mod rules;
pub mod self_api;
pub mod sheets;
pub mod staff_api;
pub mod standing;
pub mod store;
pub mod undoing;
pub mod walk_in;

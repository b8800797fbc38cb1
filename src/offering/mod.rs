//! What a worker can sign up for: programme (a standing offer) → activity (something to sign up for) → session (one
//! dated meeting).
//!
//! What happens, and when it may, stands in [`lifecycle`]; what the clock does bears an asterisk.
//!
//! ```text
//! activity:
//!   draft                                                     ──publish──▶    published
//!   published                                                 ──open*──▶      open
//!   open                                                      ──close*──▶     closed
//!   closed                                                    ──allocate──▶   allocated
//!   published | open | closed | allocated                     ──start*──▶     running
//!   running | postponed                                       ──finish──▶     finished
//!   finished                                                  ──reopen──▶     running
//!   published | open | closed | allocated | running | postponed ──cancel──▶     cancelled
//!   published | open | closed | allocated | running           ──postpone──▶   postponed
//!   published | open | closed | allocated | running | postponed ──reschedule──▶ published
//! session:
//!   planned                                                   ──finalise──▶   finalised
//!   planned                                                   ──cancel──▶     cancelled
//!   finalised                                                 ──void──▶       cancelled
//!   finalised                                                 ──reopen──▶     planned
//! ```
//! A change of state has consequences in rooms above: they are [`following`]. [`changing`] makes the change and has
//! them follow, in one transaction.
//!
//! Every activity is made by [`making`]: from what an organiser writes ([`input`]), from a [`pattern`] (a copy or a template), or
//! from a sheet ([`imports`]). Its sessions book venues and trainers, which are in one place at a time ([`clash`]).

pub mod api;
pub mod changing;
pub mod clash;
pub mod completion;
pub mod details;
pub mod fair;
pub mod following;
pub mod imports;
pub mod input;
pub mod lifecycle;
pub mod lifecycle_api;
pub mod lifecycle_store;
pub mod making;
pub mod manage_api;
pub mod model;
pub mod pattern;
pub mod resource_api;
pub mod resource_store;
pub mod rules;
pub mod store;
pub mod template_api;
pub mod template_store;
pub mod views;

/// The topic of news about what the public sees: `ids` are of activities, programmes or sessions.
pub const CATALOGUE: &str = "catalogue";

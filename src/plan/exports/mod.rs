//! What people take away of the plan: workbook, CSV, a report to print, sign-in sheets, and a board for everybody.
//!
//! ```text
//! waiting ──claimed──▶ making ──content in the store──▶ ready ──kept long enough──▶ expired (content erased)
//! ```
//! One function ([`filling::fill`]) reads progress and names as of a moment into one plain struct ([`sheet::Sheet`]); whatever
//! draws reads that struct and nothing else. No renderer asks a clock, a random number or an order that a map chose, so that the
//! same report as of the same moment is the same bytes, however often and however late it is made: its digest says so.
//!
//! A report is as of a full minute that has been over for a while ([`rules::settled`]), since a line is known by when it was
//! written and is seen when its transaction ends.

pub mod api;
pub mod board;
pub mod charts;
pub mod csv;
pub mod filling;
pub mod jobs;
pub mod model;
pub mod page;
mod pen;
pub mod rules;
pub mod safe;
pub mod sealing;
pub mod sheet;
pub mod signin;
pub mod signin_api;
pub mod store;
pub mod workbook;

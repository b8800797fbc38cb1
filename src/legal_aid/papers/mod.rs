//! What a desk tells an applicant in writing: numbered documents from templates.
//!
//! A document is filled in and numbered in the transaction of the act that it is about, and never edited: its words are kept sealed, so
//! that a later template changes no earlier document. It is printed from [`page`]. Its marks say when it was handed over and when the
//! applicant opened it. The database refuses a case that is refused or terminated without one, or closed without a report.

pub mod api;
pub mod issuing;
pub mod model;
pub mod naming;
pub mod numbering;
pub mod own_api;
pub mod page;
pub mod sealing;
pub mod store;
pub mod templates;

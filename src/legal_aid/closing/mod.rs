//! The end of a case and what follows it: report, closing, return visit, satisfaction, file check, subsidy.
//!
//! ```text
//! handling ──report──▶ handling ──close──▶ closed ──▶ satisfaction (the applicant, once)
//!                                            ├──▶ return visit, where the sample says so
//!                                            └──▶ file check (another officer) ──complete──▶ subsidy
//! ```
//! Whoever handled a case reports how it went; closing issues that report as a document, and fixes it. The sample of return visits is drawn
//! from the document's id ([`rules::sampled`]): nobody knows before the closing, and everybody can reckon it afterwards.

pub mod acts;
pub mod api;
pub mod model;
pub mod own_api;
pub mod rules;
pub mod sealing;
pub mod second;
pub mod second_api;
pub mod store;
pub mod views;

//! What a desk decides about a request, by whoever is of its team: what is missing (said once), yes or no, aid first and papers later, who
//! handles it, its beginning, its termination, and that an acceptance was wrong.
//!
//! Nothing is taken from an applicant without a row of `legal_decisions`, which has the reasons in writing and how to object; the database
//! lets no case become refused or terminated without the one that is about this very version of it.

pub mod acts;
pub mod api;
pub mod ending_api;
pub mod model;
pub mod reasons;
pub mod supplements;
pub mod views;

//! The desk: requests that go through a chain of bodies until somebody decides.
//!
//! A **review** is a request about a **subject**: a sign-up, a membership claim. Its **chain** comes from data
//! (`seeds/review-chains.toml`): steps at the applicant's unit, the sub-district, the district, or at departments that sign
//! together. Each body of a step is a **stage** with a clock of its own. What is decided is told to the subject in the same
//! transaction, through [`subject::Subject`].
//!
//! ```text
//!            ┌──return──▶ returned ──lapse──▶ lapsed
//!            │               │
//!            │◀──supplement──┤
//! open ──────┤               └──withdraw──▶ withdrawn
//!   │        ├──approve (last stage)──▶ approved
//!   │        └──reject──▶ rejected
//!   └──withdraw──▶ withdrawn
//! ```
//! What the applicant gave up, and what was ended because its subject is gone, is `withdrawn`. A rejection may be appealed against
//! once: the appeal is a review of its own, before the body above, and nobody who decided the one decides the other.
//!
//! Nobody decides about themselves, about kin, or (where the chain says so) about their colleagues; nobody decides twice about
//! one request. The unique keys of `review_stages` hold the last one against any code.

pub mod api;
pub mod chain;
pub mod clocks;
pub mod content;
pub mod cover;
pub mod cover_api;
pub mod deciding;
pub mod decision_api;
pub mod delegation_api;
pub mod erasing;
pub mod form;
pub mod jobs;
pub mod leave;
pub mod leave_api;
pub mod machine;
pub mod merging;
pub mod model;
pub mod own;
pub mod own_api;
pub mod papers;
pub mod queue;
pub mod rules;
pub mod sealing;
mod seats;
pub mod stages;
pub mod store;
pub mod subject;
pub mod talk;
pub mod talk_api;
pub mod views;

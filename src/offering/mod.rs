//! What a worker can sign up for: programme (a standing offer) → activity (something to sign up for) → session (one
//! dated meeting).
//!
//! ```text
//! activity:  draft ──publish──▶ published ──last session finalised──▶ finished
//! session:   planned ──finalise──▶ finalised
//! ```

pub mod api;
pub mod fair;
pub mod manage_api;
pub mod model;
pub mod rules;
pub mod store;
pub mod views;

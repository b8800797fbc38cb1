//! What a worker can sign up for: programme (a standing offer) → activity (something to sign up for) → session (one
//! dated meeting).
//!
//! ```text
//! activity:  draft ──publish──▶ published ──last session finalised──▶ finished
//! session:   planned ──finalise──▶ finalised
//! ```
//!
//! Every activity is made by [`making`]: from what an organiser writes ([`input`]), from a [`pattern`] (a copy or a template), or
//! from a sheet ([`imports`]). Its sessions book venues and trainers, which are in one place at a time ([`clash`]).

pub mod api;
pub mod clash;
pub mod imports;
pub mod input;
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

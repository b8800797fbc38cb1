//! Erasure (个人信息保护法 第四十七条): a person asks for it, or an officer does it for them, and nothing that is known of them is left but
//! what was counted and what the law keeps.
//!
//! ```text
//! (person) ──nothing is running──▶ erased ──a while later──▶ erased once more (what was under way meanwhile)
//!     └──something is: refused, and said what                └──each file that is kept: its last day is over──▶ erased
//! ```
//! Every room erases its own rows (`erasing.rs` of each); this one knows all of them ([`acts::wipe_in_tx`]). The row of the person stays, empty,
//! so that attendance, ledger lines and every figure stay as they were. What is kept is kept under a policy that names its source, with its last
//! day, and says so. What becomes of every column stands in `docs/ERASURE.md`, and a test compares it with the schema.

pub mod acts;
pub mod api;
pub mod jobs;
pub mod model;
pub mod rules;
pub mod store;

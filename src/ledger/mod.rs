//! The ledger: signed quantities that count for targets, and their sums.
//!
//! Lines are only ever appended; the database itself refuses to change or delete one. A correction is a reversing
//! line. A live line is unique per (target, dedup key): a key that was reversed may be counted again as the next
//! `generation`, and (target, key, generation, is_reversal) is a unique key, so no race counts twice.
//!
//! ```text
//! (none) ──post──▶ generation 0 live ──reverse──▶ reversed ──post──▶ generation 1 live ──▶ …
//! ```
//! Roll-ups per (target, organisation, month, grade) are kept in the same transaction, one upsert a key and sorted, so that
//! a dashboard costs the same however many people attended. [`past`] takes from them what became known later.
//!
//! A month may be closed. What would be written for it then, or taken back from it, is [`held`] instead: neither lost nor
//! counted until a restatement posts it. Whoever writes a line shares the row of its month, and whoever closes the month
//! holds that row alone: so nothing that was recorded before the close is committed after it.

pub mod held;
pub mod model;
pub mod past;
pub mod store;
pub mod verify;

//! Activities and sessions from a sheet (CSV or XLSX), all of them or none.
//!
//! ```text
//! bytes ──sheet──▶ cells ──columns──▶ facts by column ──drafts──▶ one draft an activity ──store──▶ verdicts of rows
//! ```
//!
//! One row is one session. Rows with one `row_key` are one activity; the first of them carries its facts, the others may
//! leave them blank. Nothing in a cell is evaluated: `=1+1` is a text of four signs, and what a formula of a workbook gives
//! is the value that was saved with it.
//!
//! A sheet may be sent again: what was imported under a row key is not imported twice, and a row key that comes with
//! other content is an error, because an import makes activities and never changes them.

pub mod api;
pub mod columns;
pub mod drafts;
pub mod sheet;
pub mod store;

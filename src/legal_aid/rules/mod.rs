//! Pure decisions about requests: codes of employers, terms and warnings, means, and what comes next.

pub mod code;
pub mod means;
pub mod next;
pub mod terms;
pub mod warnings;

//! HTTP as every room speaks it: problem documents, checked bodies and queries, cursors, conditional requests,
//! idempotency keys, rate limits, request ids.
//!
//! What a request may look like is said once, in the types that the OpenAPI document is made from; the
//! [`contract`] checks requests against that very document, so that the two cannot drift apart.

pub mod contract;
pub mod extract;
pub mod file;
pub mod idempotency;
pub mod json;
pub mod limits;
pub mod markup;
pub mod middleware;
pub mod page;
pub mod problem;
pub mod public;
pub mod reply;
pub mod routing;

pub use contract::Contract;
pub use extract::{ApiJson, ApiPath, ApiPaths, ApiQuery, Idempotent, IfMatch, Signed};
pub use file::{FileKind, IdempotentFile};
pub use page::{Cursors, Page, PageQuery};
pub use reply::{Reply, Stored};

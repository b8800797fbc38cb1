//! What knows nothing of unions: storage, cache, changes, vault, files, jobs, audit, HTTP, access,
//! WeChat.

pub mod access;
pub mod audit;
pub mod cache;
pub mod changes;
pub mod db;
pub mod files;
pub mod http;
pub mod outbox;
pub mod vault;
pub mod wechat;

use crate::clock::SharedClock;
use crate::ids::Ids;

/// What every room works with. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// The present.
    pub clock: SharedClock,
    /// New ids and secrets.
    pub ids: Ids,
    /// The database.
    pub db: db::Db,
    /// Memory or Redis; never the truth.
    pub cache: cache::Cache,
    /// Tells this instance and the others what has changed.
    pub changes: changes::Changes,
    /// Answers that are the same for everybody, kept for a moment.
    pub public: http::public::PublicAnswers,
    /// Encrypted fields.
    pub vault: vault::Vault,
    /// Acts under idempotency keys.
    pub idempotency: http::idempotency::Idempotency,
    /// Sealed list positions.
    pub cursors: http::Cursors,
    /// Who is asking, and what they may.
    pub access: access::Access,
    /// Wakes the job loop after a commit.
    pub jobs: outbox::Bell,
}

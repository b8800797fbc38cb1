//! What knows nothing of unions: storage, cache, vault, jobs, audit, HTTP, access, WeChat.

pub mod access;
pub mod audit;
pub mod cache;
pub mod db;
pub mod http;
pub mod outbox;
pub mod vault;

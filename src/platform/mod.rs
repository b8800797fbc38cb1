//! What knows nothing of unions: storage, cache, vault, jobs, audit, HTTP, access, WeChat.

pub mod cache;
pub mod wechat;

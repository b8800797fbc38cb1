//! The inbox: messages to a person, written by jobs that follow a commit.
//!
//! Delivery through WeChat needs a person's consent for each message; it will hang on the same jobs.

pub mod api;
pub mod beside;
pub mod erasing;
pub mod jobs;
pub mod merging;
pub mod model;
pub mod store;

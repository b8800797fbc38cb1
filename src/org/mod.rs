//! The union tree: district → department, sub-district, industry union, … → enterprise union; and stations.
//!
//! A node's `path` holds the codes of its ancestors and its own, so that a subtree is a prefix and a scope is a
//! `LIKE`. `street_id` is the sub-district that figures "by street" are attributed to; district-wide bodies have none.

pub mod api;
pub mod model;
pub mod rules;
pub mod store;

//! Valid requests for the operations on legal aid, each part's in a file of its own.

use super::cases::{Call, Stage};
use crate::harness::Actor;

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    if let Some(call) = super::legal_asking_cases::case(stage, operation, someone).await {
        return Some(call);
    }
    if let Some(call) = super::legal_hands_cases::case(stage, operation, someone).await {
        return Some(call);
    }
    if let Some(call) = super::legal_papers_cases::case(stage, operation, someone).await {
        return Some(call);
    }
    if let Some(call) = super::legal_secrecy_cases::case(stage, operation, someone).await {
        return Some(call);
    }
    super::content_cases::case(stage, operation, someone).await
}

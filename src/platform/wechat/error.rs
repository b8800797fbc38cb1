//! Why a call to WeChat failed. No variant carries a secret, a code, a token or a URL.

use super::errcode::{Meaning, WhoActs};

/// A failed call. `endpoint` is the path that was called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WechatError {
    /// WeChat answered, and refused.
    #[error("{endpoint}: errcode {errcode}: {}{}", .meaning.english(), shown_rid(.rid.as_deref()))]
    Api {
        /// What the code means here.
        meaning: Meaning,
        /// The code itself.
        errcode: i64,
        /// WeChat's id of the request, to be looked up in its console for seven days.
        rid: Option<String>,
        /// The path that was called.
        endpoint: &'static str,
    },
    /// No answer in time. The call may or may not have had its effect.
    #[error("{endpoint}: no answer in time")]
    Timeout {
        /// The path that was called.
        endpoint: &'static str,
    },
    /// No connection, a broken one, or a failing gateway.
    #[error("{endpoint}: not reachable: {reason}")]
    Unreachable {
        /// The path that was called.
        endpoint: &'static str,
        /// What the transport says.
        reason: String,
    },
    /// An answer that is not what WeChat documents.
    #[error("{endpoint}: unusable answer: {reason}")]
    Malformed {
        /// The path that was called.
        endpoint: &'static str,
        /// What is wrong with the answer.
        reason: &'static str,
    },
    /// The client cannot be set up.
    #[error("WeChat client: {reason}")]
    Setup {
        /// What is wrong with the configuration.
        reason: String,
    },
}

fn shown_rid(rid: Option<&str>) -> String {
    rid.map(|rid| format!(" (rid {rid})")).unwrap_or_default()
}

impl WechatError {
    /// What WeChat's code means, where WeChat answered with one.
    pub fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Api { meaning, .. } => Some(*meaning),
            _ => None,
        }
    }

    /// Whether the person at the telephone has to act: a stale code, a missing agreement.
    pub fn is_users_fault(&self) -> bool {
        self.meaning().is_some_and(|meaning| meaning.who_acts() == WhoActs::User)
    }

    /// Whether trying later may succeed without anybody changing anything. Where the call carried a
    /// single-use code, trying again takes a new code, because the old one may be spent.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Api { meaning, .. } => meaning.who_acts() == WhoActs::Nobody,
            Self::Timeout { .. } | Self::Unreachable { .. } => true,
            Self::Malformed { .. } | Self::Setup { .. } => false,
        }
    }

    /// A failure of the transport. The error's URL, which may hold the app secret, is dropped.
    pub(super) fn transport(endpoint: &'static str, error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout { endpoint };
        }
        Self::Unreachable { endpoint, reason: chain(&error.without_url()) }
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

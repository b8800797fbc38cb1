//! What a database error means for a client.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// What can be done about an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The server or file cannot be reached.
    Gone,
    /// No space, or not writable.
    Full,
    /// Somebody else holds a lock for too long; worth another try.
    Busy,
    /// A bug.
    Other,
}

pub(super) fn classify(error: &DieselError) -> Class {
    match error {
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        )
        | DieselError::BrokenTransactionManager => Class::Gone,
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Class::Busy,
        DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => Class::Full,
        // Diesel passes on no code of the engine for these: the message is all there is. PostgreSQL translates messages by
        // its lc_messages, which the README asks operators to leave at C; a translated one is an internal error (500).
        DieselError::DatabaseError(_, info) => {
            let text = info.message();
            let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
            if has(&[
                "disk is full",
                "No space left",
                "could not extend file",
                "readonly database",
                "disk I/O error",
            ]) {
                Class::Full
            } else if has(&[
                "database is locked",
                "deadlock detected",
                "canceling statement due to",
                "lock timeout",
            ]) {
                Class::Busy
            } else if has(&[
                "server closed the connection",
                "terminating connection",
                "connection to server",
                "could not receive data",
                "no connection to the server",
                "the database system is",
                "unable to open database file",
            ]) {
                Class::Gone
            } else {
                Class::Other
            }
        }
        _ => Class::Other,
    }
}

/// Whether `error` is the violation of a unique key.
///
/// SQLite names no constraint, so the caller says by the operation which key it can have been.
pub fn unique_violation(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

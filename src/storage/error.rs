//! What can go wrong with the database, sorted by what the caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A database failure. Its text is for the log only.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No connection in time, or it broke: nothing was done, or the same call may be repeated.
    #[error("the database can't be reached: {0}")]
    Unavailable(String),
    /// Another transaction got in the way (serialization failure, deadlock, busy, lock time-out): repeat.
    #[error("the transaction was in conflict with another one")]
    Conflict(#[source] DieselError),
    /// A row like it exists already.
    #[error("a unique constraint was violated")]
    Unique(#[source] DieselError),
    /// A stored row can't be read: written by another version, or damaged.
    #[error("the stored {0} can't be read")]
    Corrupt(&'static str),
    #[error("the database refused the statement")]
    Query(#[source] DieselError),
    #[error("the blocking task was cancelled")]
    Cancelled,
}

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Unique(error),
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Conflict(error),
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => {
                Self::Unavailable(info.message().to_owned())
            }
            DieselError::DatabaseError(_, info) if is_transient(info.message()) => Self::Conflict(error),
            DieselError::BrokenTransactionManager => {
                Self::Unavailable("the connection broke inside a transaction".to_owned())
            }
            _ => Self::Query(error),
        }
    }
}

impl StorageError {
    /// A row that was just there was taken away by somebody else: the transaction is run again.
    #[must_use]
    pub const fn vanished() -> Self {
        Self::Conflict(DieselError::NotFound)
    }

    /// For a write whose precondition was just checked: a racer was faster, so the transaction is run again to see it.
    #[must_use]
    pub fn repeatable(self) -> Self {
        match self {
            Self::Unique(error) => Self::Conflict(error),
            other => other,
        }
    }
}

/// Conflicts that diesel has no kind for, by the message of either database.
fn is_transient(message: &str) -> bool {
    ["database is locked", "database table is locked", "deadlock detected", "lock timeout", "could not serialize"]
        .iter()
        .any(|known| message.contains(known))
}

/// The failure as an error of [`StorageError::Corrupt`] when `value` is missing.
pub(crate) fn readable<T>(value: Option<T>, what: &'static str) -> Result<T, StorageError> {
    value.ok_or(StorageError::Corrupt(what))
}

//! What else has to be written in the transaction of a use case's effect, so that neither is ever there without the other: the answer kept
//! for repetitions of the call, the row of a job.

use std::sync::Arc;

use super::ServiceResult;
use crate::storage::Connection;

type Write<T> = dyn Fn(&mut Connection, &T) -> ServiceResult<()> + Send + Sync;

/// Written with the outcome `T`, in its transaction. May run more than once, since a transaction may be repeated.
pub struct Alongside<T>(Option<Arc<Write<T>>>);

impl<T> Clone for Alongside<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Alongside<T> {
    #[must_use]
    pub const fn nothing() -> Self {
        Self(None)
    }

    pub fn new(write: impl Fn(&mut Connection, &T) -> ServiceResult<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(write)))
    }

    /// Writes it; what it says undoes the outcome as well.
    pub(super) fn write(&self, conn: &mut Connection, outcome: &T) -> ServiceResult<()> {
        self.0.as_ref().map_or(Ok(()), |write| write(conn, outcome))
    }
}

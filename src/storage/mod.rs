//! The only code that knows SQL: a store that runs synchronous functions over a connection, and one file per table.
//!
//! Every transition is a conditional write whose row count is the verdict, and every statement carries the tenant.
//! Nothing slow (hashing, HTTP, rendering) happens inside [`Store::read`] or [`Store::write`].

pub mod accounts;
pub mod attempts;
pub mod audit;
pub mod backlog;
pub mod bulk;
pub mod checks;
pub(crate) mod connection;
pub mod deliveries;
pub mod diagnosis;
pub mod early_receipts;
pub mod error;
pub mod events;
pub mod fallbacks;
pub mod idempotency;
pub mod invitations;
pub mod lists;
pub mod migrations;
pub mod outbox;
pub mod receipts;
pub mod reminders;
pub mod retention;
mod rows;
mod schema;
pub mod settings;
pub mod templates;
pub mod transitions;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

pub use connection::Connection;
pub use error::StorageError;

use crate::clock::Clock;
use crate::metrics::Metrics;
use connection::{Opener, Session};

type Pool = r2d2::Pool<Opener>;

/// How often a write is repeated when another transaction got in its way.
const WRITE_TRIES: u32 = 4;

/// The database.
#[derive(Clone)]
pub struct Store {
    readers: Pool,
    writers: Pool,
    metrics: Arc<Metrics>,
}

impl Store {
    /// Opens the pools; connections are made when first needed, so a database that is down does not stop the start.
    ///
    /// # Errors
    /// Never for a URL that the configuration accepted.
    pub fn open(
        url: &str,
        pool_size: u32,
        checkout_timeout: Duration,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StorageError> {
        let opener = Opener::new(url, clock);
        let pool = |opener: Opener, size: u32| {
            r2d2::Pool::builder()
                .max_size(size)
                .min_idle(Some(0))
                .test_on_check_out(false)
                .connection_timeout(checkout_timeout)
                .error_handler(Box::new(LogConnectionErrors))
                .build(opener)
                .map_err(|error| StorageError::Unavailable(error.to_string()))
        };
        if opener.is_sqlite() {
            let writers = pool(opener.clone(), 1)?;
            return Ok(Self { readers: pool(opener.read_only(), pool_size)?, writers, metrics });
        }
        let shared = pool(opener, pool_size)?;
        Ok(Self { readers: shared.clone(), writers: shared, metrics })
    }

    /// Runs `work` on a connection for reading; repeated once when the connection turns out to be gone.
    ///
    /// # Errors
    /// What `work` says, or that no connection could be had.
    pub async fn read<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + AsStorageError + Send + 'static,
        F: FnMut(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        blocking(self.readers.clone(), move |pool| {
            let first = on_session(pool, &mut work);
            match &first {
                Err(error) if error.is_unavailable() => on_session(pool, &mut work),
                _ => first,
            }
        })
        .await
    }

    /// Runs `work` in one write transaction: all of it is stored, or nothing.
    ///
    /// `Err` rolls back; what must be remembered about a refusal is therefore an `Ok`. Repeated when another transaction
    /// got in the way, so `work` must have no effect but on the connection.
    ///
    /// # Errors
    /// What `work` says, or that the transaction could not be made.
    pub async fn write<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + AsStorageError + Send + 'static,
        F: FnMut(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let metrics = Arc::clone(&self.metrics);
        blocking(self.writers.clone(), move |pool| {
            let mut tries = 1;
            loop {
                let (result, begun) = on_write_session(pool, &metrics, &mut work);
                let repeat = match &result {
                    Err(error) => error.is_conflict() || (!begun && error.is_unavailable()),
                    Ok(_) => false,
                };
                if !repeat || tries >= WRITE_TRIES {
                    return result;
                }
                tries += 1;
            }
        })
        .await
    }

    /// Sees to it that what was deleted is not in the files any more either, where the database leaves it to us (SQLite's write-ahead
    /// log). Does nothing while somebody still reads in it; the next call does.
    ///
    /// # Errors
    /// [`StorageError`] when the database fails.
    pub async fn drop_remains(&self) -> Result<(), StorageError> {
        blocking(self.writers.clone(), |pool| checkout(pool)?.connection.truncate_log()).await
    }
}

/// Lets the store look into a use case's error type.
pub trait AsStorageError {
    fn as_storage_error(&self) -> Option<&StorageError>;

    fn is_conflict(&self) -> bool {
        matches!(self.as_storage_error(), Some(StorageError::Conflict(_)))
    }

    fn is_unavailable(&self) -> bool {
        matches!(self.as_storage_error(), Some(StorageError::Unavailable(_)))
    }
}

impl AsStorageError for StorageError {
    fn as_storage_error(&self) -> Option<&StorageError> {
        Some(self)
    }
}

async fn blocking<T, E, F>(pool: Pool, work: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StorageError> + Send + 'static,
    F: FnOnce(&Pool) -> Result<T, E> + Send + 'static,
{
    tokio::task::spawn_blocking(move || work(&pool)).await.unwrap_or_else(|_| Err(StorageError::Cancelled.into()))
}

fn checkout(pool: &Pool) -> Result<r2d2::PooledConnection<Opener>, StorageError> {
    pool.get().map_err(|error| StorageError::Unavailable(error.to_string()))
}

fn on_session<T, E>(pool: &Pool, work: &mut impl FnMut(&mut Connection) -> Result<T, E>) -> Result<T, E>
where
    E: From<StorageError> + AsStorageError,
{
    let mut session = checkout(pool)?;
    let result = work(&mut session.connection);
    note_breakage(&mut session, &result);
    result
}

/// The result, and whether the transaction had begun (a failure before that did nothing).
fn on_write_session<T, E>(
    pool: &Pool,
    metrics: &Metrics,
    work: &mut impl FnMut(&mut Connection) -> Result<T, E>,
) -> (Result<T, E>, bool)
where
    E: From<StorageError> + AsStorageError,
{
    let mut session = match checkout(pool) {
        Ok(session) => session,
        Err(error) => return (Err(error.into()), true),
    };
    if let Err(error) = session.connection.begin() {
        session.broken = true;
        return (Err(error.into()), false);
    }
    let mut result = work(&mut session.connection);
    if result.is_ok() {
        match session.connection.commit() {
            Ok(events) => events.into_iter().for_each(|event| metrics.happened(event)),
            Err(error) => result = Err(error.into()),
        }
    } else if session.connection.rollback().is_err() {
        session.broken = true;
    }
    note_breakage(&mut session, &result);
    (result, true)
}

fn note_breakage<T, E: AsStorageError>(session: &mut Session, result: &Result<T, E>) {
    session.broken |= matches!(result, Err(error) if error.is_unavailable());
}

/// r2d2 prints connection errors to standard error by default; ours go to the log.
#[derive(Debug)]
struct LogConnectionErrors;

impl r2d2::HandleError<diesel::ConnectionError> for LogConnectionErrors {
    fn handle_error(&self, error: diesel::ConnectionError) {
        tracing::warn!(error = %error, "a database connection could not be made");
    }
}

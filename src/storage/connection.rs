//! Connections: which database by the URL's scheme, how each is set up, how a write transaction begins.
//!
//! Nothing in here knows a table. SQLite gets many readers and one writer; PostgreSQL one pool for both.

use std::sync::Arc;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::r2d2::R2D2Connection;
use diesel::{Connection as _, ConnectionError, PgConnection, SqliteConnection};

use super::error::StorageError;
use crate::clock::Clock;

#[diesel::declare_sql_function]
extern "SQL" {
    /// The database's clock in milliseconds since 1970: `clock_timestamp()` on PostgreSQL, the service's clock on SQLite.
    fn inv_now() -> BigInt;
}

/// One connection, to either database.
///
/// Not diesel's `MultiConnection`: every statement here goes through [`on_backend!`], which also keeps diesel's cache of
/// prepared statements and gives full dialect (`RETURNING`, upserts, `SKIP LOCKED`).
pub struct Connection {
    pub(super) backend: Backend,
    /// Events written down in the transaction that is open, to be counted once it is committed.
    recorded: Vec<&'static str>,
}

pub(super) enum Backend {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// One diesel expression compiled for each concrete backend: for `RETURNING`, upserts, `SKIP LOCKED` and hot statements.
macro_rules! on_backend {
    ($conn:expr, |$c:ident| $body:expr) => {
        match &mut $conn.backend {
            $crate::storage::connection::Backend::Postgres($c) => $body,
            $crate::storage::connection::Backend::Sqlite($c) => $body,
        }
    };
}
pub(crate) use on_backend;

/// As [`on_backend!`], for statements put together piece by piece: `$Db` names the backend that they are boxed for.
macro_rules! on_boxed {
    ($conn:expr, |$c:ident, $Db:ident| $body:expr) => {
        match &mut $conn.backend {
            $crate::storage::connection::Backend::Postgres($c) => {
                type $Db = diesel::pg::Pg;
                $body
            }
            $crate::storage::connection::Backend::Sqlite($c) => {
                type $Db = diesel::sqlite::Sqlite;
                $body
            }
        }
    };
}
pub(crate) use on_boxed;

/// A pooled connection, and whether it has to be thrown away.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) broken: bool,
}

/// Opens connections for a pool.
#[derive(Clone)]
pub(crate) struct Opener {
    url: String,
    clock: Arc<dyn Clock>,
    read_only: bool,
}

impl Opener {
    pub(crate) fn new(url: &str, clock: Arc<dyn Clock>) -> Self {
        Self { url: url.to_owned(), clock, read_only: false }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// The same database, for statements that change nothing.
    pub(crate) fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    fn open(&self) -> Result<Connection, ConnectionError> {
        let backend = match sqlite_path(&self.url) {
            Some(path) => Backend::Sqlite(self.open_sqlite(path)?),
            None => Backend::Postgres(self.open_postgres()?),
        };
        Ok(Connection { backend, recorded: Vec::new() })
    }

    fn open_sqlite(&self, path: &str) -> Result<SqliteConnection, ConnectionError> {
        let mut connection = SqliteConnection::establish(path)?;
        let setup = |error| ConnectionError::CouldntSetupConfiguration(error);
        connection
            .batch_execute(
                "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;",
            )
            .map_err(setup)?;
        if self.read_only {
            connection.batch_execute("PRAGMA query_only = ON;").map_err(setup)?;
        }
        let clock = Arc::clone(&self.clock);
        inv_now_utils::register_nondeterministic_impl(&connection, move || clock.now().millis()).map_err(setup)?;
        Ok(connection)
    }

    fn open_postgres(&self) -> Result<PgConnection, ConnectionError> {
        let mut connection = PgConnection::establish(&self.url)?;
        connection
            .batch_execute(
                "SET lock_timeout = '1s'; SET statement_timeout = '3s'; SET idle_in_transaction_session_timeout = '10s';
                 SET client_min_messages = warning;",
            )
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }
}

/// The file of a `sqlite://` URL.
fn sqlite_path(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))
}

impl r2d2::ManageConnection for Opener {
    type Connection = Session;
    type Error = ConnectionError;

    fn connect(&self) -> Result<Session, ConnectionError> {
        Ok(Session { connection: self.open()?, broken: false })
    }

    fn is_valid(&self, _: &mut Session) -> Result<(), ConnectionError> {
        Ok(())
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.broken || on_backend!(&mut session.connection, |c| R2D2Connection::is_broken(c))
    }
}

impl Connection {
    /// Begins a write transaction; on SQLite it takes the write lock at once, so that no later statement can fail for it.
    pub(crate) fn begin(&mut self) -> Result<(), StorageError> {
        self.recorded.clear();
        match &mut self.backend {
            Backend::Postgres(pg) => AnsiTransactionManager::begin_transaction(pg)?,
            Backend::Sqlite(sqlite) => AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE")?,
        }
        Ok(())
    }

    /// Ends the transaction; gives back the events that were written down in it.
    pub(crate) fn commit(&mut self) -> Result<Vec<&'static str>, StorageError> {
        on_backend!(self, |c| AnsiTransactionManager::commit_transaction(c))?;
        Ok(std::mem::take(&mut self.recorded))
    }

    /// Has an event counted if and when the transaction is committed.
    pub(super) fn recorded(&mut self, event: &'static str) {
        self.recorded.push(event);
    }

    pub(crate) fn rollback(&mut self) -> Result<(), StorageError> {
        Ok(on_backend!(self, |c| AnsiTransactionManager::rollback_transaction(c))?)
    }

    /// Moves what the write-ahead log has into the database and empties it (SQLite).
    pub(crate) fn truncate_log(&mut self) -> Result<(), StorageError> {
        match &mut self.backend {
            Backend::Postgres(_) => Ok(()),
            Backend::Sqlite(sqlite) => Ok(sqlite.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?),
        }
    }

    /// The database's clock; on PostgreSQL a statement of its own, so that it is read after any wait for a lock.
    pub fn now(&mut self) -> Result<crate::domain::time::Timestamp, StorageError> {
        use diesel::RunQueryDsl as _;
        let millis: i64 = on_backend!(self, |c| diesel::select(inv_now()).get_result(c))?;
        Ok(crate::domain::time::Timestamp::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::sqlite_path;

    #[test]
    fn the_scheme_chooses_the_database() {
        assert_eq!(sqlite_path("sqlite://invited.db"), Some("invited.db"));
        assert_eq!(sqlite_path("sqlite:///var/lib/invited.db"), Some("/var/lib/invited.db"));
        assert_eq!(sqlite_path("postgres://localhost/invited"), None);
    }
}

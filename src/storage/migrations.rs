//! The embedded migrations of both databases.

use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{Backend, on_backend};
use super::{Connection, StorageError, Store};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

impl Store {
    /// Brings the schema up to date; returns the versions that were applied.
    ///
    /// Two starters may race: on SQLite the second waits, on PostgreSQL one fails on the migrations table's key and finds the
    /// work done when it is run again.
    ///
    /// # Errors
    /// That the database can't be reached or refused a migration (which is then rolled back).
    pub async fn migrate(&self) -> Result<Vec<String>, StorageError> {
        run(&self.writers, |connection| {
            let applied = match &mut connection.backend {
                Backend::Postgres(pg) => pg.run_pending_migrations(POSTGRES),
                Backend::Sqlite(sqlite) => sqlite.run_pending_migrations(SQLITE),
            };
            Ok(applied.map_err(|error| failed(&*error))?.iter().map(ToString::to_string).collect())
        })
        .await
    }

    /// Undoes the newest migration.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn revert_last_migration(&self) -> Result<(), StorageError> {
        run(&self.writers, |connection| {
            match &mut connection.backend {
                Backend::Postgres(pg) => pg.revert_last_migration(POSTGRES),
                Backend::Sqlite(sqlite) => sqlite.revert_last_migration(SQLITE),
            }
            .map_err(|error| failed(&*error))?;
            Ok(())
        })
        .await
    }

    /// Whether the schema is what this binary expects.
    ///
    /// # Errors
    /// That the database can't be reached.
    pub async fn is_migrated(&self) -> Result<bool, StorageError> {
        self.read(|connection| {
            let applied = on_backend!(connection, |c| c.applied_migrations()).map_err(|error| failed(&*error))?;
            let expected = match &mut connection.backend {
                Backend::Postgres(_) => count(&POSTGRES),
                Backend::Sqlite(_) => count(&SQLITE),
            };
            Ok::<_, StorageError>(applied.len() >= expected)
        })
        .await
    }
}

fn count(migrations: &EmbeddedMigrations) -> usize {
    use diesel::migration::MigrationSource;
    MigrationSource::<diesel::sqlite::Sqlite>::migrations(migrations).map_or(usize::MAX, |all| all.len())
}

fn failed(error: &(dyn std::error::Error + Send + Sync)) -> StorageError {
    StorageError::Unavailable(format!("migration: {error}"))
}

async fn run<T: Send + 'static>(
    pool: &super::Pool,
    work: impl FnOnce(&mut Connection) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    super::blocking(pool.clone(), move |pool| work(&mut super::checkout(pool)?.connection)).await
}

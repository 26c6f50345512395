use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};

/// The database under test: the empty one that `TEST_DATABASE_URL` names, else a file.
pub(crate) enum Database {
    Postgres(String),
    Sqlite(tempfile::TempDir),
}

impl Database {
    pub(crate) fn create() -> Self {
        #[expect(clippy::disallowed_methods, reason = "as the tests, told its database by the environment")]
        std::env::var("TEST_DATABASE_URL").map_or_else(|_| Self::Sqlite(tempfile::tempdir().unwrap()), Self::Postgres)
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Sqlite(_) => "SQLite",
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(url) => url.clone(),
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("invited.db").display()),
        }
    }

    pub(crate) fn postgres(&self) -> Option<PgConnection> {
        match self {
            Self::Postgres(url) => Some(PgConnection::establish(url).unwrap()),
            Self::Sqlite(_) => None,
        }
    }

    pub(crate) fn sqlite(&self) -> SqliteConnection {
        SqliteConnection::establish(self.url().trim_start_matches("sqlite://")).unwrap()
    }

    pub(crate) fn execute(&self, sql: &str) {
        match self.postgres() {
            Some(mut connection) => connection.batch_execute(sql).unwrap(),
            None => self.sqlite().batch_execute(sql).unwrap(),
        }
    }
}

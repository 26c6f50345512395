use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};

/// A database of a test's own: a schema of the server that `TEST_DATABASE_URL` names, else a file.
pub(crate) enum Database {
    Postgres { server: String, schema: String },
    Sqlite { folder: tempfile::TempDir },
}

impl Database {
    pub(crate) fn create() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the tests are told their database by the environment")]
        match std::env::var("TEST_DATABASE_URL") {
            Ok(server) => {
                let schema = format!("t_{}", unique());
                connect(&server).batch_execute(&format!("CREATE SCHEMA {schema}")).unwrap();
                Self::Postgres { server, schema }
            }
            Err(_) => Self::Sqlite { folder: tempfile::tempdir().unwrap() },
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres { server, schema } => {
                let separator = if server.contains('?') { '&' } else { '?' };
                format!("{server}{separator}options=-csearch_path%3D{schema}")
            }
            Self::Sqlite { folder } => format!("sqlite://{}", folder.path().join("invited.db").display()),
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Moves the clock that PostgreSQL judges by; SQLite asks the service's.
    pub(crate) fn set_clock_offset(&self, offset_ms: i64) {
        if self.is_postgres() {
            self.execute(&format!(
                "CREATE OR REPLACE FUNCTION inv_now() RETURNS BIGINT LANGUAGE sql VOLATILE AS
                 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + {offset_ms}'"
            ));
        }
    }

    /// Runs SQL behind the service's back.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Postgres { .. } => connect(&self.url()).batch_execute(sql).unwrap(),
            Self::Sqlite { .. } => {
                let mut connection = SqliteConnection::establish(self.url().trim_start_matches("sqlite://")).unwrap();
                connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
                connection.batch_execute(sql).unwrap();
            }
        }
    }

    /// As [`Database::execute`], when the database may refuse.
    pub(crate) fn try_execute(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::Postgres { .. } => connect(&self.url()).batch_execute(sql),
            Self::Sqlite { .. } => {
                SqliteConnection::establish(self.url().trim_start_matches("sqlite://")).unwrap().batch_execute(sql)
            }
        }
        .map_err(|error| error.to_string())
    }

    /// What a counting query says, behind the service's back.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        use diesel::RunQueryDsl as _;
        #[derive(diesel::QueryableByName)]
        struct Counted {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        let query = diesel::sql_query(sql);
        let counted: Counted = match self {
            Self::Postgres { .. } => query.get_result(&mut connect(&self.url())).unwrap(),
            Self::Sqlite { .. } => query
                .get_result(&mut SqliteConnection::establish(self.url().trim_start_matches("sqlite://")).unwrap())
                .unwrap(),
        };
        counted.count
    }

    /// The column `text` of a query's rows, behind the service's back.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        use diesel::RunQueryDsl as _;
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        let query = diesel::sql_query(sql);
        let lines: Vec<Line> = match self {
            Self::Postgres { .. } => query.load(&mut connect(&self.url())).unwrap(),
            Self::Sqlite { .. } => query
                .load(&mut SqliteConnection::establish(self.url().trim_start_matches("sqlite://")).unwrap())
                .unwrap(),
        };
        lines.into_iter().map(|line| line.text).collect()
    }

    /// Every byte that the database keeps in files of its own (SQLite), to look for secrets in.
    pub(crate) fn raw_bytes(&self) -> Vec<u8> {
        match self {
            Self::Postgres { .. } => Vec::new(),
            Self::Sqlite { folder } => std::fs::read_dir(folder.path())
                .unwrap()
                .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .collect(),
        }
    }
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap()
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, schema } = self
            && let Ok(mut connection) = PgConnection::establish(server)
        {
            connection.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).ok();
        }
    }
}

/// Hex digits that no other test has.
pub(crate) fn unique() -> String {
    format!("{:016x}", u64::from_be_bytes(invited::entropy::bytes()))
}

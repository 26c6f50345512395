//! The migrations of both databases make exactly the tables of `src/storage/schema.rs`, and can be undone.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[expect(dead_code, reason = "the tests of the API use the rest")]
#[path = "api/support/database.rs"]
mod database;

use std::sync::Arc;
use std::time::Duration;

use database::Database;
use invited::clock::SystemClock;
use invited::storage::Store;

const SCHEMA: &str = include_str!("../src/storage/schema.rs");

/// A column as `schema.rs` has it.
struct Column {
    name: &'static str,
    /// `Text`, `BigInt` or `Binary`.
    kind: &'static str,
    nullable: bool,
}

/// The tables of `schema.rs`.
fn tables() -> Vec<(&'static str, Vec<Column>)> {
    let tables = SCHEMA.split("diesel::table! {").skip(1);
    tables
        .map(|table| {
            let (name, rest) = table.trim_start().split_once(' ').unwrap();
            let (columns, _) = rest.split_once('{').unwrap().1.split_once('}').unwrap();
            let columns = columns.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" -> "));
            (name, columns.map(|(name, kind)| column(name, kind)).collect())
        })
        .collect()
}

fn column(name: &'static str, kind: &'static str) -> Column {
    match kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>')) {
        Some(kind) => Column { name, kind, nullable: true },
        None => Column { name, kind, nullable: false },
    }
}

/// How many tables there are, and functions of ours, besides the book-keeping of the migrations.
fn things(database: &Database) -> i64 {
    database.count(if database.is_postgres() {
        "SELECT (SELECT count(*) FROM information_schema.tables
                 WHERE table_schema = current_schema() AND table_name NOT LIKE '%diesel%')
              + (SELECT count(*) FROM information_schema.routines WHERE routine_schema = current_schema()) AS count"
    } else {
        "SELECT count(*) AS count FROM sqlite_schema WHERE name NOT LIKE '%diesel%' AND type = 'table'"
    })
}

fn assert_has(database: &Database, table: &str, column: &Column) {
    let Column { name, kind, nullable } = column;
    database.count(&format!("SELECT count({name}) AS count FROM {table}"));
    let described = if database.is_postgres() {
        let (kind, nullable) = (kind_on_postgres(kind), if *nullable { "YES" } else { "NO" });
        format!(
            "SELECT count(*) AS count FROM information_schema.columns WHERE table_schema = current_schema()
             AND table_name = '{table}' AND column_name = '{name}' AND data_type = '{kind}' AND is_nullable = '{nullable}'"
        )
    } else {
        let (kind, is_required) = (kind_on_sqlite(kind), i32::from(!nullable));
        format!(
            "SELECT count(*) AS count FROM pragma_table_info('{table}')
             WHERE name = '{name}' AND type = '{kind}' AND \"notnull\" = {is_required}"
        )
    };
    assert_eq!(database.count(&described), 1, "{table}.{name} is not {kind}, nullable: {nullable}");
}

fn kind_on_postgres(kind: &str) -> &'static str {
    match kind {
        "Text" => "text",
        "BigInt" => "bigint",
        "Binary" => "bytea",
        _ => "not a portable type",
    }
}

fn kind_on_sqlite(kind: &str) -> &'static str {
    match kind {
        "Text" => "TEXT",
        "BigInt" => "BIGINT",
        "Binary" => "BLOB",
        _ => "not a portable type",
    }
}

fn assert_is_the_schema(database: &Database) {
    let tables = tables();
    for (table, columns) in &tables {
        for column in columns {
            assert_has(database, table, column);
        }
        let all = if database.is_postgres() {
            format!(
                "SELECT count(*) AS count FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            )
        } else {
            format!("SELECT count(*) AS count FROM pragma_table_info('{table}')")
        };
        let expected = i64::try_from(columns.len()).unwrap();
        assert_eq!(database.count(&all), expected, "{table} has columns that schema.rs does not name");
    }
    let functions = if database.is_postgres() { 2 } else { 0 };
    assert_eq!(things(database), i64::try_from(tables.len()).unwrap() + functions);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_make_the_schema_undo_it_and_make_it_again() {
    assert!(tables().len() >= 8);
    let database = Database::create();
    let store = Store::open(&database.url(), 2, Duration::from_secs(5), Arc::new(SystemClock), Arc::default()).unwrap();
    for _ in 0..2 {
        let applied = store.migrate().await.unwrap();
        assert!(!applied.is_empty());
        assert!(store.is_migrated().await.unwrap());
        assert_is_the_schema(&database);
        assert!(store.migrate().await.unwrap().is_empty(), "a second run has nothing to do");
        for _ in &applied {
            assert!(store.is_migrated().await.unwrap() || applied.len() > 1);
            store.revert_last_migration().await.unwrap();
        }
        assert!(!store.is_migrated().await.unwrap());
        assert_eq!(things(&database), 0, "something is left behind");
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let folders = |database: &str| {
        let path = format!("{}/migrations/{database}", env!("CARGO_MANIFEST_DIR"));
        let entries = std::fs::read_dir(path).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(folders("sqlite"), folders("postgres"));
}

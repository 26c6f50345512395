//! The migrations of both databases: up, every column there, down, and up again.

#![expect(clippy::unwrap_used, reason = "a test ends where it can't go on")]

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use invited::clock::SystemClock;
use invited::domain::ids::{AccountKey, InvitationId, Realm, TenantId, Username};
use invited::storage::{StorageError, Store, accounts, audit, invitations, outbox, settings};

async fn up_down_up(url: &str) {
    let store = Store::open(url, 2, Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
    assert_eq!(store.migrate().await.unwrap().len(), 1);
    assert!(store.migrate().await.unwrap().is_empty(), "nothing is applied twice");
    assert!(store.is_migrated().await.unwrap());
    every_column_can_be_read(&store).await;
    store.revert_last_migration().await.unwrap();
    assert!(!store.is_migrated().await.unwrap());
    assert!(store.read(outbox::count_unsettled).await.is_err(), "the tables are gone");
    assert_eq!(store.migrate().await.unwrap().len(), 1);
    every_column_can_be_read(&store).await;
}

/// Each of these selects all columns of its table.
async fn every_column_can_be_read(store: &Store) {
    let read = store.read(|conn| {
        let tenant = TenantId::default_tenant();
        let key = AccountKey::new(&Realm::primary(), &Username::parse("alex").map_err(|_| StorageError::Cancelled)?);
        let id = InvitationId::from_bytes([0; 16]);
        assert!(invitations::find(conn, &tenant, id)?.is_none());
        assert!(accounts::find(conn, &tenant, &key)?.is_none());
        assert!(settings::find(conn, &tenant)?.is_none());
        assert!(outbox::find_message(conn, &tenant, id, 1)?.is_none());
        assert!(audit::of_invitation(conn, &tenant, id)?.is_empty());
        Ok::<_, StorageError>(())
    });
    read.await.unwrap();
    assert!(store.write(|conn| outbox::claim(conn, 1)).await.unwrap().is_empty());
}

#[tokio::test]
async fn sqlite_goes_up_and_down() {
    let folder = tempfile::tempdir().unwrap();
    up_down_up(&format!("sqlite://{}", folder.path().join("invited.db").display())).await;
}

#[tokio::test]
async fn postgresql_goes_up_and_down() {
    #[expect(clippy::disallowed_methods, reason = "the tests are told their database by the environment")]
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
        println!("skipped: TEST_DATABASE_URL is not set");
        return;
    };
    let schema = format!("m_{:016x}", u64::from_be_bytes(invited::entropy::bytes()));
    let run = |sql: &str| PgConnection::establish(&server).unwrap().batch_execute(sql).unwrap();
    run(&format!("CREATE SCHEMA {schema}"));
    let separator = if server.contains('?') { '&' } else { '?' };
    up_down_up(&format!("{server}{separator}options=-csearch_path%3D{schema}")).await;
    run(&format!("DROP SCHEMA {schema} CASCADE"));
}

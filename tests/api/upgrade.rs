//! A schema that was brought back to its first version and up again: what was stored before is still good.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_survives_the_migrations_down_and_up() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let store = app.store();
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap().count();
    for _ in 1..migrations {
        store.revert_last_migration().await.unwrap();
    }
    assert_eq!(store.migrate().await.unwrap().len(), migrations - 1);
    let account = app.account(&user).await;
    assert_eq!((&account["invitationId"], &account["state"]), (&issued["id"], &json!("PENDING_AP")));
    assert!(app.events(&issued["id"]).await.contains(&"invitation.issued".to_owned()));
    let linked = "SELECT count(*) AS count FROM audit_event e JOIN account a ON a.id = e.account_id JOIN invitation i ON i.account_id = a.id";
    assert!(app.database.count(linked) > 0);
    app.accept(&token).await;
    app.work().await;
    app.finish().await;
}

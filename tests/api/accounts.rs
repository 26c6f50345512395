//! Locks: first the lock, then the message; and what an administrator says goes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, TestApp, User};

async fn administer(app: &TestApp, user: &User, what: &str) -> Reply {
    app.post(&format!("/v1/accounts/PRIMARY/{}/{what}", user.username), json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_the_lock_is_not_confirmed() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for fault in [Fault::Status(503), Fault::Status(429)] {
        app.directory.break_next("PATCH", fault);
    }
    let issued = app.issue(&user, json!({"user": user.known(), "delivery": "send"})).await;
    for _ in 0..2 {
        assert!(app.gateway.received("email").await.is_empty());
        let waiting = app.invitation(&issued["id"]).await;
        assert_eq!((&waiting["status"], &waiting["account"]["directory"]), (&json!("provisioning"), &json!("pending")));
        app.advance(Duration::from_mins(1));
        app.work().await;
    }
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    assert_eq!(app.gateway.received("email").await.len(), 1);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    app.accept(&app.gateway.last_token().await).await;
    assert_eq!(
        app.directory.user("PRIMARY", &user.id).await["active"],
        true,
        "a lock found after a lost answer is known to be ours"
    );
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_callers_hands_waits_for_the_lock_too() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"delivery": "return"})).await.ok(201);
    let token = issued["secret"]["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned();
    let early = app.redeem_token(&token).await;
    assert!(early.header("retry-after").parse::<u64>().is_ok());
    early.problem(409, "invitation_not_ready");
    app.work().await;
    app.accept(&token).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_whose_person_is_not_there_fails_and_is_not_sent() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.delete("PRIMARY", &user.id).await;
    let issued = app.issue(&user, json!({"user": user.known()})).await;
    let failed = app.invitation(&issued["id"]).await;
    assert_eq!((&failed["status"], &failed["failure"]), (&json!("failed"), &json!("user_gone")));
    assert_eq!(failed["account"]["directory"], "failed");
    assert!(app.gateway.received("email").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_down_when_it_is_needed_stops_the_issue() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.break_next("GET", Fault::Status(500));
    app.try_issue(&user, json!({})).await.problem(503, "directory_unavailable");
    app.get(&format!("/v1/accounts/PRIMARY/{}", user.username)).await.problem(404, "account_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_lock_outlives_the_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    let locked = administer(&app, &user, "lock").await.ok(200);
    assert_eq!(
        (&locked["lockReason"], &locked["directory"], &locked["invitationId"]),
        (&json!("ADMIN_INITIATED"), &json!("pending"), &issued["id"])
    );
    app.set_password(grant, PASSWORD).await.problem(403, "account_disabled");
    app.work().await;
    app.set_password(grant, PASSWORD).await.problem(403, "account_disabled");
    assert_eq!(app.account(&user).await["directory"], "synced");

    let unlocked = administer(&app, &user, "unlock").await.ok(200);
    assert_eq!((&unlocked["locked"], &unlocked["lockReason"]), (&json!(false), &Value::Null));
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.set_password(grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_nobody_was_invited_for_can_be_locked_and_unlocked() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.get(&format!("/v1/accounts/PRIMARY/{}", user.username)).await.problem(404, "account_not_found");
    administer(&app, &user, "lock").await.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    assert_eq!(app.account(&user).await["state"], "LOCKED");
    administer(&app, &user, "unlock").await.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    assert_eq!(app.account(&user).await["state"], "UNLOCKED");
    app.post("/v1/accounts/PRIMARY/nobody/lock", json!({})).await.problem(404, "account_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_changes_its_mind_ends_as_last_said() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for what in ["lock", "unlock", "lock", "unlock", "lock"] {
        administer(&app, &user, what).await.ok(200);
    }
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    assert_eq!(app.account(&user).await["directory"], "synced");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn realms_are_stores_of_their_own() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let namesake = json!({"userName": user.username, "emails": [{"value": "second@example.com"}]});
    let id = app.directory.create("SECONDARY", namesake).await;
    let body = json!({"user": {"username": user.username, "realm": "SECONDARY"}});
    let issued = app.post("/v1/invitations", body).await.ok(201);
    assert_eq!(issued["user"]["realm"], "SECONDARY");
    app.work().await;
    assert_eq!(app.gateway.last("email").await["to"], "second@example.com");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert!(app.directory.patches().iter().all(|patch| patch.path == format!("/SECONDARY/v2/Users/{id}")));
    app.finish().await;
}

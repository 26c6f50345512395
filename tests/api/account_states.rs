//! The states of an account in the original's words: a password stays awaited until one is set, whatever becomes of the invitation.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{TestApp, User};

/// The state, and why the account is locked.
async fn state(app: &TestApp, user: &User) -> (Value, Value) {
    let account = app.account(user).await;
    assert_eq!(account["locked"], !account["lockReason"].is_null(), "{account}");
    (account["state"].clone(), account["lockReason"].clone())
}

async fn revoke(app: &TestApp, issued: &Value, body: Value) {
    app.post(&format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap()), body).await.ok(200);
    app.work().await;
}

async fn administer(app: &TestApp, user: &User, what: &str) {
    app.post(&format!("/v1/accounts/PRIMARY/{}/{what}", user.username), json!({})).await.ok(200);
    app.work().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_stays_awaited_when_the_invitation_expires() {
    let app = TestApp::spawn().await;
    for (purpose, awaited, reason) in [
        ("onboarding", "PENDING_AP", "PENDING_ASK_PASSWORD"),
        ("password_reset", "PENDING_FUPR", "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET"),
    ] {
        for locks in [true, false] {
            let user = app.user().await;
            let reason = if locks { json!(reason) } else { Value::Null };
            let wishes = json!({"purpose": purpose, "lockAccount": locks, "expiresInMinutes": 5});
            let issued = app.issue(&user, wishes).await;
            assert_eq!(state(&app, &user).await, (json!(awaited), reason.clone()));
            app.advance(Duration::from_mins(6));
            assert_eq!(app.account(&user).await["invitationId"], Value::Null);
            assert_eq!(state(&app, &user).await, (json!(awaited), reason.clone()), "by the clock");
            app.work().await;
            assert_eq!(state(&app, &user).await, (json!(awaited), reason.clone()), "and when it was written down");

            let resend = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
            app.post(&resend, json!({})).await.ok(200);
            app.work().await;
            app.accept(&app.gateway.last_token().await).await;
            assert_eq!(state(&app, &user).await, (json!("UNLOCKED"), Value::Null));
            app.work().await;
            assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_over_at_once_awaits_a_password_too() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"expiresInMinutes": 0, "lockAccount": false})).await;
    assert_eq!(state(&app, &user).await, (json!("PENDING_AP"), Value::Null));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_invited_still_has_no_password_when_the_invitation_is_revoked_or_the_lock_lifted() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    revoke(&app, &issued, json!({})).await;
    assert_eq!(state(&app, &user).await, (json!("PENDING_AP"), json!("PENDING_ASK_PASSWORD")));
    administer(&app, &user, "unlock").await;
    assert_eq!(state(&app, &user).await, (json!("PENDING_AP"), Value::Null));
    administer(&app, &user, "lock").await;
    assert_eq!(state(&app, &user).await, (json!("PENDING_AP"), json!("ADMIN_INITIATED")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_is_withdrawn_is_over_once_nothing_holds_the_account() {
    let app = TestApp::spawn().await;
    for (locks, unlock, left) in [
        (true, false, ("PENDING_FUPR", json!("PENDING_ADMIN_FORCED_USER_PASSWORD_RESET"))),
        (true, true, ("UNLOCKED", Value::Null)),
        (false, false, ("UNLOCKED", Value::Null)),
    ] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"purpose": "password_reset", "lockAccount": locks})).await;
        revoke(&app, &issued, json!({"unlock": unlock})).await;
        assert_eq!(state(&app, &user).await, (json!(left.0), left.1));
        administer(&app, &user, "unlock").await;
        assert_eq!(state(&app, &user).await, (json!("UNLOCKED"), Value::Null));
    }
    let user = app.user().await;
    app.issue(&user, json!({"purpose": "password_reset"})).await;
    administer(&app, &user, "unlock").await;
    assert_eq!(state(&app, &user).await, (json!("PENDING_FUPR"), Value::Null), "it is still asked for");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_invitation_says_what_is_awaited() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"purpose": "password_reset"})).await;
    app.issue(&user, json!({"purpose": "onboarding", "ifExists": "replace"})).await;
    assert_eq!(state(&app, &user).await, (json!("PENDING_AP"), json!("PENDING_ASK_PASSWORD")));
    app.issue(&user, json!({"purpose": "password_reset", "ifExists": "replace"})).await;
    let reset = (json!("PENDING_FUPR"), json!("PENDING_ADMIN_FORCED_USER_PASSWORD_RESET"));
    assert_eq!(state(&app, &user).await, reset);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_lock_shows_once_the_password_is_set() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    administer(&app, &user, "lock").await;
    assert_eq!(state(&app, &user).await, (json!("LOCKED"), json!("ADMIN_INITIATED")));
    administer(&app, &user, "unlock").await;
    assert_eq!(state(&app, &user).await, (json!("UNLOCKED"), Value::Null));
    app.finish().await;
}

//! `ifExists: "replace"`: the old invitation is revoked, its messages die, and the account's lock and budget carry over.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::directory::Fault;
use crate::support::{TestApp, User};

const REPLACE: &str = "replace";

async fn replace(app: &TestApp, user: &User, fields: Value) -> Value {
    let mut fields = fields;
    fields["ifExists"] = json!(REPLACE);
    app.issue(user, fields).await
}

fn locks(app: &TestApp) -> Vec<Value> {
    app.directory.patches().iter().filter_map(|patch| patch.replaced("active").cloned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_is_revoked_and_the_lock_carries_over() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let old = app.issue(&user, json!({})).await;
    let link = app.gateway.last_token().await;
    let new = replace(&app, &user, json!({"method": "email_otp"})).await;
    let revoked = app.invitation(&old["id"]).await;
    assert_eq!((&revoked["status"], &revoked["revokeReason"]), (&json!("revoked"), &json!("replaced")));
    assert_eq!(app.events(&old["id"]).await.last().unwrap(), "invitation.revoked");
    assert_eq!(new["status"], "pending", "the lock is there already");
    assert_eq!(locks(&app), [json!(false)], "locked once, never unlocked in between");
    app.redeem_token(&link).await.problem(410, "invitation_revoked");
    app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_old_one_still_had_to_send_is_wiped() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let send_at = "2026-01-01T00:00:00Z";
    app.issue(&user, json!({"lockAccount": false, "sendAt": send_at})).await;
    let soon = {
        use invited::clock::Clock as _;
        app.clock.now().after(Duration::from_hours(1)).to_rfc3339()
    };
    let first = replace(&app, &user, json!({"sendAt": soon})).await;
    replace(&app, &user, json!({})).await;
    assert_eq!(app.invitation(&first["id"]).await["delivery"]["status"], "skipped");
    app.advance(Duration::from_hours(2));
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 2, "the scheduled one was never sent");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_still_waits_for_its_lock_is_replaced_as_well() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.break_next("PATCH", Fault::Status(500));
    let old = app.issue(&user, json!({})).await;
    assert_eq!(app.invitation(&old["id"]).await["status"], "provisioning");
    let new = app.try_issue(&user, json!({"ifExists": REPLACE})).await.ok(201);
    assert_eq!(new["status"], "provisioning");
    app.advance(Duration::from_mins(1));
    app.work().await;
    assert_eq!(app.invitation(&new["id"]).await["status"], "pending");
    assert_eq!(app.invitation(&old["id"]).await["status"], "revoked");
    assert_eq!(app.gateway.received("email").await.len(), 1);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    app.accept(&app.gateway.last_token().await).await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_being_accepted_is_not_replaced() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let old = app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.directory.break_next("PATCH", Fault::Status(500));
    let grant = redeemed["grant"].as_str().unwrap();
    app.set_password(grant, crate::support::PASSWORD).await.problem(503, "directory_unavailable");
    assert_eq!(app.invitation(&old["id"]).await["status"], "accepting");
    let refused = app.try_issue(&user, json!({"ifExists": REPLACE})).await;
    assert!(!refused.header("retry-after").is_empty());
    refused.problem(409, "accept_in_progress");
    app.advance(Duration::from_mins(1));
    app.set_password(grant, crate::support::PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_budget_of_wrong_codes_is_kept() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "email_otp"})).await;
    for _ in 0..5 {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    }
    for round in 2..=4 {
        replace(&app, &user, json!({"method": "email_otp"})).await;
        for _ in 0..5 {
            app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
        }
        assert_eq!(app.account(&user).await["otpFailures"], round * 5);
    }
    replace(&app, &user, json!({"method": "email_otp"})).await;
    app.redeem_code(&user, &app.gateway.last_code("email").await).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_replace_at_once_one_is_live() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let replies =
        join_all((0..12).map(|_| app.try_issue(&user, json!({"user": user.known(), "ifExists": REPLACE})))).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    app.work().await;
    let live = "SELECT count(*) AS count FROM invitation WHERE status IN ('provisioning', 'pending', 'accepting')";
    assert_eq!(app.database.count(live), 1);
    let replaced = "SELECT count(*) AS count FROM invitation WHERE status = 'revoked' AND revoke_reason = 'replaced'";
    assert_eq!(app.database.count(replaced), 12);
    assert_eq!(app.gateway.received("email").await.len(), 2, "the first, and the last");
    assert_eq!(locks(&app), [json!(false)]);
    app.finish().await;
}

//! Tolerance: for a while after a resend the last secret is still good, under the budget of the new one.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use invited::domain::ids::{InvitationId, TenantId};
use invited::storage::{attempts, invitations};

use crate::support::{PASSWORD, Settings, TestApp, User};

const TOLERANT: &str = "resend = { tolerance_minutes = 10 }";

async fn tolerant() -> TestApp {
    TestApp::with(Settings { defaults: TOLERANT, ..Settings::default() }).await
}

/// Resends after the cool-down, and has it sent.
async fn resend(app: &TestApp, id: &Value, body: Value) -> Value {
    app.advance(Duration::from_mins(1));
    let resent = app.post(&format!("/v1/invitations/{}/resend", id.as_str().unwrap()), body).await.ok(200);
    app.work().await;
    resent
}

async fn coded(app: &TestApp, fields: Value) -> (User, Value, String) {
    let user = app.user().await;
    let issued = app.issue(&user, fields).await;
    (user, issued["id"].clone(), app.gateway.last_code("email").await)
}

async fn way_two(app: &TestApp, user: &User, code: &str) -> Value {
    app.post("/v1/otp-logins", json!({"username": user.username, "otp": code})).await.ok(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_link_opens_the_invitation_until_the_tolerance_ends() {
    let app = tolerant().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let first = app.gateway.last_token().await;
    let grant = app.redeem_token(&first).await.ok(200)["grant"].as_str().unwrap().to_owned();
    resend(&app, &issued["id"], json!({})).await;
    let second = app.gateway.last_token().await;
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    app.redeem_token(&first).await.ok(200);
    app.redeem_token(&second).await.ok(200);

    resend(&app, &issued["id"], json!({})).await;
    app.redeem_token(&first).await.problem(410, "invitation_superseded");
    app.redeem_token(&second).await.ok(200);
    app.advance(Duration::from_mins(10));
    app.redeem_token(&second).await.problem(410, "invitation_superseded");
    app.accept(&app.gateway.last_token().await).await;
    app.redeem_token(&second).await.problem(410, "invitation_superseded");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_can_be_set_with_the_last_link_and_both_are_over() {
    let app = tolerant().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let first = app.gateway.last_token().await;
    resend(&app, &issued["id"], json!({})).await;
    app.accept(&first).await;
    app.redeem_token(&app.gateway.last_token().await).await.problem(410, "invitation_accepted");
    app.redeem_token(&first).await.problem(410, "invitation_superseded");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn either_code_uses_up_both() {
    let app = tolerant().await;
    for old_first in [true, false] {
        let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
        resend(&app, &id, json!({})).await;
        let new = app.gateway.last_code("email").await;
        let (first, second) = if old_first { (&old, &new) } else { (&new, &old) };
        let grant = app.redeem_code(&user, first).await.ok(200)["grant"].as_str().unwrap().to_owned();
        app.redeem_code(&user, second).await.problem(400, "invalid_or_expired");
        app.redeem_code(&user, first).await.problem(400, "invalid_or_expired");
        for code in [&old, &new] {
            let refused = app.set_password(&grant, code).await.problem(422, "password_rejected");
            assert!(refused["reasons"].to_string().contains("equals_code"), "{refused}");
        }
        app.set_password(&grant, PASSWORD).await.ok(200);
        app.work().await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_codes_share_one_budget() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    resend(&app, &id, json!({})).await;
    for left in [4, 3, 2, 1, 0] {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
        assert_eq!(app.invitation(&id).await["attemptsRemaining"], left);
    }
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    assert_eq!(app.account(&user).await["otpFailures"], 5);
    resend(&app, &id, json!({})).await;
    app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_guessed_at_too_often_does_not_come_back_with_a_resend() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    for _ in 0..5 {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    }
    resend(&app, &id, json!({})).await;
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_code_lives_neither_longer_than_the_tolerance_nor_than_itself() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    resend(&app, &id, json!({})).await;
    app.advance(Duration::from_mins(10));
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");

    let (user, id, old) = coded(&app, json!({"method": "email_otp", "expiresInMinutes": 3})).await;
    resend(&app, &id, json!({"expiresInMinutes": 60})).await;
    app.advance(Duration::from_mins(2));
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200);

    let (user, id, old) = coded(&app, json!({"method": "email_otp", "expiresInMinutes": 3})).await;
    app.advance(Duration::from_mins(3));
    resend(&app, &id, json!({})).await;
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_method_leaves_the_last_code_good_by_both_ways() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    resend(&app, &id, json!({"method": "sms_otp"})).await;
    assert_eq!(way_two(&app, &user, &old).await["outcome"], "password_setup_required");
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.problem(400, "invalid_or_expired");

    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    resend(&app, &id, json!({"method": "email_link"})).await;
    assert_eq!(app.invitation(&id).await["attemptsRemaining"], Value::Null);
    assert_eq!(way_two(&app, &user, "wrong2").await["outcome"], "rejected");
    app.redeem_code(&user, &old).await.ok(200);
    assert_eq!(way_two(&app, &user, &old).await["outcome"], "not_applicable");
    app.accept(&app.gateway.last_token().await).await;

    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let link = app.gateway.last_token().await;
    resend(&app, &issued["id"], json!({"method": "sms_otp"})).await;
    app.redeem_token(&link).await.ok(200);
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    app.redeem_token(&link).await.problem(410, "invitation_superseded");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_after_a_code_buys_no_more_guesses_at_it() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    for _ in 0..3 {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    }
    resend(&app, &id, json!({"method": "email_link"})).await;
    for _ in 0..2 {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    }
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    assert_eq!(app.account(&user).await["otpFailures"], 5);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_codes_are_both_checked() {
    let defaults = "resend = { tolerance_minutes = 10 }\notp = { hashing = \"argon2id\" }";
    let app = TestApp::with(Settings { defaults, ..Settings::default() }).await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp", "expiresInMinutes": -1})).await;
    resend(&app, &id, json!({"expiresInMinutes": -1})).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    app.redeem_code(&user, &old).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racers_with_both_codes_one_wins() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    resend(&app, &id, json!({})).await;
    let new = app.gateway.last_code("email").await;
    let replies = join_all((0..16).map(|racer| app.redeem_code(&user, if racer % 2 == 0 { &old } else { &new }))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 400)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_ends_both_and_without_tolerance_there_is_one() {
    let app = tolerant().await;
    let (user, id, old) = coded(&app, json!({"method": "email_otp"})).await;
    resend(&app, &id, json!({})).await;
    app.post(&format!("/v1/invitations/{}/revoke", id.as_str().unwrap()), json!({})).await.ok(200);
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    let kept = "SELECT count(*) AS count FROM invitation WHERE grace_verifier IS NOT NULL OR verifier IS NOT NULL";
    assert_eq!(app.database.count(kept), 0);
    app.finish().await;

    let strict = TestApp::spawn().await;
    let (user, id, old) = coded(&strict, json!({"method": "email_otp"})).await;
    resend(&strict, &id, json!({})).await;
    strict.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    strict.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_message_of_the_old_generation_dies_all_the_same() {
    let app = tolerant().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({})).await.ok(201);
    resend(&app, &issued["id"], json!({})).await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_codes_attempt_is_given_back_also_when_a_resend_as_a_link_overtakes_it() {
    let app = tolerant().await;
    for (method, left) in [("email_link", 5), ("sms_otp", 5)] {
        let (_, id, _) = coded(&app, json!({"method": "email_otp"})).await;
        let parsed = InvitationId::parse(id.as_str().unwrap()).unwrap();
        let store = app.store();
        let reserved = store.write(move |conn| {
            let seen = invitations::find(conn, &TenantId::default_tenant(), parsed)?.unwrap();
            attempts::reserve_of_generation(conn, &seen)
        });
        let seen = reserved.await.unwrap().unwrap();
        assert_eq!(app.invitation(&id).await["attemptsRemaining"], 4);
        resend(&app, &id, json!({"method": method})).await;
        store.write(move |conn| attempts::give_back_to_generation(conn, &seen)).await.unwrap();
        let stored = store.read(move |conn| invitations::find(conn, &TenantId::default_tenant(), parsed));
        assert_eq!(stored.await.unwrap().unwrap().attempts_left, Some(left), "{method}");
    }
    app.finish().await;
}

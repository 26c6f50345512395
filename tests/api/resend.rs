//! Resending: a new generation; what belonged to the old one is dead.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Settings, TestApp};

async fn resend(app: &TestApp, id: &Value, body: Value) -> Reply {
    app.post(&format!("/v1/invitations/{}/resend", id.as_str().unwrap()), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_link_and_its_grant_die_with_a_resend() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let old = app.gateway.last_token().await;
    let grant = app.redeem_token(&old).await.ok(200)["grant"].as_str().unwrap().to_owned();

    app.advance(Duration::from_mins(1));
    let resent = resend(&app, &issued["id"], json!({})).await.ok(200);
    assert_eq!(
        (&resent["generation"], &resent["resends"], &resent["status"]),
        (&json!(2), &json!(1), &json!("pending"))
    );
    app.work().await;
    app.redeem_token(&old).await.problem(410, "invitation_superseded");
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    let new = app.gateway.last_token().await;
    assert_ne!(old, new);
    let grant = app.redeem_token(&new).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.redeem_token(&old).await.problem(410, "invitation_superseded");
    app.redeem_token(&new).await.problem(410, "invitation_accepted");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_old_generation_that_still_waits_is_never_sent() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"method": "email_otp"})).await.ok(201);
    app.advance(Duration::from_mins(1));
    resend(&app, &issued["id"], json!({})).await.ok(200);
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resending_is_slowed_down_and_limited() {
    let app = TestApp::with(Settings { defaults: "resend = { max_per_invitation = 2 }", ..Settings::default() }).await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let soon = resend(&app, &issued["id"], json!({})).await;
    let wait: u64 = soon.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    soon.problem(429, "resend_too_soon");
    for _ in 0..2 {
        app.advance(Duration::from_mins(1));
        resend(&app, &issued["id"], json!({})).await.ok(200);
    }
    app.advance(Duration::from_mins(1));
    resend(&app, &issued["id"], json!({})).await.problem(429, "resend_limit");
    assert_eq!(app.invitation(&issued["id"]).await["nextResendAt"], Value::Null);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_invitation_lives_again_with_another_method() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 5})).await;
    let link = app.gateway.last_token().await;
    app.advance(Duration::from_mins(6));
    let body = json!({"method": "sms_otp", "expiresInMinutes": 10, "locale": "de-CH"});
    let resent = resend(&app, &issued["id"], body).await.ok(200);
    assert_eq!(
        (&resent["method"], &resent["attemptsRemaining"], &resent["user"]["locale"]),
        (&json!("sms_otp"), &json!(5), &json!("de-CH"))
    );
    app.work().await;
    app.redeem_token(&link).await.problem(410, "invitation_superseded");
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resent_secret_can_be_handed_to_the_caller() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp"})).await;
    app.advance(Duration::from_mins(1));
    let resent = resend(&app, &issued["id"], json!({"delivery": "return"})).await.ok(200);
    assert_eq!(resent["delivery"]["status"], "skipped");
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1, "only the first generation was sent");
    app.redeem_code(&user, resent["secret"]["otp"].as_str().unwrap()).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_for_good_is_not_resent() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.advance(Duration::from_mins(1));
    resend(&app, &issued["id"], json!({})).await.problem(409, "not_resendable");
    resend(&app, &json!("inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11"), json!({})).await.problem(404, "invitation_not_found");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_invitation_does_not_push_a_newer_one_aside() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let old = app.issue(&user, json!({"expiresInMinutes": 5})).await;
    app.advance(Duration::from_mins(6));
    let new = app.issue(&user, json!({})).await;
    let refused = resend(&app, &old["id"], json!({})).await.problem(409, "invitation_exists");
    assert_eq!(refused["invitationId"], new["id"]);
    app.finish().await;
}

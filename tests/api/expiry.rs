//! How long a secret lives: judged where it is used, by the database's clock.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_until_its_time_is_up_without_any_sweep() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 60})).await;
    let token = app.gateway.last_token().await;

    app.advance(Duration::from_secs(3590));
    app.redeem_token(&token).await.ok(200);
    app.advance(Duration::from_secs(10));
    app.redeem_token(&token).await.problem(410, "invitation_expired");
    assert_eq!(app.invitation(&issued["id"]).await["status"], "expired");
    assert_eq!(app.sweep().await, 1, "the sweep writes down what holds already");
    assert_eq!(app.sweep().await, 0);
    assert_eq!(app.events(&issued["id"]).await.iter().filter(|event| *event == "invitation.expired").count(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_code_is_refused_like_a_wrong_one() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "email_otp", "expiresInMinutes": 10})).await;
    let code = app.gateway.last_code("email").await;
    app.advance(Duration::from_mins(10));
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minus_one_never_expires_by_any_method() {
    let app = TestApp::spawn().await;
    for method in ["email_link", "email_otp", "sms_otp"] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"method": method, "expiresInMinutes": -1})).await;
        assert_eq!(issued["expiresAt"], Value::Null);
        assert!(issued["warnings"][0].as_str().unwrap().starts_with("never_expires"), "{issued}");
        let channel = if method == "sms_otp" { "sms" } else { "email" };
        assert!(app.gateway.last(channel).await["text"].as_str().unwrap().contains("does not expire"));
        app.advance(DAY * 3650);
        let redeemed = match method {
            "email_link" => app.redeem_token(&app.gateway.last_token().await).await,
            _ => app.redeem_code(&user, &app.gateway.last_code(channel).await).await,
        };
        redeemed.ok(200);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_is_over_at_once_and_delivers_nothing() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 0})).await;
    assert_eq!((&issued["status"], &issued["delivery"]["status"]), (&json!("expired"), &json!("skipped")));
    assert!(issued["warnings"][0].as_str().unwrap().starts_with("expires_immediately"));
    assert!(app.gateway.received("email").await.is_empty());

    let returned = app.try_issue(&user, json!({"expiresInMinutes": 0, "delivery": "return"})).await.ok(201);
    let link = returned["secret"]["link"].as_str().unwrap();
    let token = link.split_once("#token=").unwrap().1;
    app.redeem_token(token).await.problem(410, "invitation_expired");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_not_sent_after_its_invitation_expired() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"expiresInMinutes": 5, "lockAccount": false})).await.ok(201);
    app.advance(Duration::from_mins(5));
    app.work().await;
    assert!(app.gateway.received("email").await.is_empty());
    let invitation = app.invitation(&issued["id"]).await;
    assert_eq!((&invitation["status"], &invitation["delivery"]["status"]), (&json!("expired"), &json!("skipped")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_expiry_the_person_can_be_invited_again_without_a_sweep() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let first = app.issue(&user, json!({"expiresInMinutes": 5})).await;
    app.advance(Duration::from_mins(5));
    let second = app.issue(&user, json!({})).await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(app.invitation(&first["id"]).await["status"], "expired");
    assert!(app.events(&first["id"]).await.contains(&"invitation.expired".to_owned()));
    assert_eq!(app.invitation(&second["id"]).await["status"], "pending", "the lock of the first one still holds");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_ends_after_ten_minutes_or_with_its_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 60})).await;
    let token = app.gateway.last_token().await;
    let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.advance(Duration::from_mins(10) + Duration::from_secs(1));
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");

    app.advance(Duration::from_mins(45));
    let late = app.redeem_token(&token).await.ok(200);
    assert_eq!(late["grantExpiresAt"], issued["expiresAt"], "a grant does not outlive its invitation");
    app.advance(Duration::from_mins(6));
    app.set_password(late["grant"].as_str().unwrap(), PASSWORD).await.problem(401, "grant_invalid");
    assert!(app.directory.patches().iter().all(|patch| patch.replaced("password").is_none()));
    app.work().await;
    app.finish().await;
}

//! Text messages may be confined to countries.

use serde_json::json;

use crate::support::{Settings, TestApp, User};

fn with_phone(user: &User, phone: &str) -> serde_json::Value {
    json!({"user": {"username": user.username, "id": user.id, "phone": phone}, "method": "sms_otp"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_by_sms_only_to_the_countries_allowed() {
    let app =
        TestApp::with(Settings { defaults: "sms.allowed_countries = [\"LK\", \"CA\"]", ..Settings::default() }).await;
    let user = app.user().await;
    for elsewhere in ["+12025550123", "+447400123456", "+882161234567"] {
        let refused = app.post("/v1/invitations", with_phone(&user, elsewhere)).await;
        assert!(!refused.text.contains(elsewhere), "{}", refused.text);
        refused.field_problem(422, "/user/phone", "country_not_allowed");
    }
    app.work().await;
    assert!(app.gateway.received("sms").await.is_empty());
    app.post("/v1/invitations", with_phone(&user, "+14165550123")).await.ok(201);
    app.work().await;
    assert_eq!(app.gateway.last("sms").await["to"], "+14165550123");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_countries_hold_for_a_resend_that_changes_to_sms_and_not_for_mail() {
    let app = TestApp::with(Settings { defaults: "sms.allowed_countries = [\"LK\"]", ..Settings::default() }).await;
    let user = app.user().await;
    let mut body = with_phone(&user, "+12025550123");
    (body["method"], body["user"]["email"]) = (json!("email_otp"), json!(user.email));
    let issued = app.post("/v1/invitations", body).await.ok(201);
    app.work().await;
    app.advance(std::time::Duration::from_mins(2));
    let path = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
    app.post(&path, json!({"method": "sms_otp"})).await.field_problem(422, "/user/phone", "country_not_allowed");
    assert_eq!(app.invitation(&issued["id"]).await["generation"], 1);
    app.post(&path, json!({})).await.ok(200);
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 2);
    app.finish().await;
}

//! The one call that says why a person gets no mail or can't sign in.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Settings, TestApp, User};

async fn diagnose(app: &TestApp, user: &User) -> Value {
    app.get(&format!("/v1/accounts/PRIMARY/{}/diagnosis", user.username)).await.ok(200)
}

/// The codes of the findings in order, and the action; the operation that does it is one of the document's.
fn verdict(diagnosis: &Value) -> (Vec<&str>, &str) {
    if let Some(operation) = diagnosis["nextAction"]["operation"].as_str() {
        let named = format!("\"operationId\": \"{operation}\"");
        assert!(invited::http::openapi::json().contains(&named), "{operation}");
    }
    let codes = diagnosis["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap());
    (codes.collect(), diagnosis["nextAction"]["code"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_nobody_knows_is_not_found_and_whom_the_directory_knows_was_not_invited() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["not_invited"], "issue"));
    assert_eq!(found["nextAction"]["operation"], "issue_invitation");
    assert_eq!((&found["invitationId"], &found["username"]), (&Value::Null, &json!(user.username)));
    app.get("/v1/accounts/PRIMARY/nobody/diagnosis").await.problem(404, "account_not_found");
    app.get("/v1/accounts/-/nobody/diagnosis").await.field_problem(400, "realm", "invalid_characters");
    let weak = app.token_for("default", "accounts:write");
    let path = format!("/v1/accounts/PRIMARY/{}/diagnosis", user.username);
    app.send(app.request("GET", &path).bearer_auth(weak)).await.problem(403, "insufficient_scope");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_from_invited_to_signed_in_is_told_at_every_step() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({})).await.ok(201);
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["lock_not_confirmed", "directory_sync_pending", "message_held"], "wait"));
    assert_eq!(found["invitationId"], issued["id"]);

    app.work().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["awaiting_password", "message_sent"], "wait"));
    assert!(found["findings"][0]["detail"].as_str().unwrap().contains("link"), "{found}");
    assert!(found["deliveryId"].as_str().unwrap().starts_with("msg_"));
    app.advance(Duration::from_mins(11));
    let found = diagnose(&app, &user).await;
    assert_eq!(found["nextAction"]["operation"], "resend_invitation");

    let grant = app.redeem_token(&app.gateway.last_token().await).await.ok(200)["grant"].as_str().unwrap().to_owned();
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["link_opened", "awaiting_password", "message_sent"], "none"));
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.work().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["accepted"], "none"));
    assert!(!found.to_string().contains(&user.email) && !found.to_string().contains(&user.phone), "{found}");

    app.directory.set_active("PRIMARY", &user.id, false).await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["account_disabled", "directory_drifted", "accepted"], "contact_directory_admin"));
    app.directory.delete("PRIMARY", &user.id).await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["user_gone", "accepted"], "contact_directory_admin"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_fails_is_named_with_its_error() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(503), 1).await;
    app.issue(&user, json!({"lockAccount": false})).await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["message_retrying", "awaiting_password"], "wait"));
    assert!(found["findings"][0]["detail"].as_str().unwrap().contains("http_503"), "{found}");
    assert!(found["nextAction"]["notBefore"].is_string(), "{found}");

    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    app.advance(Duration::from_mins(1));
    app.work().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["message_failed", "awaiting_password"], "fix_recipient"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_counted_until_they_are_used_up() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp"})).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["wrong_codes_tried", "awaiting_password", "message_sent"], "none"));
    for _ in 0..4 {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    }
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["attempts_used_up", "awaiting_password", "message_sent"], "resend"));
    assert!(found["nextAction"]["notBefore"].is_string(), "the cool-down still runs: {found}");

    app.advance(Duration::from_mins(1));
    let resend = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
    app.post(&resend, json!({"method": "email_link"})).await.ok(200);
    app.work().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["method_changed", "awaiting_password", "message_sent"], "wait"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_used_up_without_a_password_is_told() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp"})).await;
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["code_used", "awaiting_password", "message_sent"], "wait"));
    app.advance(Duration::from_mins(11));
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["code_spent", "awaiting_password", "message_sent"], "resend"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_answer_is_a_finding_and_soon_said() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    for fault in [Fault::Silence, Fault::Status(503)] {
        app.directory.break_next("GET", fault);
        let started = std::time::Instant::now();
        let found = diagnose(&app, &user).await;
        assert_eq!(verdict(&found).0, ["directory_unreachable", "awaiting_password", "message_sent"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_and_changed_addresses_are_seen_in_the_directory_itself() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let mut other = user.known();
    other["email"] = json!("old@example.com");
    app.post("/v1/invitations", json!({"user": other})).await.ok(201);
    app.work().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["address_changed", "awaiting_password", "message_sent"], "fix_recipient"));
    assert!(found["findings"][0]["detail"].as_str().unwrap().contains("o•••@example.com"), "{found}");
    app.directory.set_active("PRIMARY", &user.id, true).await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found).0, ["directory_drifted", "address_changed", "awaiting_password", "message_sent"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_others_and_ended_invitations_are_told_apart() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.set_active("PRIMARY", &user.id, false).await;
    let issued = app.issue(&user, json!({"lockAccount": true})).await;
    let found = diagnose(&app, &user).await;
    assert_eq!(
        verdict(&found),
        (vec!["account_disabled", "awaiting_password", "message_sent"], "contact_directory_admin")
    );
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    app.work().await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/unlock", user.username), json!({})).await.ok(200);
    app.work().await;
    app.post(&format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["revoked"], "issue"));

    app.issue(&user, json!({"expiresInMinutes": 1})).await;
    app.advance(Duration::from_mins(2));
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["locked_without_invitation", "expired", "message_sent"], "resend"));
    app.work().await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    app.work().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["locked_by_administrator", "expired", "message_sent"], "unlock_account"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_invitations_are_turned_off_that_comes_first() {
    let app = TestApp::with(Settings { defaults: "enabled = false", ..Settings::default() }).await;
    let user = app.user().await;
    let found = diagnose(&app, &user).await;
    assert_eq!(verdict(&found), (vec!["not_invited", "feature_disabled"], "enable_feature"));
    assert!(found["nextAction"]["operation"].is_string());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tenants_invitations_are_none() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let token = app.token_for("acme", "accounts:read");
    let path = format!("/t/acme/v1/accounts/PRIMARY/{}/diagnosis", user.username);
    let found = app.send(app.request("GET", &path).bearer_auth(token)).await.ok(200);
    assert_eq!(verdict(&found).0, ["account_disabled", "not_invited"]);
    app.finish().await;
}

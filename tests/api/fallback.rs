//! The other channel: a message that did not reach the person is followed by one there, once, under the same budget and expiry.

mod late;

use std::time::Duration;

use invited::storage::fallbacks;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::database::unique;
use crate::support::directory::Fault;
use crate::support::{PASSWORD, Receiver, Settings, TestApp, User, Vendors};

/// Both ways; nobody could ask for a resend.
const BOTH: &str = "fallback = { email_to = \"sms_otp\", sms_to = \"email_link\" }
                    resend = { cooldown_seconds = 86400, max_per_invitation = 0 }";

/// As [`BOTH`], but with resends.
const RESENDABLE: &str = "fallback = { email_to = \"sms_otp\", sms_to = \"email_link\" }";

async fn listening(defaults: &'static str) -> (TestApp, Vendors) {
    let vendors = Vendors::start().await;
    let app = TestApp::with(Settings { defaults, ..vendors.settings() }).await;
    app.next_id("email", "sg-1").await;
    (app, vendors)
}

/// An invitation by e-mail that the gateway calls `sg-1`.
async fn invited(defaults: &'static str, fields: Value) -> (TestApp, Vendors, User, Value) {
    let (app, vendors) = listening(defaults).await;
    let user = app.user().await;
    let issued = app.issue(&user, fields).await;
    (app, vendors, user, issued)
}

async fn bounces(app: &TestApp, vendors: &Vendors) {
    vendors.report(app, "sendgrid", "sg-1", "bounced").await.ok(200);
}

async fn sent(app: &TestApp) -> (usize, usize) {
    (app.gateway.received("email").await.len(), app.gateway.received("sms").await.len())
}

async fn assert_nothing_followed(app: &TestApp, issued: &Value) {
    let before = sent(app).await;
    app.work().await;
    app.advance(Duration::from_secs(61));
    app.work().await;
    assert_eq!(sent(app).await, before);
    assert!(!app.events(&issued["id"]).await.iter().any(|event| event == "invitation.fell_back"));
}

async fn diagnosis(app: &TestApp, user: &User) -> (Vec<String>, Value) {
    let found = app.get(&format!("/v1/accounts/PRIMARY/{}/diagnosis", user.username)).await.ok(200);
    let codes =
        found["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap().to_owned());
    (codes.collect(), found)
}

async fn sets_password(app: &TestApp, redeemed: crate::support::Reply) {
    app.set_password(redeemed.ok(200)["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    app.work().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_bounced_is_followed_by_a_code_by_sms_that_ends_when_the_link_would_have() {
    let (app, vendors, user, issued) = invited(BOTH, json!({"expiresInMinutes": 30})).await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &[]).await;
    let link = app.gateway.last_token().await;
    app.advance(Duration::from_secs(605));
    bounces(&app, &vendors).await;
    let (codes, found) = diagnosis(&app, &user).await;
    assert!(codes.contains(&"fallback_due".to_owned()), "{codes:?}");
    assert_eq!(found["nextAction"]["code"], "wait");
    app.work().await;

    let now = app.invitation(&issued["id"]).await;
    let seen = [&now["method"], &now["status"], &now["generation"], &now["resends"], &now["attemptsRemaining"]];
    assert_eq!(seen, [&json!("sms_otp"), &json!("pending"), &json!(2), &json!(0), &json!(5)]);
    assert_eq!(now["expiresAt"], issued["expiresAt"]);
    assert_eq!(now["delivery"]["status"], "sent");
    assert_eq!(sent(&app).await, (1, 1));
    assert_eq!(app.gateway.last("sms").await["to"], user.phone);
    assert!(app.gateway.last("sms").await["text"].as_str().unwrap().contains("20 min"));
    assert_eq!(platform.types().await, ["invitation.bounced", "invitation.resent", "invitation.sent"]);
    assert!(app.events(&issued["id"]).await.contains(&"invitation.fell_back".to_owned()));
    let (codes, _) = diagnosis(&app, &user).await;
    assert!(codes.contains(&"fell_back".to_owned()) && codes.contains(&"method_changed".to_owned()), "{codes:?}");
    app.redeem_token(&link).await.problem(410, "invitation_superseded");
    sets_password(&app, app.redeem_code(&user, &app.gateway.last_code("sms").await).await).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_an_administrator_lifted_meanwhile_stays_lifted() {
    let (app, vendors, user, issued) = invited(BOTH, json!({})).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/unlock", user.username), json!({})).await.ok(200);
    app.work().await;
    bounces(&app, &vendors).await;
    app.work().await;
    assert_eq!(sent(&app).await, (1, 1));
    assert_eq!(app.invitation(&issued["id"]).await["account"]["locked"], false);
    sets_password(&app, app.redeem_code(&user, &app.gateway.last_code("sms").await).await).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_refused_is_followed_by_a_code_by_sms() {
    let app = TestApp::with(Settings { defaults: BOTH, ..Settings::default() }).await;
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.work().await;
    assert_eq!(sent(&app).await, (1, 1));
    sets_password(&app, app.redeem_code(&user, &app.gateway.last_code("sms").await).await).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_that_was_refused_is_followed_by_a_link_by_mail() {
    let app = TestApp::with(Settings { defaults: BOTH, ..Settings::default() }).await;
    app.gateway.answers("sms", ResponseTemplate::new(400), 1).await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "sms_otp", "expiresInMinutes": -1})).await;
    app.work().await;
    let now = app.invitation(&issued["id"]).await;
    assert_eq!((&now["method"], &now["expiresAt"]), (&json!("email_link"), &Value::Null));
    sets_password(&app, app.redeem_token(&app.gateway.last_token().await).await).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_refuses_us_makes_nothing_follow() {
    let app = TestApp::with(Settings { defaults: BOTH, ..Settings::default() }).await;
    app.gateway.answers("email", ResponseTemplate::new(401), 1).await;
    app.issue(&app.user().await, json!({})).await;
    app.advance(Duration::from_mins(5));
    app.work().await;
    assert_eq!(sent(&app).await, (2, 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_unless_the_tenant_wants_it_when_it_issues() {
    let (app, vendors, _, issued) = invited("", json!({})).await;
    app.tenant_wants("default", json!({"fallback": {"emailTo": "sms_otp"}})).await;
    bounces(&app, &vendors).await;
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_nothing_follows_and_the_diagnosis_says_why() {
    let (app, vendors) = listening(RESENDABLE).await;
    let username = format!("no.phone.{}", unique());
    let email = format!("{username}@example.com");
    let person = json!({"userName": username, "emails": [{"value": email, "primary": true}]});
    let id = app.directory.create("PRIMARY", person).await;
    let user = User { id, username, email, phone: String::new() };
    let issued = app.issue(&user, json!({})).await;
    bounces(&app, &vendors).await;
    assert_nothing_followed(&app, &issued).await;
    let (codes, found) = diagnosis(&app, &user).await;
    assert!(codes.contains(&"fallback_failed".to_owned()) && found.to_string().contains("no address"), "{found}");
    let timeline = app.get(&format!("/v1/invitations/{}/timeline", issued["id"].as_str().unwrap())).await.ok(200);
    let entries = timeline["items"].as_array().unwrap();
    let failed = entries.iter().find(|entry| entry["event"] == "invitation.fallback_failed").unwrap();
    assert_eq!((&failed["detail"], &failed["actor"]), (&json!("recipient_missing"), &json!("system")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_channel_keeps_to_the_countries_allowed_and_to_the_strict_profile() {
    for (defaults, reason) in [
        ("fallback.email_to = \"sms_otp\"\nsms.allowed_countries = [\"LK\"]", "country_not_allowed"),
        ("fallback.email_to = \"sms_otp\"\npolicy.profile = \"strict\"", "policy_violation"),
    ] {
        let (app, vendors, user, issued) = invited(defaults, json!({})).await;
        bounces(&app, &vendors).await;
        assert_nothing_followed(&app, &issued).await;
        let (codes, _) = diagnosis(&app, &user).await;
        assert!(codes.contains(&"fallback_failed".to_owned()), "{reason}: {codes:?}");
        let sql = format!("SELECT count(*) AS count FROM invitation WHERE fallback = '{reason}'");
        assert_eq!(app.database.count(&sql), 1, "{reason}");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_on_with_the_tries_that_were_left() {
    let (app, vendors, user, issued) = invited(BOTH, json!({"method": "email_otp"})).await;
    let old = app.gateway.last_code("email").await;
    for _ in 0..2 {
        app.redeem_code(&user, "AAAAAA").await.problem(400, "invalid_or_expired");
    }
    bounces(&app, &vendors).await;
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["attemptsRemaining"], 3);
    app.redeem_code(&user, &old).await.problem(400, "invalid_or_expired");
    assert_eq!(app.invitation(&issued["id"]).await["attemptsRemaining"], 2);
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_try_is_left_no_new_code_follows() {
    let (app, vendors, user, issued) = invited(BOTH, json!({"method": "email_otp"})).await;
    for _ in 0..5 {
        app.redeem_code(&user, "AAAAAA").await.problem(400, "invalid_or_expired");
    }
    bounces(&app, &vendors).await;
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_reports_and_sweeps_at_once_one_message_follows() {
    let (app, vendors, user, _) = invited(BOTH, json!({})).await;
    futures_util::future::join_all((0..8).map(|_| bounces(&app, &vendors))).await;
    futures_util::future::join_all((0..4).map(|_| app.sweep())).await;
    bounces(&app, &vendors).await;
    app.work().await;
    assert_eq!(sent(&app).await, (1, 1));
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channels_never_take_turns() {
    let (app, vendors, _, issued) = invited(RESENDABLE, json!({})).await;
    app.next_id("sms", "tw-1").await;
    bounces(&app, &vendors).await;
    app.work().await;
    vendors.report(&app, "twilio", "tw-1", "bounced").await.ok(200);
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["delivery"]["status"], "bounced");
    assert_eq!(sent(&app).await, (1, 1));
    // Not after a resend either.
    app.advance(Duration::from_mins(2));
    app.gateway.answers("sms", ResponseTemplate::new(400), 1).await;
    app.post(&format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    app.work().await;
    assert_eq!(sent(&app).await, (1, 2));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_or_in_the_persons_hands_is_not_followed() {
    let (app, vendors, _, issued) = invited(BOTH, json!({})).await;
    app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    bounces(&app, &vendors).await;
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;

    let (app, vendors, _, issued) = invited(BOTH, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    bounces(&app, &vendors).await;
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_between_the_bounce_and_the_message_is_not_followed() {
    let (app, vendors, _, issued) = invited(BOTH, json!({"expiresInMinutes": 5})).await;
    bounces(&app, &vendors).await;
    app.advance(Duration::from_mins(6));
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;

    let (app, vendors, _, issued) = invited(BOTH, json!({})).await;
    bounces(&app, &vendors).await;
    app.post(&format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_that_comes_first_takes_the_place_of_the_other_channel() {
    let (app, vendors, _, issued) = invited(RESENDABLE, json!({})).await;
    bounces(&app, &vendors).await;
    app.advance(Duration::from_mins(2));
    app.post(&format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    assert_eq!(sent(&app).await, (2, 0));
    assert_nothing_followed(&app, &issued).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_answer_is_asked_again() {
    let (app, vendors) = listening(BOTH).await;
    let user = app.user().await;
    let known = json!({"username": user.username, "id": user.id, "email": user.email});
    app.post("/v1/invitations", json!({"user": known, "lockAccount": false})).await.ok(201);
    app.work().await;
    bounces(&app, &vendors).await;
    app.directory.break_next("GET", Fault::Status(500));
    app.work().await;
    app.work().await;
    assert_eq!(sent(&app).await, (1, 0));
    app.advance(Duration::from_secs(61));
    app.work().await;
    assert_eq!(app.gateway.last("sms").await["to"], user.phone);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_claimed_it_and_died_is_followed_by_another() {
    let (app, vendors, _, _) = invited(BOTH, json!({})).await;
    bounces(&app, &vendors).await;
    let store = app.store();
    let claimed = store.write(|conn| {
        let now = conn.now()?;
        fallbacks::claim(conn, now)
    });
    assert!(claimed.await.unwrap().is_some());
    app.work().await;
    assert_eq!(sent(&app).await, (1, 0), "it is claimed");
    app.advance(Duration::from_secs(61));
    app.work().await;
    assert_eq!(sent(&app).await, (1, 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_methods_of_the_other_channel_with_a_gateway_can_be_set() {
    let app = TestApp::with(Settings { without: &["sms"], ..Settings::default() }).await;
    for (patch, pointer, code) in [
        (json!({"fallback": {"emailTo": "email_otp"}}), "/fallback/emailTo", "invalid_value"),
        (json!({"fallback": {"smsTo": "sms_otp"}}), "/fallback/smsTo", "invalid_value"),
        (json!({"fallback": {"emailTo": "sms_otp"}}), "/fallback/emailTo", "channel_not_configured"),
    ] {
        app.change_settings("default", &patch, &[]).await.field_problem(422, pointer, code);
    }
    let settings = app.tenant_wants("default", json!({"fallback": {"smsTo": "email_otp"}})).await;
    assert_eq!(settings["settings"]["fallback"], json!({"emailTo": "none", "smsTo": "email_otp"}));
    assert_eq!(settings["sources"]["fallback.smsTo"], "tenant");
    app.finish().await;
}

//! What reaches the gateways, how often, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use wiremock::ResponseTemplate;

use crate::support::{PASSWORD, Settings, TestApp};

fn payloads_left(app: &TestApp) -> i64 {
    app.database.count("SELECT count(*) AS count FROM outbox WHERE payload IS NOT NULL")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_fails_gets_the_same_message_again() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(500).insert_header("Retry-After", "30"), 2).await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let waiting = app.invitation(&issued["id"]).await["delivery"].clone();
    assert_eq!(
        (&waiting["status"], &waiting["error"], &waiting["attempts"]),
        (&json!("queued"), &json!("http_500"), &json!(1))
    );
    for _ in 0..2 {
        app.advance(Duration::from_mins(1));
        app.work().await;
    }
    let received = app.gateway.received("email").await;
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|message| *message == received[0]), "same id, same secret, same words");
    assert_eq!(app.invitation(&issued["id"]).await["delivery"]["status"], "sent");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_wish_to_wait_is_honoured() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(429).insert_header("Retry-After", "120"), 1).await;
    app.issue(&user, json!({"lockAccount": false})).await;
    app.advance(Duration::from_secs(115));
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.advance(Duration::from_secs(10));
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_refused_for_good_is_given_up_and_seen() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let delivery = app.invitation(&issued["id"]).await["delivery"].clone();
    assert_eq!((&delivery["status"], &delivery["error"]), (&json!("failed"), &json!("http_422")));
    app.advance(Duration::from_mins(30));
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    assert_eq!(payloads_left(&app), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_kills_no_message() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("sms", ResponseTemplate::new(401), 1).await;
    let issued = app.issue(&user, json!({"method": "sms_otp", "lockAccount": false})).await;
    assert_eq!(app.invitation(&issued["id"]).await["delivery"]["error"], "gateway_unauthorized");
    app.advance(Duration::from_mins(5));
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["delivery"]["status"], "sent");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_kills_none_however_long_it_lasts() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(403), 40).await;
    let issued = app.issue(&user, json!({"lockAccount": false, "expiresInMinutes": -1})).await;
    for _ in 0..45 {
        app.advance(Duration::from_mins(2));
        app.work().await;
    }
    assert_eq!(app.gateway.received("email").await.len(), 41);
    let delivery = app.invitation(&issued["id"]).await["delivery"].clone();
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("sent"), &json!(1)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_down_is_let_alone_and_the_other_channel_goes_on() {
    let app = TestApp::spawn().await;
    app.gateway.answers("email", ResponseTemplate::new(503), 5).await;
    let mut issued = Vec::new();
    for _ in 0..8 {
        issued.push(app.issue(&app.user().await, json!({"lockAccount": false})).await);
    }
    assert_eq!(app.gateway.received("email").await.len(), 5, "the rest was not tried");
    let waiting = app.invitation(&issued[7]["id"]).await["delivery"].clone();
    assert_eq!(
        (&waiting["status"], &waiting["error"], &waiting["attempts"]),
        (&json!("queued"), &json!("circuit_open:http_503"), &json!(0))
    );
    let ready = app.send(app.request("GET", "/health/ready")).await.ok(200);
    assert_eq!((&ready["status"], &ready["gatewaysDown"][0]["channel"]), (&json!("ok"), &json!("email")));
    assert_eq!(ready["gatewaysDown"][0]["error"], "http_503");
    app.issue(&app.user().await, json!({"method": "sms_otp", "lockAccount": false})).await;
    assert_eq!(app.gateway.received("sms").await.len(), 1);
    for _ in 0..4 {
        app.advance(Duration::from_secs(40));
        app.work().await;
    }
    for invitation in &issued {
        assert_eq!(app.invitation(&invitation["id"]).await["delivery"]["status"], "sent");
    }
    assert_eq!(app.send(app.request("GET", "/health/ready")).await.ok(200), json!({"status": "ok"}));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_comes_from_the_tenants_own_sender() {
    let app = TestApp::spawn().await;
    app.issue(&app.user().await, json!({"method": "sms_otp", "lockAccount": false})).await;
    app.tenant_wants("default", json!({"sms": {"from": "Acme"}})).await;
    app.issue(&app.user().await, json!({"method": "sms_otp", "lockAccount": false})).await;
    let senders: Vec<_> = app.gateway.received("sms").await.iter().map(|sms| sms["from"].clone()).collect();
    assert_eq!(senders, ["Example", "Acme"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_email_comes_from_the_tenants_own_sender() {
    let app = TestApp::spawn().await;
    let settings = json!({
        "email": {"from": "Acmé <hello@acme.example>", "replyTo": "help@acme.example"},
        "expiryMinutes": 120, "reminders": {"minutesBeforeExpiry": [60]}, "resend": {"cooldownSeconds": 0},
    });
    app.tenant_wants("default", settings).await;
    let issued = app.issue(&app.user().await, json!({"expiresInMinutes": 120, "lockAccount": false})).await;
    app.post(&format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    app.advance(Duration::from_mins(61));
    app.work().await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    let got = app.gateway.received("email").await;
    let kinds: Vec<_> = got.iter().filter_map(|mail| mail["kind"].as_str()).collect();
    assert_eq!(kinds, ["invitation_email_link", "invitation_email_link", "reminder_email_link", "activation_email"]);
    for mail in &got {
        assert_eq!(
            (&mail["from"], &mail["replyTo"]),
            (&json!("\"Acmé\" <hello@acme.example>"), &json!("help@acme.example"))
        );
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_of_one_tenant_is_not_that_of_another() {
    let app = TestApp::spawn().await;
    app.tenant_wants("acme", json!({"email": {"from": "hello@acme.example"}})).await;
    for tenant in ["acme", "other"] {
        let token = app.token_for(tenant, "invitations:write");
        let body = json!({"user": app.user().await.known(), "lockAccount": false});
        let issue = app.request("POST", &format!("/t/{tenant}/v1/invitations")).bearer_auth(token).json(&body);
        app.send(issue).await.ok(201);
        app.work().await;
    }
    let got = app.gateway.received("email").await;
    let senders: Vec<_> = got.iter().map(|mail| (mail["from"].as_str().unwrap(), mail.get("replyTo"))).collect();
    assert_eq!(senders, [("hello@acme.example", None), ("Example <no-reply@example.com>", None)]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_trying() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(503), 100).await;
    let issued = app.issue(&user, json!({"lockAccount": false, "expiresInMinutes": -1})).await;
    for _ in 0..30 {
        app.advance(Duration::from_mins(16));
        app.work().await;
    }
    let delivery = app.invitation(&issued["id"]).await["delivery"].clone();
    assert_eq!((&delivery["status"], &delivery["error"]), (&json!("failed"), &json!("gave_up:http_503")));
    assert_eq!(app.gateway.received("email").await.len(), 24);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_secret_is_left_behind() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    app.accept(&token).await;
    let other = app.user().await;
    app.issue(&other, json!({"method": "email_otp"})).await;
    let code = app.gateway.last_code("email").await;
    let queued = app.user().await;
    let waiting = app.try_issue(&queued, json!({"method": "email_otp"})).await.ok(201);
    assert_eq!(payloads_left(&app), 1, "the code that waits");
    app.post(&format!("/v1/invitations/{}/revoke", waiting["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    assert_eq!(payloads_left(&app), 0);
    let bytes = app.database.raw_bytes();
    for secret in [token.as_str(), &token[48..], code.as_str(), PASSWORD] {
        assert!(
            !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
            "a secret is in the database's files"
        );
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_secret_is_shown_once_and_not_sent() {
    let app = TestApp::spawn().await;
    for (method, field) in [("email_link", "link"), ("email_otp", "otp")] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"method": method, "delivery": "return"})).await;
        assert_eq!(issued["delivery"]["status"], "skipped");
        let secret = issued["secret"][field].as_str().unwrap();
        let read = app.get(&format!("/v1/invitations/{}", issued["id"].as_str().unwrap())).await;
        assert!(!read.text.contains(secret) && read.body.get("secret").is_none());
        match secret.split_once("#token=") {
            Some((_, token)) => app.redeem_token(token).await.ok(200),
            None => app.redeem_code(&user, secret).await.ok(200),
        };
    }
    assert!(app.gateway.received("email").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_external_notifications_the_caller_gets_every_secret() {
    let app = TestApp::with(Settings { defaults: "notifications = \"external\"", ..Settings::default() }).await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "sms_otp"})).await;
    app.redeem_code(&user, issued["secret"]["otp"].as_str().unwrap()).await.ok(200);
    assert!(app.gateway.received("sms").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_activation_notice_when_it_is_off() {
    let app = TestApp::with(Settings { defaults: "activation_notification = false", ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_looks_as_the_settings_say() {
    let defaults = "otp = { uppercase = false, lowercase = false, length = 8 }";
    let app = TestApp::with(Settings { defaults, ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp"})).await;
    let code = app.gateway.last_code("sms").await;
    assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
    app.redeem_code(&user, &code).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_live_long_are_hashed_slowly_and_work() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "email_otp", "expiresInMinutes": 2880})).await;
    assert_eq!(
        app.database.count("SELECT count(*) AS count FROM invitation WHERE verifier LIKE 'a1:k1:$argon2id$%'"),
        1
    );
    let code = app.gateway.last_code("email").await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    let grant = app.redeem_code(&user, &code).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.set_password(&grant, &code).await.problem(422, "password_rejected");
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(app.database.count("SELECT count(*) AS count FROM invitation WHERE verifier IS NOT NULL"), 0);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_is_hashed_slowly_when_the_settings_say_so() {
    let app = TestApp::with(Settings { defaults: "otp = { hashing = \"argon2id\" }", ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp", "expiresInMinutes": 10})).await;
    assert_eq!(app.database.count("SELECT count(*) AS count FROM invitation WHERE verifier LIKE 'a1:%'"), 1);
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_reset_has_its_own_words_lock_and_state() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"purpose": "password_reset"})).await;
    let mail = app.gateway.last("email").await;
    assert_eq!((&mail["kind"], &mail["subject"]), (&json!("password_reset_email_link"), &json!("Reset your password")));
    let account = app.account(&user).await;
    assert_eq!(
        (&account["lockReason"], &account["state"]),
        (&json!("PENDING_ADMIN_FORCED_USER_PASSWORD_RESET"), &json!("PENDING_FUPR"))
    );
    assert_eq!(account["invitationId"], issued["id"]);
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_can_refuse_an_invitation() {
    let off = TestApp::with(Settings { defaults: "enabled = false", ..Settings::default() }).await;
    let user = off.user().await;
    off.try_issue(&user, json!({})).await.problem(409, "feature_disabled");
    let strict = TestApp::with(Settings { defaults: "policy = { profile = \"strict\" }", ..Settings::default() }).await;
    for (method, minutes) in [("sms_otp", 11), ("email_otp", 1441), ("email_link", -1)] {
        let refused = strict.try_issue(&user, json!({"method": method, "expiresInMinutes": minutes})).await;
        refused.field_problem(422, "/expiresInMinutes", "expiry_too_long");
    }
    let mute = TestApp::with(Settings { without: &["sms"], ..Settings::default() }).await;
    mute.try_issue(&user, json!({"method": "sms_otp"})).await.field_problem(422, "/method", "channel_not_configured");
    for app in [off, strict, mute] {
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_an_address_can_not_be_reached() {
    let app = TestApp::spawn().await;
    let name = format!("quiet.{}", crate::support::database::unique());
    app.directory.create("PRIMARY", json!({"userName": name})).await;
    for (method, pointer) in [("email_link", "/user/email"), ("sms_otp", "/user/phone")] {
        let body = json!({"user": {"username": name}, "method": method});
        app.post("/v1/invitations", body).await.field_problem(422, pointer, "recipient_missing");
    }
    let body = json!({"user": {"username": name, "email": "given@example.com"}, "lockAccount": false});
    app.post("/v1/invitations", body).await.ok(201);
    app.work().await;
    assert_eq!(app.gateway.last("email").await["to"], "given@example.com");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_invitation_replaces_the_old_one_when_asked() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let old = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let refused = app.try_issue(&user, json!({})).await.problem(409, "invitation_exists");
    assert_eq!(refused["invitationId"], old["id"]);
    let new = app.issue(&user, json!({"ifExists": "replace"})).await;
    app.redeem_token(&token).await.problem(410, "invitation_revoked");
    assert_eq!(app.invitation(&old["id"]).await["status"], "revoked");
    assert_eq!((&app.invitation(&new["id"]).await["status"], new.get("secret")), (&json!("pending"), None::<&Value>));
    app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_silent_gateway_keeps_nobody_else_from_being_sent() {
    let app = TestApp::spawn().await;
    app.gateway.answers("sms", ResponseTemplate::new(202).set_delay(Duration::from_millis(2500)), 1).await;
    let text = app.try_issue(&app.user().await, json!({"method": "sms_otp", "lockAccount": false})).await.ok(201);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(app.worker().run(Arc::new(Notify::new()), Duration::from_millis(20), stopped));
    reached(&app, "sms").await;
    app.try_issue(&app.user().await, json!({"lockAccount": false})).await.ok(201);
    reached(&app, "email").await;
    assert_eq!(app.invitation(&text["id"]).await["delivery"]["status"], "sending");
    // What is under way is finished first.
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(app.invitation(&text["id"]).await["delivery"]["status"], "sent");
    app.finish().await;
}

async fn reached(app: &TestApp, channel: &str) {
    while app.gateway.received(channel).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

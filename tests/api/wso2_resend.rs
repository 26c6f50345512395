//! WSO2's `resend-code`: which scenario resends what, who is invited anew, and what it never tells.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::database::unique;
use crate::support::{PASSWORD, Reply, Settings, TestApp, User};

const RESEND: &str = "/api/identity/user/v1.0/resend-code";
const NO_DATA: &str = "recovery_data_not_found";

/// Scenario, purpose, method: which is which.
const SCENARIOS: [(&str, &str, &str); 6] = [
    ("ASK_PASSWORD", "onboarding", "email_link"),
    ("ASK_PASSWORD_VIA_EMAIL_OTP", "onboarding", "email_otp"),
    ("ASK_PASSWORD_VIA_SMS_OTP", "onboarding", "sms_otp"),
    ("ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK", "password_reset", "email_link"),
    ("ADMIN_FORCED_PASSWORD_RESET_VIA_OTP", "password_reset", "email_otp"),
    ("ADMIN_FORCED_PASSWORD_RESET_VIA_SMS_OTP", "password_reset", "sms_otp"),
];
const MANUALS: &str = "ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK";

fn body(username: &str, scenario: &str) -> Value {
    json!({"user": {"username": username, "realm": "PRIMARY"}, "properties": [{"key": "RecoveryScenario", "value": scenario}]})
}

async fn resend(app: &TestApp, user: &User, scenario: &str) -> Reply {
    app.post(RESEND, body(&user.username, scenario)).await
}

/// It was sent, and the answer says no more than that.
fn sent(reply: &Reply) {
    assert_eq!((reply.status, reply.text.as_str()), (201, ""));
    assert!(!reply.headers.contains_key("content-type"));
}

async fn written_to(app: &TestApp, user: &User) -> usize {
    let mails = app.gateway.received("email").await;
    let texts = app.gateway.received("sms").await;
    mails.iter().chain(&texts).filter(|message| message["to"] == user.email || message["to"] == user.phone).count()
}

async fn revoke(app: &TestApp, id: &Value) {
    app.post(&format!("/v1/invitations/{}/revoke", id.as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
}

/// The account's invitations, newest first.
async fn invitations(app: &TestApp, user: &User) -> Vec<Value> {
    let path = format!("/v1/invitations?realm=PRIMARY&username={}", user.username);
    app.get(&path).await.ok(200)["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scenario_resends_what_was_sent_by_it_and_nothing_else() {
    let app = TestApp::spawn().await;
    for (scenario, purpose, method) in SCENARIOS {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"purpose": purpose, "method": method})).await;
        let before = (app.account(&user).await, app.directory.patches().len());
        app.advance(Duration::from_mins(1));
        for (other, ..) in SCENARIOS.into_iter().filter(|(other, ..)| *other != scenario && *other != MANUALS) {
            resend(&app, &user, other).await.fault(400, NO_DATA);
        }
        sent(&resend(&app, &user, scenario).await);
        app.work().await;
        let resent = app.invitation(&issued["id"]).await;
        assert_eq!(
            (&resent["generation"], &resent["purpose"], &resent["method"], &resent["status"]),
            (&json!(2), &json!(purpose), &json!(method), &json!("pending")),
            "{scenario}"
        );
        assert_eq!((app.account(&user).await, app.directory.patches().len()), before, "{scenario}: the account stays");
    }
    assert_eq!((app.gateway.received("email").await.len(), app.gateway.received("sms").await.len()), (8, 4));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ran_out_lives_again_and_the_old_secret_is_dead() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"expiresInMinutes": 5})).await;
    let old = app.gateway.last_token().await;
    app.advance(Duration::from_mins(6));
    app.work().await;
    sent(&resend(&app, &user, "TENANT_ADMIN_ASK_PASSWORD").await);
    app.work().await;
    app.redeem_token(&old).await.problem(410, "invitation_superseded");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    resend(&app, &user, "ASK_PASSWORD").await.fault(400, NO_DATA);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_notifications_managed_outside_the_code_is_the_answer() {
    let app = TestApp::with(Settings { defaults: "notifications = \"external\"", ..Settings::default() }).await;
    for (scenario, method) in [("ASK_PASSWORD", "email_link"), ("ASK_PASSWORD_VIA_SMS_OTP", "sms_otp")] {
        let user = app.user().await;
        app.issue(&user, json!({"method": method})).await;
        app.advance(Duration::from_mins(1));
        let keyed = || {
            let request = app.request("POST", RESEND).bearer_auth(app.token()).header("Idempotency-Key", method);
            app.send(request.json(&body(&user.username, scenario)))
        };
        let reply = keyed().await;
        assert_eq!((reply.status, reply.header("content-type")), (201, "text/plain; charset=utf-8"));
        let again = keyed().await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
        assert_eq!((&again.text, again.header("content-type")), (&reply.text, reply.header("content-type")));
        match method {
            "email_link" => app.redeem_token(&reply.text).await.ok(200),
            _ => app.redeem_code(&user, &reply.text).await.ok(200),
        };
        app.work().await;
        assert_eq!(written_to(&app, &user).await, 0);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_still_waits_without_a_live_invitation_is_invited_anew_by_the_scenarios_method() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    revoke(&app, &app.issue(&user, json!({})).await["id"]).await;
    assert_eq!(app.account(&user).await["invitationId"], Value::Null);
    let patches = app.directory.patches().len();
    for scenario in ["TENANT_ADMIN_ASK_PASSWORD", "ADMIN_FORCED_PASSWORD_RESET_VIA_OTP"] {
        resend(&app, &user, scenario).await.fault(400, NO_DATA);
    }
    sent(&resend(&app, &user, "ASK_PASSWORD_VIA_SMS_OTP").await);
    app.work().await;
    let code = app.gateway.last_code("sms").await;
    // It has run out, and was another's scenario.
    app.advance(Duration::from_hours(25));
    sent(&resend(&app, &user, "ASK_PASSWORD_VIA_EMAIL_OTP").await);
    app.work().await;
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    assert_eq!(app.directory.patches().len(), patches, "it was locked all the time");
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["lockReason"]), (&json!("PENDING_AP"), &json!("PENDING_ASK_PASSWORD")));
    let redeemed = app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200);
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    for (scenario, ..) in SCENARIOS {
        resend(&app, &user, scenario).await.fault(400, NO_DATA);
    }
    assert_eq!(invitations(&app, &user).await.len(), 3);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_locked_is_invited_anew_without_a_lock() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    revoke(&app, &app.issue(&user, json!({"lockAccount": false})).await["id"]).await;
    sent(&resend(&app, &user, "ASK_PASSWORD").await);
    app.work().await;
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["locked"]), (&json!("PENDING_AP"), &json!(false)));
    assert!(app.directory.patches().is_empty());
    // A reset that was withdrawn is over: the old password works.
    revoke(&app, &invitations(&app, &user).await[0]["id"]).await;
    sent(&resend(&app, &user, "ASK_PASSWORD").await);
    app.work().await;
    app.accept(&app.gateway.last_token().await).await;
    revoke(&app, &app.issue(&user, json!({"purpose": "password_reset"})).await["id"]).await;
    resend(&app, &user, MANUALS).await.fault(400, NO_DATA);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manuals_sample_brings_an_invited_person_a_link() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "sms_otp"})).await;
    app.advance(Duration::from_mins(1));
    sent(&resend(&app, &user, MANUALS).await);
    app.work().await;
    let resent = app.invitation(&issued["id"]).await;
    assert_eq!((&resent["purpose"], &resent["method"]), (&json!("onboarding"), &json!("email_link")));
    assert_eq!(app.gateway.last("email").await["kind"], "invitation_email_link");
    revoke(&app, &issued["id"]).await;
    sent(&resend(&app, &user, MANUALS).await);
    app.work().await;
    assert_eq!(invitations(&app, &user).await[0]["purpose"], "onboarding");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_who_exists() {
    let app = TestApp::spawn().await;
    let (invited, stranger) = (app.user().await, app.user().await);
    app.issue(&invited, json!({})).await;
    let mut answers = Vec::new();
    for (username, scenario) in [
        (&*invited.username, "ASK_PASSWORD_VIA_SMS_OTP"),
        (&stranger.username, "ASK_PASSWORD"),
        ("nobody", "ASK_PASSWORD"),
    ] {
        let reply = app.post(RESEND, body(username, scenario)).await;
        let mut answer = reply.body.clone();
        reply.fault(400, NO_DATA);
        answer["traceId"] = Value::Null;
        answers.push(answer);
    }
    assert_eq!(answers[0]["message"], "User recovery data is not found. Please re-initiate the recovery flow.");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let token = app.token_for("acme", "invitations:write");
    let elsewhere = app.request("POST", &format!("/t/acme{RESEND}")).bearer_auth(token);
    app.send(elsewhere.json(&body(&invited.username, "ASK_PASSWORD"))).await.fault(400, NO_DATA);
    // A person who is gone from the directory has nothing to be told either.
    revoke(&app, &invitations(&app, &invited).await[0]["id"]).await;
    app.directory.delete("PRIMARY", &invited.id).await;
    resend(&app, &invited, "ASK_PASSWORD").await.fault(400, NO_DATA);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_original_fails_at_is_told_as_the_callers_mistake() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.advance(Duration::from_mins(1));
    let named = |properties: Value| json!({"user": {"username": user.username}, "properties": properties});
    let scenario = |name: Value| json!({"key": "RecoveryScenario", "value": name});
    let cases = [
        (named(json!([])), "20021"),
        (named(json!([scenario(json!(""))])), "20021"),
        (named(json!([scenario(json!(null))])), "20021"),
        (named(json!([scenario(json!("ASK_PASSWORD")), scenario(json!("ASK_PASSWORD"))])), "20021"),
        (
            named(json!([{"key": "", "value": "ASK_PASSWORD"}, {"key": "recoveryscenario", "value": "ASK_PASSWORD"}])),
            "20021",
        ),
        (named(json!([scenario(json!("ask_password"))])), "unknown_scenario"),
        (named(json!([scenario(json!("ASK_PASSWORD "))])), "unknown_scenario"),
        (named(json!([scenario(json!("SELF_SIGN_UP"))])), NO_DATA),
        (named(json!([scenario(json!("ADMIN_INVITE_SET_PASSWORD_OFFLINE"))])), NO_DATA),
        (named(json!([scenario(json!("NOTIFICATION_BASED_PW_RECOVERY"))])), NO_DATA),
        (named(json!(null)), "invalid_request"),
        (named(json!({})), "invalid_request"),
        (named(json!([["RecoveryScenario", "ASK_PASSWORD"]])), "invalid_request"),
        (named(json!([scenario(json!(1))])), "invalid_request"),
        (json!({"user": null, "properties": []}), "invalid_request"),
        (json!({"user": ["alex"], "properties": []}), "invalid_request"),
        (json!({"user": {"username": 1}, "properties": []}), "invalid_request"),
        (json!({"user": {"username": "alex", "realm": "no store"}, "properties": []}), "invalid_request"),
        (json!({"properties": []}), "invalid_request"),
        (json!({}), "invalid_request"),
        (json!([]), "invalid_request"),
    ];
    for (body, code) in cases {
        let reply = app.post(RESEND, body.clone()).await;
        assert_eq!((reply.status, &reply.body["code"]), (400, &json!(code)), "{body}: {}", reply.text);
        reply.fault(400, code);
    }
    assert_eq!(written_to(&app, &user).await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_not_be_reached_is_told_by_the_originals_numbers() {
    let app = TestApp::spawn().await;
    let channels = [
        ("emails", json!("quiet@example.com"), "email_link", "ASK_PASSWORD_VIA_SMS_OTP", "18021"),
        ("phoneNumbers", json!("+15550100002"), "sms_otp", "ASK_PASSWORD", "18018"),
    ];
    for (attribute, address, method, scenario, code) in channels {
        let name = format!("quiet.{}", unique());
        let address = json!([{"value": address, "type": if method == "sms_otp" { "mobile" } else { "work" }}]);
        app.directory.create("PRIMARY", json!({"userName": name, attribute: address})).await;
        let request = json!({"user": {"username": name}, "method": method});
        let issued = app.post("/v1/invitations", request).await.ok(201);
        app.work().await;
        revoke(&app, &issued["id"]).await;
        app.post(RESEND, body(&name, scenario)).await.fault(400, code);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_named_as_the_original_lets_one_be_named() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let name = &user.username;
    let spellings = [
        json!({"username": name}),
        json!({"username": name, "realm": null, "tenant-domain": "elsewhere", "userId": "7", "more": {}}),
        json!({"username": name, "realm": "  "}),
        json!({"username": name.to_uppercase(), "realm": "primary"}),
        json!({"username": format!("PRIMARY/{name}"), "realm": ""}),
    ];
    for (times, spelling) in spellings.into_iter().enumerate() {
        app.advance(Duration::from_mins(1));
        let properties = json!([{"key": "other", "value": null}, {"key": "RecoveryScenario", "value": "ASK_PASSWORD"}]);
        for base in ["/t/carbon.super", "/t/default"].iter().skip(times % 2).take(1) {
            let body = json!({"user": spelling, "properties": properties, "unknown": true});
            sent(&app.post(&format!("{base}{RESEND}"), body).await);
        }
        assert_eq!(app.invitation(&issued["id"]).await["resends"], json!(times + 1));
    }
    let elsewhere = json!({"username": name, "realm": "SECONDARY"});
    let body = json!({"user": elsewhere, "properties": [{"key": "RecoveryScenario", "value": "ASK_PASSWORD"}]});
    app.post(RESEND, body).await.fault(400, NO_DATA);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_slowed_down_and_limited_as_any_resend() {
    let app = TestApp::with(Settings { defaults: "resend = { max_per_invitation = 1 }", ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let soon = resend(&app, &user, "ASK_PASSWORD").await;
    assert!((1..=60).contains(&soon.header("retry-after").parse::<u64>().unwrap()));
    soon.fault(429, "resend_too_soon");
    app.advance(Duration::from_mins(1));
    sent(&resend(&app, &user, "ASK_PASSWORD").await);
    app.advance(Duration::from_mins(1));
    resend(&app, &user, "ASK_PASSWORD").await.fault(429, "resend_limit");
    app.work().await;
    assert_eq!(written_to(&app, &user).await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_sent() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.advance(Duration::from_mins(1));
    for round in 1..=2 {
        let calls = (0..8).map(|_| resend(&app, &user, "ASK_PASSWORD"));
        let mut statuses: Vec<u16> =
            futures_util::future::join_all(calls).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 429, 429, 429, 429, 429, 429, 429], "round {round}");
        app.work().await;
        assert_eq!(written_to(&app, &user).await, 1 + round);
        // In the second round nothing is live, so that the one is invited anew.
        revoke(&app, &invitations(&app, &user).await[0]["id"]).await;
    }
    assert_eq!(app.invitation(&issued["id"]).await["generation"], 2);
    assert_eq!(invitations(&app, &user).await.len(), 2);
    app.finish().await;
}

//! WSO2's `offline-invite-link`: a link to hand over, that takes the place of every other secret.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::database::unique;
use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, Settings, TestApp, User};

const LINK: &str = "/api/users/v1/offline-invite-link";

async fn ask(app: &TestApp, username: &str) -> Reply {
    app.post(LINK, json!({"username": username, "userstore": "PRIMARY"})).await
}

/// The token in the link, which is header and body alike.
fn token(reply: &Reply) -> String {
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(reply.header("location"), reply.text);
    reply.text.strip_prefix("https://app.example.com/set-password#token=").unwrap().to_owned()
}

async fn link(app: &TestApp, user: &User) -> String {
    token(&ask(app, &user.username).await)
}

/// The account's newest invitation.
async fn newest(app: &TestApp, username: &str) -> Value {
    app.get(&format!("/v1/invitations?username={username}")).await.ok(200)["items"][0].clone()
}

/// A refusal of this route.
#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) {
    assert_eq!(reply.body["message"], "Unable to generate user invite link.", "{}", reply.text);
    reply.fault(status, code);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lets_in_who_was_invited_and_locked_and_nothing_else_does_any_more() {
    let app = TestApp::with(Settings { defaults: "resend = { tolerance_minutes = 30 }", ..Settings::default() }).await;
    let user = app.user().await;
    let metadata = json!({"ticket": "HR-1"});
    let fields = json!({"method": "email_otp", "metadata": metadata, "redirectUrl": "https://app.example.com/welcome"});
    let issued = app.issue(&user, fields).await;
    let code = app.gateway.last_code("email").await;
    let grant = app.redeem_code(&user, &code).await.ok(200)["grant"].as_str().unwrap().to_owned();
    let first = link(&app, &user).await;
    let second = link(&app, &user).await;
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1, "nothing is sent");
    assert_eq!(app.invitation(&issued["id"]).await["status"], "revoked");
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    app.redeem_token(&first).await.problem(410, "invitation_revoked");
    let made = newest(&app, &user.username).await;
    assert_eq!(
        (&made["purpose"], &made["method"], &made["metadata"]),
        (&json!("onboarding"), &json!("email_link"), &metadata)
    );
    assert_eq!(made["delivery"]["status"], "skipped");
    let account = app.account(&user).await;
    assert_eq!((&account["locked"], &account["state"]), (&json!(true), &json!("PENDING_AP")));

    let redeemed = app.redeem_token(&second).await.ok(200);
    let set = app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    assert_eq!(set["redirectUrl"], "https://app.example.com/welcome");
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    assert_eq!(app.gateway.last("email").await["kind"], "activation_email");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lives_as_long_as_an_invitation_and_never_longer_than_the_next_one() {
    let app = TestApp::with(Settings { defaults: "expiry_minutes = 7", ..Settings::default() }).await;
    let user = app.user().await;
    let first = link(&app, &user).await;
    app.advance(Duration::from_mins(8));
    app.redeem_token(&first).await.problem(410, "invitation_expired");
    let second = link(&app, &user).await;
    app.advance(Duration::from_mins(6));
    app.accept(&second).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_never_invited_or_has_a_password_stays_unlocked() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for purpose in ["onboarding", "password_reset"] {
        let token = link(&app, &user).await;
        assert_eq!(newest(&app, &user.username).await["purpose"], purpose);
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
        assert!(app.directory.patches().iter().all(|patch| patch.replaced("active").is_none()));
        app.accept(&token).await;
        app.work().await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_an_administrator_asked_for_stays_one() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"purpose": "password_reset", "method": "sms_otp", "lockAccount": true})).await;
    let token = link(&app, &user).await;
    assert_eq!(newest(&app, &user.username).await["purpose"], "password_reset");
    assert_eq!(app.account(&user).await["lockReason"], "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET");
    app.accept(&token).await;
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_address_can_be_handed_one() {
    let app = TestApp::spawn().await;
    let name = format!("quiet.{}", unique());
    let id = app.directory.create("PRIMARY", json!({"userName": name})).await;
    let token = token(&ask(&app, &name).await);
    app.accept(&token).await;
    app.work().await;
    assert!(app.gateway.received("email").await.is_empty());
    let set = app.directory.patches().pop().unwrap();
    assert_eq!(set.replaced("password"), Some(&json!(PASSWORD)));
    assert_eq!(app.directory.user("PRIMARY", &id).await["active"], true);
    let issue = json!({"user": {"username": name}, "delivery": "return"});
    assert!(app.post("/v1/invitations", issue).await.ok(201)["secret"]["link"].is_string(), "the native route alike");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_would_lead_nowhere_is_refused_by_the_originals_numbers() {
    let app = TestApp::spawn().await;
    let (locked, disabled) = (app.user().await, app.user().await);
    app.issue(&locked, json!({})).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", locked.username), json!({})).await.ok(200);
    app.work().await;
    refused(ask(&app, &locked.username).await, 409, "17003");
    app.directory.set_active("PRIMARY", &disabled.id, false).await;
    refused(ask(&app, &disabled.username).await, 409, "17004");
    refused(ask(&app, "nobody").await, 404, "18003");
    let elsewhere = |store: Value| app.post(LINK, json!({"username": locked.username, "userstore": store}));
    refused(elsewhere(json!("no store")).await, 404, "17009");
    app.directory.break_next("GET", Fault::Refusal(404, json!({"status": "404"})));
    refused(elsewhere(json!("ELSEWHERE")).await, 404, "17009");
    for (store, words) in [(json!("  "), "/userstore"), (json!(""), "/userstore")] {
        let reply = elsewhere(store).await;
        assert!(reply.text.contains(words), "{}", reply.text);
        refused(reply, 400, "invalid_request");
    }
    for body in [
        json!({"username": "alex"}),
        json!({"userstore": "PRIMARY"}),
        json!({"username": null, "userstore": "PRIMARY"}),
        json!({"username": 7, "userstore": "PRIMARY"}),
        json!({"username": "", "userstore": "PRIMARY"}),
        json!(["alex", "PRIMARY"]),
    ] {
        app.post(LINK, body).await.fault(400, "invalid_request");
    }
    app.directory.break_next("GET", Fault::Status(500));
    refused(ask(&app, &disabled.username).await, 503, "directory_unavailable");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_password_is_being_set_there_is_no_other_link() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.problem(503, "directory_unavailable");
    let reply = ask(&app, &user.username).await;
    assert!(reply.header("retry-after").parse::<u64>().is_ok());
    refused(reply, 409, "accept_in_progress");
    app.advance(Duration::from_secs(61));
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_opens_and_a_key_brings_the_same_one_back() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let links = futures_util::future::join_all((0..8).map(|_| link(&app, &user))).await;
    let mut opening = Vec::new();
    for token in &links {
        let reply = app.redeem_token(token).await;
        assert!([200, 410].contains(&reply.status), "{}", reply.text);
        opening.extend((reply.status == 200).then_some(token));
    }
    assert_eq!(opening.len(), 1);
    let keyed = || {
        let request = app.request("POST", LINK).bearer_auth(app.token()).header("Idempotency-Key", "once");
        app.send(request.json(&json!({"username": user.username, "userstore": "primary", "more": 1})))
    };
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(token(&first), token(&again));
    app.accept(&token(&again)).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_sign_in_already_waits_for_nothing_whatever_becomes_of_the_link() {
    let app = TestApp::spawn().await;
    let (stranger, settled) = (app.user().await, app.user().await);
    app.issue(&settled, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    for user in [&stranger, &settled] {
        let state = async || app.account(user).await["state"].clone();
        link(&app, user).await;
        assert_eq!(state().await, "UNLOCKED");
        let made = newest(&app, &user.username).await;
        app.advance(Duration::from_mins(1));
        app.post(&format!("/v1/invitations/{}/resend", made["id"].as_str().unwrap()), json!({})).await.ok(200);
        app.work().await;
        assert_eq!(state().await, "UNLOCKED", "resent as an invitation");
        app.advance(Duration::from_hours(25));
        app.work().await;
        assert_eq!(state().await, "UNLOCKED", "run out");
        app.accept(&link(&app, user).await).await;
        app.work().await;
        assert_eq!(state().await, "UNLOCKED", "accepted");
    }
    // An invitation in its place is one as any other.
    link(&app, &stranger).await;
    app.issue(&stranger, json!({"ifExists": "replace"})).await;
    assert_eq!(app.account(&stranger).await["state"], "PENDING_AP");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_introspected_and_resent_as_the_invitation_that_it_is() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let token = link(&app, &user).await;
    let looked = app.post("/api/identity/user/v1.0/introspect-code", json!({"code": token})).await.ok(202);
    assert_eq!(
        (&looked["recoveryScenario"], &looked["recoveryStep"]),
        (&json!("ASK_PASSWORD"), &json!("UPDATE_PASSWORD"))
    );
    app.advance(Duration::from_mins(1));
    let properties = json!([{"key": "RecoveryScenario", "value": "ASK_PASSWORD"}]);
    let body = json!({"user": {"username": user.username}, "properties": properties});
    assert_eq!(app.post("/api/identity/user/v1.0/resend-code", body).await.status, 201);
    app.work().await;
    app.redeem_token(&token).await.problem(410, "invitation_superseded");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

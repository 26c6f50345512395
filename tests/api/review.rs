//! Ways around a rule that a reviewer thought of.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Settings, TestApp, token};

#[tokio::test(flavor = "multi_thread")]
async fn an_address_written_in_another_way_is_counted_as_well() {
    let app = TestApp::with(Settings { calls_per_minute: 2, ..Settings::default() }).await;
    let call = |path: &'static str| app.send(app.request("POST", path).json(&json!({"token": "none"})));
    call("/v1/%72edemptions").await.problem(400, "invalid_or_expired");
    call("/t/acme/v1/redemption%73").await.problem(400, "invalid_or_expired");
    call("/v1/%72edemptions").await.problem(429, "rate_limited");
    call("/v1/redemptions").await.problem(429, "rate_limited");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_demands_what_we_do_not_know_is_refused() {
    let app = TestApp::spawn().await;
    let claims = token::claims("default", "accounts:read", now(&app));
    let mut header = Header { typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    let answer_to = async |header: &Header| {
        let jwt = jsonwebtoken::encode(header, &claims, &EncodingKey::from_secret(token::SECRET.as_bytes())).unwrap();
        app.send(app.request("GET", "/v1/accounts/PRIMARY/nobody").bearer_auth(jwt)).await
    };
    answer_to(&header).await.problem(404, "account_not_found");
    header.crit = Some(vec!["exp".to_owned()]);
    answer_to(&header).await.problem(401, "unauthorized");
    app.finish().await;
}

fn now(app: &TestApp) -> i64 {
    use invited::clock::Clock as _;
    app.clock.now().seconds()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_makes_no_sense_burns_nothing() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    app.directory.break_next("GET", Fault::Refusal(200, json!({"id": "somebody-else", "userName": "somebody"})));
    let reply = app.set_password(grant, PASSWORD).await;
    assert_eq!(reply.header("retry-after"), "5");
    reply.problem(503, "directory_unavailable");
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    app.set_password(grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_makes_no_sense_gives_no_lock_up() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"user": user.known()})).await.ok(201);
    app.directory.break_next("GET", Fault::Refusal(200, json!({"id": "somebody-else", "userName": "somebody"})));
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "provisioning");
    app.advance(Duration::from_mins(1));
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_acceptance_the_sweep_completed_is_told_so() {
    let app = TestApp::with(Settings { directory: "marker_attribute = \"nickName\"", ..Settings::default() }).await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let let_go = Arc::new(Notify::new());
    app.directory.break_next("GET", Fault::None);
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.directory.break_next("GET", Fault::Held(Arc::clone(&let_go)));
    let before = app.directory.calls().len();
    let sweep = async {
        while app.directory.calls().len() < before + 3 {
            tokio::task::yield_now().await;
        }
        app.advance(Duration::from_secs(61));
        assert_eq!(app.sweep().await, 1);
        let_go.notify_one();
    };
    let (answer, ()) = tokio::join!(app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD), sweep);
    let accepted = answer.ok(200);
    assert_eq!(accepted["acceptedAt"], app.invitation(&issued["id"]).await["acceptedAt"]);
    app.work().await;
    let events = app.events(&issued["id"]).await;
    assert_eq!(events.iter().filter(|event| *event == "invitation.accepted").count(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_sees_changes_without_end_is_asked_with_growing_waits() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"user": user.known()})).await.ok(201);
    for _ in 0..5 {
        app.directory.break_next("PATCH", Fault::Status(412));
    }
    app.work().await;
    assert_eq!(app.directory.patches().len(), 3);
    for _ in 0..3 {
        assert_eq!(app.invitation(&issued["id"]).await["status"], "provisioning");
        app.advance(Duration::from_mins(3));
        app.work().await;
    }
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    assert_eq!(app.directory.patches().len(), 6);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_just_before_our_lock_is_left_disabled() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"user": user.known()})).await.ok(201);
    // We have seen an active user and written down what we are about to do; the change comes first, and ours is refused for its version.
    let let_go = Arc::new(Notify::new());
    app.directory.break_next("PATCH", Fault::Held(Arc::clone(&let_go)));
    let disable = async {
        while app.directory.patches().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.directory.set_active("PRIMARY", &user.id, false).await;
        let_go.notify_one();
    };
    tokio::join!(app.work(), disable);
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.problem(403, "account_disabled");
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_whose_answer_was_lost_is_known_to_be_ours() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"user": user.known()})).await.ok(201);
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.work().await;
    app.advance(Duration::from_mins(5));
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    assert_eq!(app.directory.patches().len(), 1, "it was read again, and is as wanted");
    app.accept(&app.gateway.last_token().await).await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_refuses_our_credential_ends_no_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"user": user.known()})).await.ok(201);
    for _ in 0..30 {
        app.directory.break_next("GET", Fault::Status(401));
        app.work().await;
        app.advance(Duration::from_secs(100));
    }
    assert_eq!(app.invitation(&issued["id"]).await["status"], "provisioning");
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_found_is_no_user_that_is_gone() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"user": user.known()})).await.ok(201);
    // Something in front of the directory answers for it, while it is started anew.
    app.directory.break_next("GET", Fault::Status(404));
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "provisioning");
    app.advance(Duration::from_mins(5));
    app.work().await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    app.directory.break_next("GET", Fault::Status(404));
    app.set_password(grant, PASSWORD).await.problem(503, "directory_unavailable");
    app.set_password(grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

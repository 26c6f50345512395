//! How often a code may be tried: five times a generation, twenty an account, on all paths together.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Settings, TestApp, User};

async fn otp_invitation(app: &TestApp) -> (User, Value, String) {
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp"})).await;
    (user, issued["id"].clone(), app.gateway.last_code("email").await)
}

async fn way_two(app: &TestApp, user: &User, code: &str) -> Value {
    app.post("/v1/otp-logins", json!({"username": user.username, "otp": code})).await.ok(200)["outcome"].clone()
}

async fn resend(app: &TestApp, id: &Value) -> String {
    app.advance(Duration::from_mins(1));
    app.post(&format!("/v1/invitations/{}/resend", id.as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    app.gateway.last_code("email").await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_five_wrong_codes_the_right_one_is_refused() {
    let app = TestApp::spawn().await;
    let (user, id, code) = otp_invitation(&app).await;
    for left in [4, 3, 2, 1, 0] {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
        assert_eq!(app.invitation(&id).await["attemptsRemaining"], left);
    }
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    assert_eq!(way_two(&app, &user, &code).await, "rejected");
    assert_eq!(
        app.account(&user).await["otpFailures"],
        5,
        "what a used-up generation refuses costs the account nothing"
    );
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    let before = app.directory.patches().len();
    app.work().await;
    assert_eq!(app.directory.patches().len(), before, "wrong codes do not touch the directory");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_and_every_spelling_share_one_budget() {
    let app = TestApp::spawn().await;
    let (user, id, code) = otp_invitation(&app).await;
    let upper = User { username: user.username.to_uppercase(), ..user.clone() };
    let wide = User { username: user.username.replacen('a', "ａ", 1), ..user.clone() };
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    app.redeem_code(&upper, "wrong2").await.problem(400, "invalid_or_expired");
    app.redeem_code(&wide, "wrong3").await.problem(400, "invalid_or_expired");
    assert_eq!(way_two(&app, &user, "wrong4").await, "rejected");
    assert_eq!(app.invitation(&id).await["attemptsRemaining"], 1);
    app.redeem_code(&upper, &code).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resending_buys_a_generation_but_no_account_budget() {
    let app = TestApp::spawn().await;
    let (user, id, _) = otp_invitation(&app).await;
    for _ in 0..3 {
        for _ in 0..5 {
            app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
        }
        resend(&app, &id).await;
    }
    for _ in 0..5 {
        assert_eq!(way_two(&app, &user, "wrong1").await, "rejected");
    }
    assert_eq!(app.account(&user).await["otpAttemptsRemaining"], 0);
    let code = resend(&app, &id).await;
    assert_eq!(app.invitation(&id).await["attemptsRemaining"], 5);
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    assert_eq!(app.invitation(&id).await["attemptsRemaining"], 5, "a blocked account burns nothing of its invitation");

    app.post(&format!("/v1/accounts/PRIMARY/{}/unlock", user.username), json!({})).await.ok(200);
    app.redeem_code(&user, &code).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn success_starts_the_account_anew() {
    let app = TestApp::spawn().await;
    let (user, _, code) = otp_invitation(&app).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    let redeemed = app.redeem_code(&user, &code).await.ok(200);
    assert_eq!(
        app.account(&user).await["otpFailures"],
        1,
        "a right code is not counted, but does not clear the count either"
    );
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    assert_eq!(app.account(&user).await["otpFailures"], 0);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_the_same_bytes() {
    let app = TestApp::spawn().await;
    let (wrong, _, _) = otp_invitation(&app).await;
    let (revoked, revoked_id, revoked_code) = otp_invitation(&app).await;
    app.post(&format!("/v1/invitations/{}/revoke", revoked_id.as_str().unwrap()), json!({})).await.ok(200);
    let (accepted, _, accepted_code) = otp_invitation(&app).await;
    let grant = app.redeem_code(&accepted, &accepted_code).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.set_password(&grant, PASSWORD).await.ok(200);
    let (exhausted, _, exhausted_code) = otp_invitation(&app).await;
    for _ in 0..5 {
        app.redeem_code(&exhausted, "wrong1").await.problem(400, "invalid_or_expired");
    }
    let link = app.user().await;
    app.issue(&link, json!({})).await;
    let uninvited = app.user().await;
    let unknown = User { username: "nobody".to_owned(), ..uninvited.clone() };
    let unnameable = User { username: "no\u{202e}body".to_owned(), ..uninvited.clone() };
    let cases = [
        (&wrong, "wrong1"),
        (&revoked, revoked_code.as_str()),
        (&accepted, accepted_code.as_str()),
        (&exhausted, exhausted_code.as_str()),
        (&link, "wrong1"),
        (&uninvited, "wrong1"),
        (&unknown, "wrong1"),
        (&unnameable, "wrong1"),
        (&wrong, "far too long to be a code of ours"),
        (&wrong, ""),
    ];
    let mut answers = Vec::new();
    for (user, code) in cases {
        answers.push(observable(app.redeem_code(user, code).await));
    }
    answers
        .push(observable(app.redeem(json!({"username": wrong.username, "realm": "SECONDARY", "otp": "wrong1"})).await));
    answers.push(observable(app.redeem_token("inv1_nonsense").await));
    for answer in &answers {
        assert_eq!(*answer, answers[0]);
    }
    app.work().await;
    app.finish().await;
}

/// Status, headers and body, without what differs by design from request to request.
fn observable(reply: Reply) -> (u16, BTreeMap<String, String>, Value) {
    let named = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let headers = reply.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
    // The server's map of headers has no order of its own.
    let headers = headers.map(named).collect();
    let status = reply.status;
    let mut body = reply.problem(400, "invalid_or_expired");
    body.as_object_mut().unwrap().remove("traceId");
    (status, headers, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_often_is_slowed_down_whatever_it_asks_for() {
    let app = TestApp::with(Settings { calls_per_minute: 3, ..Settings::default() }).await;
    let (user, _, code) = otp_invitation(&app).await;
    let nobody = User { username: "nobody".to_owned(), ..user.clone() };
    app.redeem_code(&nobody, "wrong1").await.problem(400, "invalid_or_expired");
    app.redeem_token("inv1_nonsense").await.problem(400, "invalid_or_expired");
    let grant = app.redeem_code(&user, &code).await.ok(200)["grant"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let refused = app.redeem_code(&nobody, "wrong1").await;
        assert!((1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
        refused.problem(429, "rate_limited");
        app.set_password(&grant, PASSWORD).await.problem(429, "rate_limited");
    }
    app.account(&user).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_is_given_again_for_the_same_key_and_code() {
    let app = TestApp::spawn().await;
    let (user, _, code) = otp_invitation(&app).await;
    let redeem = |key: &str, code: &str| {
        let body = json!({"username": user.username, "otp": code});
        app.send(app.request("POST", "/v1/redemptions").header("Idempotency-Key", key).json(&body))
    };
    let first = redeem("key-1", &code).await.ok(200);
    let again = redeem("\"key-1\"", &code).await.ok(200);
    assert_eq!(first, again);
    redeem("key-2", &code).await.problem(400, "invalid_or_expired");
    redeem("key-1", "wrong1").await.problem(400, "invalid_or_expired");
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    assert_eq!(app.account(&user).await["otpFailures"], 2, "wrong repeats with a key are counted");
    app.advance(Duration::from_mins(11));
    redeem("key-1", &code).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_there_was_no_room_to_compare_costs_nothing() {
    let app = TestApp::with(Settings { defaults: "otp = { hashing = \"argon2id\" }", ..Settings::default() }).await;
    let mut invited = Vec::new();
    for _ in 0..32 {
        let user = app.user().await;
        let issued = app.try_issue(&user, json!({"method": "email_otp", "lockAccount": false})).await.ok(201);
        invited.push((user, issued["id"].clone()));
    }
    app.work().await;
    let replies = join_all(invited.iter().map(|(user, _)| app.redeem_code(user, "wrong1"))).await;
    assert!(replies.iter().any(|reply| reply.status == 503), "the pool was never full");
    for ((user, id), reply) in invited.iter().zip(replies) {
        let compared = i64::from(reply.status == 400);
        if compared == 0 {
            reply.problem(503, "overloaded");
        }
        assert_eq!(app.invitation(id).await["attemptsRemaining"], 5 - compared);
        assert_eq!(app.account(user).await["otpFailures"], compared);
    }
    app.finish().await;
}

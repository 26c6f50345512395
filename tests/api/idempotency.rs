//! `Idempotency-Key`: done once, answered as often as asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use invited::clock::Clock as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::bulk::{BULK, lines, row, run};
use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, TestApp, User, token};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
const DAY: Duration = Duration::from_hours(24);
const RACERS: usize = 24;
const KEPT: &str = "SELECT count(*) AS count FROM idempotency";
const INVITATIONS: &str = "SELECT count(*) AS count FROM invitation";

async fn post_as(app: &TestApp, bearer: &str, path: &str, key: &str, body: &Value) -> Reply {
    app.send(app.request("POST", path).bearer_auth(bearer).header("Idempotency-Key", key).json(body)).await
}

async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> Reply {
    post_as(app, &app.token(), path, key, body).await
}

async fn issue(app: &TestApp, key: &str, body: &Value) -> Reply {
    post(app, "/v1/invitations", key, body).await
}

fn invite(user: &User) -> Value {
    json!({"user": {"username": user.username}, "lockAccount": false})
}

/// Both are the answer to one call, the second a repeat.
#[track_caller]
fn assert_repeated(first: &Reply, again: &Reply) {
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    for name in ["content-type", "location", "cache-control"] {
        assert_eq!(first.header(name), again.header(name), "{name}");
    }
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_byte_for_byte_and_sends_nothing_again() {
    let app = TestApp::spawn().await;
    let body = invite(&app.user().await);
    let first = issue(&app, KEY, &body).await;
    assert_eq!((first.status, first.header("location")), (201, location(&first).as_str()));
    app.work().await;
    app.advance(Duration::from_mins(1));
    let again = issue(&app, &format!("\"{KEY}\""), &body).await;
    assert_repeated(&first, &again);
    app.work().await;
    assert_eq!((app.gateway.received("email").await.len(), app.database.count(INVITATIONS)), (1, 1));
    assert_eq!(app.events(&first.body["id"]).await, ["invitation.issued", "message.sent"]);
    app.finish().await;
}

fn location(issued: &Reply) -> String {
    format!("/v1/invitations/{}", issued.body["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_answer_comes_again_and_lies_nowhere_in_the_open() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let mut body = invite(&user);
    body["delivery"] = json!("return");
    let first = issue(&app, KEY, &body).await;
    let link = first.body["secret"]["link"].as_str().unwrap().to_owned();
    assert_repeated(&first, &issue(&app, KEY, &body).await);
    let bytes = app.database.raw_bytes();
    for secret in [KEY, link.as_str(), link.split_once("#token=").unwrap().1] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} can be read");
    }
    app.accept(link.split_once("#token=").unwrap().1).await;
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1, "only that the password was set");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_one_request_is_refused_for_another() {
    let app = TestApp::spawn().await;
    let (alex, kim) = (app.user().await, app.user().await);
    let first = issue(&app, KEY, &invite(&alex)).await.ok(201);
    issue(&app, KEY, &invite(&kim)).await.problem(422, "idempotency_key_reused");
    let other = app.try_issue(&kim, json!({"lockAccount": false})).await.ok(201);
    let revoke = |id: &Value| format!("/v1/invitations/{}/revoke", id.as_str().unwrap());
    post(&app, &revoke(&first["id"]), KEY, &json!({})).await.ok(200);
    post(&app, &revoke(&other["id"]), KEY, &json!({})).await.problem(422, "idempotency_key_reused");
    assert_eq!(app.invitation(&other["id"]).await["status"], "pending");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_caller_tenant_or_operation_has_keys_of_its_own() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let body = json!({"user": user.known(), "lockAccount": false, "ifExists": "replace"});
    let mine = issue(&app, KEY, &body).await.ok(201);
    let mut claims = token::claims("default", "invitations:write", app.clock.now().seconds());
    claims["sub"] = json!("another-portal");
    let other = token::sign(&claims, "at+jwt");
    let theirs = post_as(&app, &other, "/v1/invitations", KEY, &body).await;
    assert_eq!((theirs.status, theirs.header("idempotent-replayed")), (201, ""));
    assert_ne!(theirs.body["id"], mine["id"]);
    let acme = app.token_for("acme", "invitations:write");
    let elsewhere = post_as(&app, &acme, "/t/acme/v1/invitations", KEY, &body).await;
    assert_eq!((elsewhere.status, elsewhere.header("idempotent-replayed")), (201, ""));
    assert!(elsewhere.header("location").starts_with("/t/acme/v1/invitations/inv_"));
    assert_repeated(&elsewhere, &post_as(&app, &acme, "/t/acme/v1/invitations", KEY, &body).await);
    let lock = format!("/v1/accounts/PRIMARY/{}/lock", user.username);
    assert_eq!(post(&app, &lock, KEY, &json!({})).await.header("idempotent-replayed"), "");
    assert_eq!(app.database.count(KEPT), 4);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_with_one_key_one_is_done() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let body = json!({"user": user.known(), "lockAccount": false, "ifExists": "replace"});
    let replies = join_all((0..RACERS).map(|_| issue(&app, KEY, &body))).await;
    let (done, waiting): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!(done.iter().filter(|reply| reply.header("idempotent-replayed").is_empty()).count(), 1);
    assert!(done.iter().all(|reply| reply.text == done[0].text));
    for reply in waiting {
        assert_eq!(reply.header("retry-after"), "1");
        reply.problem(409, "idempotency_in_progress");
    }
    assert_eq!(issue(&app, KEY, &body).await.text, done[0].text);
    app.work().await;
    assert_eq!((app.database.count(INVITATIONS), app.gateway.received("email").await.len()), (1, 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resending_revoking_and_locking_are_repeated_too() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let invitation = location(&app.get(&format!("/v1/invitations/{}", issued["id"].as_str().unwrap())).await);
    let account = format!("/v1/accounts/PRIMARY/{}", user.username);
    app.advance(Duration::from_mins(1));
    for path in ["resend", "revoke"].map(|verb| format!("{invitation}/{verb}")) {
        repeat_after_a_while(&app, &path).await;
    }
    for path in ["lock", "unlock"].map(|verb| format!("{account}/{verb}")) {
        repeat_after_a_while(&app, &path).await;
    }
    assert_eq!(app.invitation(&issued["id"]).await["resends"], 1);
    let locked = "SELECT count(*) AS count FROM audit_event WHERE event IN ('account.locked', 'account.unlocked')";
    assert_eq!(app.database.count(locked), 2);
    app.finish().await;
}

async fn repeat_after_a_while(app: &TestApp, path: &str) {
    let first = post(app, path, KEY, &json!({})).await;
    assert_eq!(first.status, 200, "{path}: {}", first.text);
    app.work().await;
    app.advance(Duration::from_mins(1));
    assert_repeated(&first, &post(app, path, KEY, &json!({})).await);
    app.work().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_many_rows_becomes_one_job_however_often_it_is_sent() {
    let app = TestApp::spawn().await;
    let body = lines(&[row("alex"), row("kim")]);
    let send = |body: String| {
        let request = app.request("POST", BULK).bearer_auth(app.token()).header("Idempotency-Key", KEY);
        app.send(request.header("Content-Type", "application/x-ndjson").body(body))
    };
    send(String::new()).await.problem(400, "bulk_empty");
    let first = send(body.clone()).await;
    assert_eq!((first.status, first.header("location").starts_with(BULK)), (202, true), "{}", first.text);
    assert_repeated(&first, &send(body.clone()).await);
    send(lines(&[row("alex")])).await.problem(422, "idempotency_key_reused");
    run(&app).await;
    assert_repeated(&first, &send(body).await);
    run(&app).await;
    app.work().await;
    assert_eq!((app.database.count(INVITATIONS), app.gateway.received("email").await.len()), (2, 2));
    let jobs = "SELECT count(*) AS count FROM bulk_job WHERE status NOT IN ('discarded', 'receiving')";
    assert_eq!(app.database.count(jobs), 1);
    app.finish().await;
}

async fn set_password(app: &TestApp, grant: &str, password: &str) -> Reply {
    post_as(app, grant, "/v1/redemptions/password", KEY, &json!({"password": password})).await
}

async fn grant(app: &TestApp) -> String {
    app.issue(&app.user().await, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    redeemed["grant"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_answer_got_lost_gets_it_again_for_the_same_grant_and_password() {
    let app = TestApp::spawn().await;
    let (mine, theirs) = (grant(&app).await, grant(&app).await);
    set_password(&app, &mine, "short").await.problem(422, "password_rejected");
    let first = set_password(&app, &mine, PASSWORD).await;
    assert_repeated(&first, &set_password(&app, &mine, PASSWORD).await);
    assert_eq!(first.body["status"], "accepted");
    set_password(&app, &mine, "another good passphrase").await.problem(422, "idempotency_key_reused");
    app.set_password(&mine, PASSWORD).await.problem(401, "grant_invalid");
    assert_eq!(set_password(&app, &theirs, PASSWORD).await.header("idempotent-replayed"), "");
    app.work().await;
    assert_eq!(app.directory.patches().iter().filter(|patch| patch.replaced("password").is_some()).count(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_password_is_kept_longer_than_its_grant_lives() {
    let app = TestApp::spawn().await;
    let grant = grant(&app).await;
    set_password(&app, "no-grant", PASSWORD).await.problem(401, "grant_invalid");
    assert_eq!(app.database.count(KEPT), 0, "without a grant nothing is even reserved");
    set_password(&app, &grant, PASSWORD).await.ok(200);
    let bytes = app.database.raw_bytes();
    assert!(!bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
    app.work().await;
    assert_eq!(app.database.count(KEPT), 1);
    app.advance(Duration::from_mins(11));
    set_password(&app, &grant, PASSWORD).await.problem(401, "grant_invalid");
    app.sweep().await;
    assert_eq!(app.database.count(KEPT), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_or_failed_is_done_when_it_is_repeated() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let body = invite(&user);
    let in_the_way = app.issue(&user, json!({"lockAccount": false})).await;
    issue(&app, KEY, &body).await.problem(409, "invitation_exists");
    app.post(&format!("/v1/invitations/{}/revoke", in_the_way["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.directory.break_next("GET", Fault::Status(503));
    issue(&app, KEY, &body).await.problem(503, "directory_unavailable");
    app.database.execute("ALTER TABLE outbox RENAME TO outbox_gone");
    issue(&app, KEY, &body).await.problem(500, "internal");
    app.database.execute("ALTER TABLE outbox_gone RENAME TO outbox");
    assert_eq!(app.database.count(KEPT), 0);
    let first = issue(&app, KEY, &body).await;
    assert_repeated(&first, &issue(&app, KEY, &body).await);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlives_its_lease_is_undone_when_another_took_over() {
    let app = TestApp::spawn().await;
    let mut body = invite(&app.user().await);
    body["ifExists"] = json!("replace");
    let let_go = Arc::new(Notify::new());
    app.directory.break_next("GET", Fault::Held(Arc::clone(&let_go)));
    let slow = async {
        issue(&app, KEY, &body).await.problem(409, "idempotency_in_progress");
    };
    let takes_over = async {
        while app.directory.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        issue(&app, KEY, &body).await.problem(409, "idempotency_in_progress");
        app.advance(Duration::from_secs(61));
        let second = issue(&app, KEY, &body).await;
        assert_eq!((second.status, second.header("idempotent-replayed")), (201, ""));
        let_go.notify_one();
        second
    };
    let ((), second) = tokio::join!(slow, takes_over);
    assert_repeated(&second, &issue(&app, KEY, &body).await);
    assert_eq!(app.database.count(INVITATIONS), 1);
    assert_eq!(app.invitation(&second.body["id"]).await["status"], "pending");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_for_a_day() {
    let app = TestApp::spawn().await;
    let body = invite(&app.user().await);
    let first = issue(&app, KEY, &body).await;
    app.work().await;
    app.advance(DAY.checked_sub(Duration::from_secs(30)).unwrap());
    app.sweep().await;
    assert_repeated(&first, &issue(&app, KEY, &body).await);
    app.advance(Duration::from_secs(30));
    let path = format!("{}/revoke", location(&first));
    app.post(&path, json!({})).await.ok(200);
    let next = issue(&app, KEY, &body).await;
    assert_ne!(next.ok(201)["id"], first.body["id"], "a new call, even before anything was cleaned up");
    app.work().await;
    app.advance(DAY);
    app.sweep().await;
    assert_eq!(app.database.count(KEPT), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_must_be_one_and_without_one_nothing_is_kept() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for bad in ["", "\"\"", "a b", "schlüssel", &"x".repeat(256)] {
        issue(&app, bad, &invite(&user)).await.field_problem(400, "Idempotency-Key", "invalid_idempotency_key");
    }
    let twice = app.request("POST", "/v1/invitations").bearer_auth(app.token()).json(&invite(&user));
    let twice = twice.header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    app.send(twice).await.field_problem(400, "Idempotency-Key", "invalid_idempotency_key");
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    assert_eq!(app.database.count(KEPT), 0);
    issue(&app, &"x".repeat(255), &invite(&app.user().await)).await.ok(201);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_person_goes_with_the_person() {
    let app = TestApp::spawn().await;
    let (alex, kim) = (app.user().await, app.user().await);
    issue(&app, "alex", &invite(&alex)).await.ok(201);
    issue(&app, "kim", &invite(&kim)).await.ok(201);
    app.work().await;
    let erase = app.request("DELETE", &format!("/v1/accounts/PRIMARY/{}", alex.username)).bearer_auth(app.token());
    app.send(erase).await.ok(204);
    assert_eq!(app.database.count(KEPT), 1);
    assert_eq!(issue(&app, "kim", &invite(&kim)).await.header("idempotent-replayed"), "true");
    app.finish().await;
}

//! Scheduled sending: the account is locked at once, the message waits for its time, and whatever ends the invitation beats it.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::directory::Fault;
use crate::support::{Reply, Settings, TestApp};

const HOUR: Duration = Duration::from_hours(1);

/// The time `ahead` of now, as a call names it.
fn at(app: &TestApp, ahead: Duration) -> String {
    use invited::clock::Clock as _;
    app.clock.now().after(ahead).to_rfc3339()
}

async fn mails(app: &TestApp) -> usize {
    app.gateway.received("email").await.len()
}

async fn resend(app: &TestApp, id: &Value, body: Value) -> Reply {
    app.post(&format!("/v1/invitations/{}/resend", id.as_str().unwrap()), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_locked_at_once_and_the_message_waits_for_its_time() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let send_at = at(&app, HOUR);
    let issued = app.issue(&user, json!({"sendAt": send_at, "expiresInMinutes": 60})).await;
    assert_eq!((&issued["sendAt"], &issued["expiresAt"]), (&json!(send_at), &json!(at_from(&send_at, 60))));
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    let waiting = app.invitation(&issued["id"]).await;
    assert_eq!((&waiting["status"], &waiting["delivery"]["status"]), (&json!("pending"), &json!("scheduled")));
    assert_eq!(waiting["account"]["locked"], true);

    app.advance(Duration::from_secs(3570));
    app.work().await;
    assert_eq!(mails(&app).await, 0, "a lock that is confirmed early lets nothing go early");
    app.advance(Duration::from_secs(30));
    app.work().await;
    assert_eq!(mails(&app).await, 1);
    assert!(
        app.gateway.last("email").await["text"].as_str().unwrap().contains("1 hour"),
        "the span counts from the sending"
    );
    assert_eq!(app.invitation(&issued["id"]).await["delivery"]["status"], "sent");

    app.advance(Duration::from_secs(3570));
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

fn at_from(start: &str, minutes: u64) -> String {
    let start = invited::domain::time::Timestamp::parse(start).unwrap();
    start.after(Duration::from_secs(minutes * 60)).to_rfc3339()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_confirmed_late_sends_at_once() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.break_next("PATCH", Fault::Status(500));
    let issued = app.issue(&user, json!({"sendAt": at(&app, Duration::from_secs(1))})).await;
    app.advance(Duration::from_secs(1));
    assert_eq!(app.invitation(&issued["id"]).await["status"], "provisioning");
    assert_eq!(
        app.invitation(&issued["id"]).await["delivery"]["status"],
        "queued",
        "its time has come, the lock has not"
    );
    assert_eq!(mails(&app).await, 0);
    app.advance(HOUR);
    app.work().await;
    assert_eq!(mails(&app).await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_over_is_now() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"sendAt": "2001-02-03T04:05:06+07:00"})).await;
    assert_eq!(issued["sendAt"], Value::Null);
    assert_eq!(mails(&app).await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_make_no_sense_are_refused() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for wrong in ["", "tomorrow", "2026-11-24", "2026-11-24T10:00:00"] {
        app.try_issue(&user, json!({"sendAt": wrong})).await.field_problem(400, "/sendAt", "invalid_time");
    }
    let far = at(&app, Duration::from_hours(90 * 24 + 1));
    app.try_issue(&user, json!({"sendAt": far})).await.field_problem(422, "/sendAt", "out_of_range");
    let handed_over = json!({"sendAt": at(&app, HOUR), "delivery": "return"});
    app.try_issue(&user, handed_over.clone()).await.field_problem(422, "/sendAt", "nothing_is_sent");
    let issued = app.issue(&user, json!({"sendAt": at(&app, Duration::from_hours(90 * 24 - 1))})).await;
    resend(&app, &issued["id"], handed_over).await.field_problem(422, "/sendAt", "nothing_is_sent");
    resend(&app, &issued["id"], json!({"sendAt": "soon"})).await.field_problem(400, "/sendAt", "invalid_time");
    resend(&app, &issued["id"], json!({"sendAt": far})).await.field_problem(422, "/sendAt", "out_of_range");
    app.post(&format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_over_at_once_is_not_scheduled() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"sendAt": at(&app, HOUR), "expiresInMinutes": 0})).await;
    assert_eq!((&issued["status"], &issued["sendAt"]), (&json!("expired"), &Value::Null));
    app.advance(2 * HOUR);
    app.work().await;
    assert_eq!(mails(&app).await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_invitation_is_not_sent_when_its_time_comes() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"sendAt": at(&app, HOUR)})).await;
    let path = format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap());
    let revoked = app.post(&path, json!({})).await.ok(200);
    assert_eq!(
        (&revoked["revokeReason"], &revoked["delivery"]["status"]),
        (&json!("administrator"), &json!("skipped"))
    );
    assert_eq!(app.database.count("SELECT count(*) AS count FROM outbox WHERE payload IS NOT NULL"), 0);
    app.advance(2 * HOUR);
    app.work().await;
    assert_eq!(mails(&app).await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_yet_may_be_resent_at_once_and_is_replaced() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"sendAt": at(&app, HOUR)})).await;
    assert!(issued["nextResendAt"].as_str() <= issued["createdAt"].as_str(), "now");
    let later = at(&app, 2 * HOUR);
    let resent = resend(&app, &issued["id"], json!({"sendAt": later})).await.ok(200);
    assert_eq!((&resent["sendAt"], &resent["generation"]), (&json!(later), &json!(2)));
    app.advance(HOUR);
    app.work().await;
    assert_eq!(mails(&app).await, 0, "the first one was replaced");
    app.advance(HOUR);
    app.work().await;
    assert_eq!(mails(&app).await, 1);

    // From here on the cool-down counts, from the sending.
    let sent = app.invitation(&issued["id"]).await;
    assert_eq!(sent["nextResendAt"], at_from(&later, 1));
    resend(&app, &issued["id"], json!({})).await.problem(429, "resend_too_soon");
    app.advance(Duration::from_mins(1));
    let resent = resend(&app, &issued["id"], json!({})).await.ok(200);
    assert_eq!(resent["sendAt"], Value::Null);
    app.work().await;
    assert_eq!(mails(&app).await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_that_the_gateway_refuses_for_now_is_tried_again_and_sent_once() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(503), 1).await;
    let issued = app.issue(&user, json!({"sendAt": at(&app, HOUR)})).await;
    app.advance(HOUR);
    app.work().await;
    let delivery = app.invitation(&issued["id"]).await["delivery"].clone();
    assert_eq!((&delivery["status"], &delivery["error"]), (&json!("queued"), &json!("http_503")));
    app.advance(Duration::from_mins(1));
    app.work().await;
    app.advance(HOUR);
    app.work().await;
    let received = app.gateway.received("email").await;
    assert_eq!((received.len(), &received[0]["key"]), (2, &received[1]["key"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_send_a_scheduled_message_once() {
    let app =
        TestApp::with(Settings { defaults: "lock_account_until_password_set = false", ..Settings::default() }).await;
    for _ in 0..10 {
        let user = app.user().await;
        app.try_issue(&user, json!({"sendAt": at(&app, HOUR)})).await.ok(201);
    }
    app.advance(HOUR);
    while futures_util::future::join_all((0..4).map(|_| app.tick())).await.iter().sum::<usize>() > 0 {}
    assert_eq!(mails(&app).await, 10);
    app.finish().await;
}

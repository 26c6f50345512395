//! What becomes of events when their endpoint, its secret, the person, or the worker changes on the way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use wiremock::ResponseTemplate;

use crate::support::receiver::Received;
use crate::support::{Receiver, TestApp};

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// Events of the outbox for which this holds.
fn count(app: &TestApp, condition: &str) -> i64 {
    app.database.count(&format!("SELECT count(*) AS count FROM outbox WHERE kind = 'webhook_event' AND {condition}"))
}

fn disabled(app: &TestApp, reason: &str) -> i64 {
    let sql = "SELECT count(*) AS count FROM audit_event WHERE event = 'webhook.disabled' AND detail LIKE";
    app.database.count(&format!("{sql} 'whe_% {reason}'"))
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_overlap_both_secrets_sign() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &["invitation.issued"]).await;
    let rotate = format!("{}/rotate-secret", path(&webhook));
    let next = async || {
        let user = app.user().await;
        app.issue(&user, json!({"lockAccount": false})).await;
        receiver.received().await.pop().unwrap()
    };
    let rotated = app.post(&rotate, json!({"overlapMinutes": 60})).await.ok(200);
    assert_ne!(rotated["secret"], webhook["secret"]);
    assert!(rotated["previousSecretExpiresAt"].is_string());
    let event = next().await;
    assert_eq!(event.signatures.len(), 2);
    assert!(event.is_signed_with(&webhook["secret"]) && event.is_signed_with(&rotated["secret"]));
    app.advance(Duration::from_mins(61));
    let event = next().await;
    assert_eq!(event.signatures.len(), 1);
    assert!(!event.is_signed_with(&webhook["secret"]) && event.is_signed_with(&rotated["secret"]));
    let at_once = app.post(&rotate, json!({"overlapMinutes": 0})).await.ok(200);
    assert_eq!(at_once["previousSecretExpiresAt"], Value::Null);
    let event = next().await;
    assert!(!event.is_signed_with(&rotated["secret"]) && event.is_signed_with(&at_once["secret"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_lies_in_the_database() {
    use base64::Engine as _;
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &[]).await;
    let rotated = app.post(&format!("{}/rotate-secret", path(&webhook)), json!({})).await.ok(200);
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    let bytes = app.database.raw_bytes();
    for secret in [&webhook["secret"], &rotated["secret"]] {
        let text = secret.as_str().unwrap().trim_start_matches("whsec_");
        let raw = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        for form in [text.as_bytes(), raw.as_slice()] {
            assert!(!bytes.windows(form.len()).any(|window| window == form), "a secret is in the database's files");
        }
    }
    let urls = format!("SELECT count(*) AS count FROM audit_event WHERE detail LIKE '%{}%'", receiver.port());
    assert_eq!(app.database.count(&urls), 0, "a URL may hold a secret of the platform's");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_says_gone_gets_nothing_more_until_it_is_turned_on() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &["invitation.issued"]).await;
    let users = [app.user().await, app.user().await, app.user().await];
    receiver.answers(ResponseTemplate::new(500), 1).await;
    app.issue(&users[0], json!({"lockAccount": false})).await;
    receiver.answers(ResponseTemplate::new(410), 1).await;
    app.issue(&users[1], json!({"lockAccount": false})).await;
    let state = app.get(&path(&webhook)).await.ok(200);
    assert_eq!((&state["enabled"], &state["disabledReason"]), (&json!(false), &json!("gone")));
    assert_eq!(disabled(&app, "gone"), 1);
    assert_eq!(count(&app, "state = 'failed' AND last_error = 'http_410'"), 1);
    assert_eq!(count(&app, "state = 'failed' AND last_error = 'endpoint_disabled'"), 1, "what waited for another try");
    app.issue(&users[2], json!({"lockAccount": false})).await;
    assert_eq!(receiver.received().await.len(), 2);
    app.patch(&path(&webhook), json!({"enabled": true})).await.ok(200);
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    assert_eq!(receiver.received().await.len(), 3);
    app.database.execute(
        "UPDATE outbox SET state = 'ready', attempts = 0, next_attempt_at = 0 WHERE last_error = 'endpoint_disabled'",
    );
    app.work().await;
    assert_eq!(receiver.received().await.len(), 4, "what was given up can be sent after all");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_nothing_reaches_for_days_is_turned_off() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &["invitation.issued"]).await;
    receiver.answers(ResponseTemplate::new(500), 1000).await;
    for (event, enabled) in [(1, true), (2, false)] {
        let user = app.user().await;
        app.issue(&user, json!({"lockAccount": false})).await;
        for _ in 0..8 {
            app.advance(Duration::from_hours(13));
            app.work().await;
        }
        assert_eq!(count(&app, "state = 'failed' AND last_error = 'http_500'"), event);
        assert_eq!(app.get(&path(&webhook)).await.ok(200)["enabled"], enabled, "after event {event}");
    }
    assert_eq!(app.get(&path(&webhook)).await.ok(200)["disabledReason"], "failing");
    assert_eq!((receiver.received().await.len(), disabled(&app, "failing")), (16, 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_endpoint_that_is_turned_off_or_removed_is_not_sent() {
    let app = TestApp::near().await;
    let (off, removed) = (Receiver::start().await, Receiver::start().await);
    let (to_off, to_removed) = (app.webhook(&off, &[]).await, app.webhook(&removed, &[]).await);
    let user = app.user().await;
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    assert_eq!(count(&app, "state = 'ready'"), 2);
    app.patch(&path(&to_off), json!({"enabled": false})).await.ok(200);
    assert_eq!(app.delete(&path(&to_removed)).await.status, 204);
    app.work().await;
    assert!(off.received().await.is_empty() && removed.received().await.is_empty());
    assert_eq!(count(&app, "state = 'failed' AND last_error = 'endpoint_disabled'"), 1);
    assert_eq!(count(&app, "state = 'superseded'"), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_persons_erasure_the_event_goes_out_without_the_names() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued", "invitation.revoked"]).await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    let erased = app.delete(&format!("/v1/accounts/PRIMARY/{}", user.username)).await;
    assert!(erased.status < 300, "{}", erased.text);
    app.tick_events().await;
    app.tick_events().await;
    assert_eq!(receiver.types().await, ["invitation.issued", "invitation.revoked"]);
    for event in receiver.received().await {
        let data = event.body["data"].as_object().unwrap();
        let fields: Vec<&str> = data.keys().map(String::as_str).collect();
        assert_eq!(fields, ["detail", "eventId", "invitationId", "tenant"]);
        assert_eq!(data["invitationId"], issued["id"]);
        assert!(!event.raw.contains(&user.username));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_filter_with_an_unknown_name_stops_nothing() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued"]).await;
    app.database.execute("UPDATE webhook_endpoint SET events = 'invitation.folded invitation.issued'");
    let user = app.user().await;
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    app.database.execute("UPDATE webhook_endpoint SET events = 'invitation.issued'");
    app.work().await;
    assert_eq!(receiver.received().await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_events_of_an_erased_person_are_taken_away_in_time() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &[]).await;
    let user = app.user().await;
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    let erase = app.request("DELETE", &format!("/v1/accounts/PRIMARY/{}", user.username)).bearer_auth(app.token());
    app.send(erase).await.ok(204);
    app.work().await;
    assert!(app.database.count("SELECT count(*) AS count FROM outbox") > 0);
    app.advance(Duration::from_hours(24 * 31));
    app.sweep().await;
    assert_eq!(app.database.count("SELECT count(*) AS count FROM outbox"), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_entry_is_gone_is_given_up_untold() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued"]).await;
    let user = app.user().await;
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    let (open, close) = if app.database.is_postgres() {
        ("ALTER TABLE audit_event DISABLE TRIGGER USER", "ALTER TABLE audit_event ENABLE TRIGGER USER")
    } else {
        ("DROP TRIGGER audit_event_no_delete", "SELECT 1")
    };
    app.database.execute(&format!("{open}; DELETE FROM audit_event WHERE event = 'invitation.issued'; {close}"));
    app.work().await;
    assert!(receiver.received().await.is_empty());
    assert_eq!(count(&app, "state = 'failed' AND last_error = 'event_forgotten'"), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_tell_each_event_once_and_in_order() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &[]).await;
    for _ in 0..6 {
        let user = app.user().await;
        app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
        app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
        app.post(&format!("/v1/accounts/PRIMARY/{}/unlock", user.username), json!({})).await.ok(200);
    }
    while count(&app, "state = 'ready'") > 0 {
        futures_util::future::join_all((0..4).map(|_| app.tick_events())).await;
    }
    let told = receiver.received().await;
    let mut ids: Vec<&str> = told.iter().map(|event| event.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((told.len(), ids.len()), (18, 18));
    let of = |event: &Received| event.body["data"]["username"].as_str().unwrap().to_owned();
    for username in told.iter().filter(|event| event.event() == "invitation.issued").map(of) {
        let types: Vec<&str> = told.iter().filter(|event| of(event) == username).map(Received::event).collect();
        assert_eq!(types, ["invitation.issued", "account.locked", "account.unlocked"]);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_once_lets_the_later_ones_pass() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued", "invitation.sent"]).await;
    receiver.answers(ResponseTemplate::new(500), 1).await;
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    assert_eq!(receiver.types().await, ["invitation.issued", "invitation.sent"]);
    app.advance(Duration::from_secs(7));
    app.work().await;
    assert_eq!(receiver.types().await, ["invitation.issued", "invitation.sent", "invitation.issued"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endpoint_cannot_take_all_places() {
    let app = TestApp::near().await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    app.webhook(&slow, &["invitation.issued"]).await;
    slow.answers(ResponseTemplate::new(204).set_delay(Duration::from_millis(1500)), 100).await;
    for _ in 0..20 {
        let user = app.user().await;
        app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    }
    let others = async {
        while slow.received().await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(count(&app, "state = 'sending'"), 4, "a quarter of all places");
        app.webhook(&fast, &["invitation.issued"]).await;
        let user = app.user().await;
        app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
        assert_eq!(app.tick_events().await, 1);
        assert_eq!(fast.received().await.len(), 1);
        assert_eq!(count(&app, "state = 'sending'"), 4, "the slow one has not answered yet");
    };
    tokio::join!(app.tick_events(), others);
    app.work().await;
    assert_eq!(slow.received().await.len(), 21);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_held_is_told_by_the_next_one() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued"]).await;
    let user = app.user().await;
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    let now = app.clock_millis();
    let claimed =
        format!("UPDATE outbox SET state = 'sending', attempts = 1, fence = 1, lease_until = {}", now + 60_000);
    app.database.execute(&format!("{claimed} WHERE kind = 'webhook_event'"));
    app.work().await;
    assert!(receiver.received().await.is_empty(), "it belongs to somebody");
    app.advance(Duration::from_secs(61));
    app.work().await;
    assert_eq!(receiver.received().await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_work_tells_events_and_finishes_what_is_under_way() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &[]).await;
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(app.worker().run(Arc::new(Notify::new()), Duration::from_millis(20), stopped));
    let user = app.user().await;
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    while receiver.received().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    receiver.answers(ResponseTemplate::new(204).set_delay(Duration::from_millis(500)), 1).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    while receiver.received().await.len() < 3 {
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    running.await.unwrap();
    assert_eq!(receiver.types().await, ["invitation.issued", "invitation.sent", "account.locked"]);
    assert_eq!(count(&app, "state = 'sent'"), 3);
    app.work().await;
    app.finish().await;
}

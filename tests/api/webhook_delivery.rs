//! What the platform is told, when, and how often.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::receiver::Received;
use crate::support::{Receiver, TestApp};

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// Rows of the outbox that are events in this state with this error.
fn events(app: &TestApp, state: &str, error: Option<&str>) -> i64 {
    let error = error.map_or("last_error IS NULL".to_owned(), |error| format!("last_error = '{error}'"));
    let sql =
        format!("SELECT count(*) AS count FROM outbox WHERE kind = 'webhook_event' AND state = '{state}' AND {error}");
    app.database.count(&sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_journey_is_told_in_order_and_signed() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &[]).await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    app.accept(&token).await;
    app.work().await;
    let told = receiver.received().await;
    let types: Vec<&str> = told.iter().map(Received::event).collect();
    let expected = [
        "invitation.issued",
        "account.locked",
        "invitation.sent",
        "invitation.redeemed",
        "invitation.accepted",
        "account.unlocked",
    ];
    assert_eq!(types, expected);
    for event in &told {
        assert!(event.is_signed_with(&webhook["secret"]), "{event:?}");
        assert_eq!(event.signatures.len(), 1);
        let data = &event.body["data"];
        assert_eq!((&data["invitationId"], &data["tenant"]), (&issued["id"], &json!("default")));
        assert_eq!((&data["username"], &data["userId"]), (&json!(user.username), &json!(user.id)));
        assert_eq!((&data["realm"], &data["purpose"]), (&json!("PRIMARY"), &json!("onboarding")));
        assert_eq!(data["method"], "email_link");
        assert!(data["eventId"].as_str().unwrap().starts_with("aud_") && event.id.starts_with("msg_"));
        for secret in [user.email.as_str(), user.phone.as_str(), token.as_str()] {
            assert!(!event.raw.contains(secret), "{secret} in {}", event.raw);
        }
    }
    let of = |name: &str| told.iter().find(|event| event.event() == name).unwrap().body["data"].clone();
    assert_eq!(of("invitation.sent")["detail"], "invitation_email_link");
    assert_eq!(of("invitation.accepted")["status"], "accepted");
    let row = "SELECT count(*) AS count FROM outbox WHERE kind = 'webhook_event' AND payload IS NOT NULL";
    assert_eq!(app.database.count(row), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_gets_what_it_asked_for_only() {
    let app = TestApp::near().await;
    let (some, all, acme) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    app.webhook(&some, &["invitation.revoked", "account.locked"]).await;
    app.webhook(&all, &[]).await;
    let token = app.token_for("acme", "webhooks:write");
    let elsewhere = app.request("POST", "/t/acme/v1/webhooks").bearer_auth(token).json(&json!({"url": acme.url()}));
    app.send(elsewhere).await.ok(201);
    let user = app.user().await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let revoke = format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap());
    app.post(&revoke, json!({})).await.ok(200);
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    app.work().await;
    assert_eq!(some.types().await, ["invitation.revoked", "account.locked"]);
    let expected = ["invitation.issued", "invitation.sent", "invitation.revoked", "account.locked"];
    assert_eq!(all.types().await, expected);
    let locked = all.received().await.pop().unwrap().body["data"].clone();
    assert_eq!((&locked["username"], &locked["detail"]), (&json!(user.username), &json!("administrator")));
    assert_eq!(locked.get("invitationId"), None);
    assert!(acme.received().await.is_empty(), "another tenant's endpoint hears nothing");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_sent_again_with_growing_waits_under_the_same_id() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &["invitation.issued"]).await;
    receiver.answers(ResponseTemplate::new(500), 7).await;
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    assert_eq!(receiver.received().await.len(), 1);
    let waits = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600];
    for (tries, wait) in (1..).zip(waits) {
        app.advance(Duration::from_secs(wait - 2));
        app.work().await;
        assert_eq!(receiver.received().await.len(), tries, "not before {wait} s");
        app.advance(Duration::from_secs(wait / 5 + 4));
        app.work().await;
        assert_eq!(receiver.received().await.len(), tries + 1, "soon after {wait} s");
    }
    let told = receiver.received().await;
    assert!(told.iter().all(|event| event.id == told[0].id && event.is_signed_with(&webhook["secret"])));
    assert!(told[7].timestamp > told[0].timestamp, "each try is signed for its own time");
    assert_eq!(events(&app, "sent", None), 1);
    assert_eq!(app.get(&path(&webhook)).await.ok(200)["failingSince"], Value::Null, "the last one was taken");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_takes_ends_as_a_dead_letter_that_can_be_sent_again() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &["invitation.issued"]).await;
    receiver.answers(ResponseTemplate::new(503), 8).await;
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    for _ in 0..9 {
        app.advance(Duration::from_hours(13));
        app.work().await;
    }
    assert_eq!(receiver.received().await.len(), 8);
    assert_eq!(events(&app, "failed", Some("http_503")), 1);
    let state = app.get(&path(&webhook)).await.ok(200);
    assert!(state["failingSince"].is_string() && state["enabled"] == true, "{state}");
    let failed = app.get("/v1/deliveries?channel=webhook&status=failed").await.ok(200)["items"][0].clone();
    assert_eq!((&failed["kind"], &failed["lastError"]), (&json!("webhook_event"), &json!("http_503")));
    app.post(&format!("/v1/deliveries/{}/retry", failed["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    let told = receiver.received().await;
    assert_eq!((told.len(), &told[8].id), (9, &told[0].id));
    assert_eq!(events(&app, "sent", None), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_wish_to_wait_is_honoured() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued"]).await;
    receiver.answers(ResponseTemplate::new(429).insert_header("Retry-After", "600"), 1).await;
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    app.advance(Duration::from_secs(590));
    app.work().await;
    assert_eq!(receiver.received().await.len(), 1);
    app.advance(Duration::from_secs(15));
    app.work().await;
    assert_eq!(receiver.received().await.len(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_holds_up_no_mail() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.issued"]).await;
    receiver.answers(ResponseTemplate::new(204).set_delay(Duration::from_millis(1500)), 2).await;
    let (first, second) = (app.user().await, app.user().await);
    app.try_issue(&first, json!({"lockAccount": false})).await.ok(201);
    let mail = async {
        while receiver.received().await.is_empty() {
            tokio::task::yield_now().await;
        }
        app.try_issue(&second, json!({"lockAccount": false})).await.ok(201);
        assert_eq!(app.tick().await, 2);
        assert_eq!(app.gateway.received("email").await.len(), 2);
        assert_eq!(events(&app, "sending", None), 1, "the endpoint has not answered yet");
    };
    let (told, ()) = tokio::join!(app.tick_events(), mail);
    assert_eq!(told, 1);
    app.work().await;
    assert_eq!(receiver.received().await.len(), 2);
    app.finish().await;
}

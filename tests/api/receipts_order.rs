//! Reports in any order: of those on one message the one that weighs most counts.

use invited::domain::receipt::ReceiptKind;
use serde_json::{Value, json};

use crate::support::{Receiver, TestApp, Vendors};

/// What `SendGrid` says for each kind, in the order of their weight.
const KINDS: [(&str, ReceiptKind); 6] = [
    ("soft", ReceiptKind::SoftBounce),
    ("delivered", ReceiptKind::Delivered),
    ("rejected", ReceiptKind::Rejected),
    ("suppressed", ReceiptKind::Suppressed),
    ("bounced", ReceiptKind::HardBounce),
    ("complained", ReceiptKind::Complained),
];

async fn listening() -> (TestApp, Vendors) {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    (app, vendors)
}

async fn invited(app: &TestApp, id: &str) -> Value {
    app.next_id("email", id).await;
    app.issue(&app.user().await, json!({})).await
}

/// Status and error of the invitation's message, without the vendor's code.
async fn delivery(app: &TestApp, issued: &Value) -> (String, Option<String>) {
    let delivery = app.invitation(&issued["id"]).await["delivery"].take();
    let error = delivery["error"].as_str().and_then(|error| error.split(':').next()).map(str::to_owned);
    (delivery["status"].as_str().unwrap().to_owned(), error)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reports_end_the_same_whichever_comes_first() {
    let (app, vendors) = listening().await;
    for (lighter, (first, _)) in KINDS.iter().enumerate() {
        for (second, kind) in &KINDS[lighter + 1..] {
            for order in [[first, second], [second, first]] {
                let id = format!("{}-{}", order[0], order[1]);
                let issued = invited(&app, &id).await;
                for what in order {
                    vendors.report(&app, "sendgrid", &id, what).await.ok(200);
                }
                let error = (*kind != ReceiptKind::Delivered).then(|| kind.as_str().to_owned());
                assert_eq!(delivery(&app, &issued).await, (kind.state().as_str().to_owned(), error), "{order:?}");
            }
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_after_a_passing_trouble_shows_as_delivered_everywhere() {
    let (app, vendors) = listening().await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &["invitation.delivered", "invitation.bounced"]).await;
    let issued = invited(&app, "sg-1").await;
    vendors.report(&app, "sendgrid", "sg-1", "soft").await.ok(200);
    assert_eq!(delivery(&app, &issued).await, ("bounced".to_owned(), Some("soft_bounce".to_owned())));
    for _ in 0..2 {
        vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
        vendors.report(&app, "sendgrid", "sg-1", "soft").await.ok(200);
    }

    assert_eq!(delivery(&app, &issued).await, ("delivered".to_owned(), None));
    let listed = app.get("/v1/invitations?deliveryStatus=delivered").await.ok(200);
    assert_eq!(listed["items"][0]["id"], issued["id"]);
    let deliveries = app.get("/v1/deliveries?status=delivered").await.ok(200);
    assert_eq!(deliveries["items"][0]["lastError"], Value::Null, "{deliveries}");
    for empty in ["/v1/invitations?deliveryStatus=bounced", "/v1/deliveries?status=bounced"] {
        assert_eq!(app.get(empty).await.ok(200)["items"], json!([]), "{empty}");
    }
    let told: Vec<String> = app.events(&issued["id"]).await;
    assert_eq!(told[told.len() - 2..], ["message.bounced", "message.delivered"]);
    app.work().await;
    assert_eq!(platform.types().await, ["invitation.bounced", "invitation.delivered"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graver_bounce_is_told_with_its_own_reason() {
    let (app, vendors) = listening().await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &["invitation.bounced"]).await;
    let issued = invited(&app, "sg-1").await;
    for what in ["soft", "bounced", "soft", "suppressed"] {
        vendors.report(&app, "sendgrid", "sg-1", what).await.ok(200);
    }
    assert_eq!(delivery(&app, &issued).await, ("bounced".to_owned(), Some("hard_bounce".to_owned())));
    app.work().await;
    let told: Vec<Value> = platform.received().await.iter().map(|told| told.body["data"]["detail"].clone()).collect();
    assert_eq!(told, [json!("soft_bounce"), json!("hard_bounce:5.1.1")]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_several_reports_on_one_message_is_taken_as_a_whole() {
    let (app, vendors) = listening().await;
    let issued = invited(&app, "sg-1").await;
    let events = ["soft", "bounced", "delivered"].map(|what| Vendors::event("sendgrid", "sg-1", what));
    let batch: Vec<Value> =
        events.iter().flat_map(|event| serde_json::from_str::<Vec<Value>>(event).unwrap()).collect();
    app.send(vendors.call(&app, "", "sendgrid", &json!(batch).to_string())).await.ok(200);
    assert_eq!(delivery(&app, &issued).await, ("bounced".to_owned(), Some("hard_bounce".to_owned())));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_at_once_end_as_the_gravest() {
    let (app, vendors) = listening().await;
    let issued = invited(&app, "sg-1").await;
    let calls = KINDS.iter().map(|(what, _)| vendors.report(&app, "sendgrid", "sg-1", what));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    assert_eq!(delivery(&app, &issued).await, ("bounced".to_owned(), Some("complained".to_owned())));
    app.finish().await;
}

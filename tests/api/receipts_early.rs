//! Reports that come before the gateway's answer was written down: kept for minutes, and taken as soon as their message is known.

use std::time::Duration;

use invited::domain::invitation::Channel;
use invited::domain::receipt::{Place, Receipt, ReceiptKind};
use invited::storage::early_receipts;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{Receiver, TestApp, Vendors};

async fn listening() -> (TestApp, Vendors) {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    (app, vendors)
}

/// Issues an invitation and hands its message over under this id; the gateway answers only once `meanwhile` is done.
async fn send_while<T>(app: &TestApp, id: &str, meanwhile: impl Future<Output = T>) -> (Value, T) {
    let issued = app.try_issue(&app.user().await, json!({"lockAccount": false})).await.ok(201);
    let sent = app.gateway.received("email").await.len();
    let slowly = ResponseTemplate::new(202).set_delay(Duration::from_millis(700)).set_body_json(json!({"id": id}));
    app.gateway.answers("email", slowly, 1).await;
    let reported = async {
        while app.gateway.received("email").await.len() == sent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        meanwhile.await
    };
    let (_, told) = tokio::join!(app.tick(), reported);
    assert_eq!(status(app, &issued).await, "sent", "it was settled after all was reported");
    (issued, told)
}

async fn status(app: &TestApp, issued: &Value) -> Value {
    app.invitation(&issued["id"]).await["delivery"]["status"].take()
}

fn kept(app: &TestApp) -> i64 {
    app.database.count("SELECT count(*) AS count FROM early_receipt")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_faster_than_the_gateways_answer_counts() {
    let (app, vendors) = listening().await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &["invitation.delivered"]).await;
    let report = async {
        // Repeated, it is one.
        for _ in 0..2 {
            vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
        }
        kept(&app)
    };
    let (issued, kept_meanwhile) = send_while(&app, "sg-1", report).await;
    assert_eq!(kept_meanwhile, 1);
    app.work().await;
    assert_eq!(status(&app, &issued).await, "delivered");
    assert_eq!(kept(&app), 0);
    let told = app.events(&issued["id"]).await;
    assert_eq!(told[told.len() - 2..], ["message.sent", "message.delivered"]);
    assert_eq!(platform.types().await, ["invitation.delivered"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_early_reports_end_as_they_would_have_later() {
    let (app, vendors) = listening().await;
    let report = async {
        for what in ["bounced", "soft", "delivered"] {
            vendors.report(&app, "sendgrid", "sg-1", what).await.ok(200);
        }
    };
    let (issued, ()) = send_while(&app, "sg-1", report).await;
    app.work().await;
    let delivery = app.invitation(&issued["id"]).await["delivery"].take();
    assert_eq!((&delivery["status"], &delivery["error"]), (&json!("bounced"), &json!("hard_bounce:5.1.1")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_signature_counts_once_is_kept_as_well() {
    let (app, vendors) = listening().await;
    let report = async { vendors.report(&app, "mailgun", "<mg-1>", "delivered").await.ok(200) };
    let (issued, _) = send_while(&app, "<mg-1>", report).await;
    app.work().await;
    assert_eq!(status(&app, &issued).await, "delivered");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_on_messages_of_others_leave_nothing() {
    let (app, vendors) = listening().await;
    vendors.report(&app, "sendgrid", "of-others", "delivered").await.ok(200);
    assert_eq!(kept(&app), 0, "nothing is under way");

    let report = async { vendors.report(&app, "sendgrid", "of-others", "bounced").await.ok(200) };
    let (issued, _) = send_while(&app, "sg-1", report).await;
    app.work().await;
    assert_eq!((status(&app, &issued).await, kept(&app)), (json!("sent"), 1), "it could have been ours");
    app.advance(Duration::from_secs(601));
    app.sweep().await;
    assert_eq!(kept(&app), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_a_tenant_keeps_what_may_be_of_its_messages_only() {
    let (app, vendors) = listening().await;
    let report = async {
        let event = Vendors::event("sendgrid", "sg-1", "delivered");
        app.send(vendors.call(&app, "/t/acme", "sendgrid", &event)).await.ok(200);
        kept(&app)
    };
    let (issued, kept) = send_while(&app, "sg-1", report).await;
    app.work().await;
    assert_eq!((status(&app, &issued).await, kept), (json!("sent"), 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_may_have_taken_unheard_is_waited_for_as_well() {
    let (app, vendors) = listening().await;
    // Its answer is lost; asked again with the same id, it says what it said before.
    app.gateway.answers("email", ResponseTemplate::new(504), 1).await;
    let issued = app.try_issue(&app.user().await, json!({"lockAccount": false})).await.ok(201);
    app.tick().await;
    assert_eq!(status(&app, &issued).await, "queued");
    vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
    // The same vendor account calls us at two places.
    let event = Vendors::event("sendgrid", "sg-1", "delivered");
    app.send(vendors.call(&app, "/t/acme", "sendgrid", &event)).await.ok(200);
    assert_eq!(kept(&app), 1, "acme has nothing under way");
    app.next_id("email", "sg-1").await;
    app.advance(Duration::from_mins(5));
    app.work().await;
    app.sweep().await;
    assert_eq!((status(&app, &issued).await, kept(&app)), (json!("delivered"), 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_what_is_kept_and_the_oldest_go_first() {
    let app = TestApp::spawn().await;
    let store = app.store();
    for batch in 0..3_usize {
        let keeping = store.write(move |conn| {
            let place =
                Place { tenant: None, channel: Channel::Email, provider: "sendgrid".to_owned(), request_id: None };
            let receipt = |number| Receipt::new(&format!("{batch}-{number}"), ReceiptKind::Delivered, None).unwrap();
            let receipts: Vec<Receipt> = (0..[3000, 7000, 1][batch]).map(receipt).collect();
            let now = conn.now()?;
            early_receipts::keep(conn, &place, &receipts, now)
        });
        keeping.await.unwrap();
        app.advance(Duration::from_secs(1));
    }
    assert_eq!(kept(&app), 7001);
    app.finish().await;
}

//! How gateways prove that it is them: each vendor's own way, over real HTTP.

use std::time::Duration;

use invited::clock::Clock as _;
use serde_json::{Value, json};

use crate::support::vendors::channel_of;
use crate::support::{Settings, TestApp, User, VENDORS, Vendors};

/// An invitation by the vendor's channel, whose message the vendor calls `id`.
async fn issue(app: &TestApp, user: &User, vendor: &str, id: &str) -> Value {
    let channel = channel_of(vendor);
    app.next_id(channel, id).await;
    let method = if channel == "sms" { "sms_otp" } else { "email_link" };
    app.issue(user, json!({"method": method})).await
}

/// An id as the vendor's API answers with it.
fn id_of(vendor: &str) -> String {
    if vendor == "mailgun" { "<20260101.1@mg.example.com>".to_owned() } else { format!("{vendor}-1") }
}

async fn delivery(app: &TestApp, issued: &Value) -> Value {
    app.invitation(&issued["id"]).await["delivery"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_vendor_is_understood() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    for vendor in VENDORS {
        let id = id_of(vendor);
        let issued = issue(&app, &app.user().await, vendor, &id).await;
        vendors.report(&app, vendor, &id, "delivered").await.ok(200);
        assert_eq!(delivery(&app, &issued).await["status"], "delivered", "{vendor}");
        vendors.report(&app, vendor, &id, "bounced").await.ok(200);
        let seen = delivery(&app, &issued).await;
        assert_eq!((&seen["status"], &seen["channel"]), (&json!("bounced"), &json!(channel_of(vendor))), "{vendor}");
        let code = match vendor {
            "twilio" => "30005",
            "sendgrid" | "ses" => "5.1.1",
            "resend" => "General",
            "mailgun" => "550",
            _ => "HardBounce",
        };
        assert_eq!(seen["error"], format!("hard_bounce:{code}"), "{vendor}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_on_a_vendors_list_is_told_as_suppressed() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    for vendor in VENDORS {
        let id = id_of(vendor);
        let issued = issue(&app, &app.user().await, vendor, &id).await;
        vendors.report(&app, vendor, &id, "suppressed").await.ok(200);
        let seen = delivery(&app, &issued).await;
        assert_eq!(seen["status"], "bounced", "{vendor}");
        assert!(seen["error"].as_str().unwrap().starts_with("suppressed"), "{vendor}: {seen}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_not_signed_or_was_changed_is_refused_and_changes_nothing() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    for vendor in VENDORS {
        let id = id_of(vendor);
        let issued = issue(&app, &app.user().await, vendor, &id).await;
        let path = format!("/v1/callbacks/{}/{vendor}", channel_of(vendor));
        let event = Vendors::event(vendor, &id, "bounced");
        app.send(app.request("POST", &path).body(event.clone())).await.problem(401, "signature_invalid");
        app.send(app.request("POST", &path).basic_auth("x", Some("y"))).await.problem(401, "signature_invalid");
        app.send(app.request("POST", &path).bearer_auth(app.token()).body(event))
            .await
            .problem(401, "signature_invalid");
        // What was signed for another message.
        let other = vendors.call(&app, "", vendor, &Vendors::event(vendor, "another", "bounced")).build().unwrap();
        let body = String::from_utf8(other.body().unwrap().as_bytes().unwrap().to_vec()).unwrap();
        let mut changed = app.request("POST", &path).body(body.replace("another", id.trim_matches(['<', '>'])));
        for (name, value) in other.headers() {
            changed = changed.header(name, value);
        }
        // Postmark signs nothing, and Mailgun not the event: what protects those is TLS, and that a token counts once.
        if !["postmark", "mailgun"].contains(&vendor) {
            app.send(changed).await.problem(401, "signature_invalid");
        }
        assert_eq!(delivery(&app, &issued).await["status"], "sent", "{vendor}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_another_time_is_refused() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    for vendor in ["sendgrid", "resend", "mailgun", "ses"] {
        let call = |app: &TestApp| vendors.call(app, "", vendor, &Vendors::event(vendor, "x", "bounced"));
        let late = call(&app);
        app.advance(Duration::from_mins(4));
        app.send(late.try_clone().unwrap()).await.ok(200);
        app.advance(Duration::from_mins(2));
        app.send(late).await.problem(401, "signature_invalid");
        app.send(call(&app)).await.ok(200);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_not_set_up_is_not_there() {
    let vendors = Vendors::start().await;
    let app = TestApp::spawn().await;
    for vendor in VENDORS {
        vendors.report(&app, vendor, "x", "bounced").await.problem(404, "callback_not_found");
    }
    let all = TestApp::with(vendors.settings()).await;
    for path in ["sms/sendgrid", "email/twilio", "email/nobody", "pigeon/twilio", "directory/ses"] {
        let reply = all.send(all.request("POST", &format!("/v1/callbacks/{path}")).body("{}")).await;
        reply.problem(404, "callback_not_found");
    }
    for finished in [app, all] {
        finished.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mailguns_signature_counts_for_one_event_only() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let issued = issue(&app, &app.user().await, "mailgun", "<mg-1>").await;
    let time = app.clock.now().seconds();
    let send = |event: &str| {
        let body = Vendors::mailgun(time, "token-1", event);
        app.send(app.request("POST", "/v1/callbacks/email/mailgun").body(body))
    };
    send(&Vendors::event("mailgun", "<mg-1>", "delivered")).await.ok(200);
    send(&Vendors::event("mailgun", "<mg-1>", "bounced")).await.ok(200);
    assert_eq!(delivery(&app, &issued).await["status"], "delivered", "the second one was forged");
    let race = (0..8).map(|number| {
        let what = if number == 0 { "bounced" } else { "delivered" };
        let body = Vendors::mailgun(time, "token-2", &Vendors::event("mailgun", "<mg-1>", what));
        app.send(app.request("POST", "/v1/callbacks/email/mailgun").body(body))
    });
    for reply in futures_util::future::join_all(race).await {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let kept = "SELECT count(*) AS count FROM idempotency";
    assert_eq!(app.database.count(kept), 2, "one for each token");
    app.advance(Duration::from_mins(11));
    app.sweep().await;
    assert_eq!(app.database.count(kept), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_may_be_given_the_path_of_a_tenant_and_a_query() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let event = Vendors::event("twilio", "SM1", "delivered");
    app.send(vendors.call(&app, "/t/acme", "twilio", &event)).await.ok(200);
    let signed = vendors.call(&app, "/t/acme", "twilio", &event).build().unwrap();
    let signature = &signed.headers()["x-twilio-signature"];
    for path in ["/t/other/v1/callbacks/sms/twilio", "/v1/callbacks/sms/twilio", "/t/acme/v1/callbacks/sms/twilio?x=1"]
    {
        let request = app.request("POST", path).header("X-Twilio-Signature", signature).body(event.clone());
        app.send(request).await.problem(401, "signature_invalid");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_subscribed_to_when_it_is_ours() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let post = |message: &Value| app.send(app.request("POST", "/v1/callbacks/email/ses").body(message.to_string()));
    let mut other = vendors.subscription(&app);
    other["TopicArn"] = json!("arn:aws:sns:eu-west-1:999999999999:ses-events");
    post(&other).await.problem(401, "signature_invalid");
    assert!(vendors.region.received_requests().await.unwrap().is_empty(), "nobody is asked for it");
    post(&vendors.subscription(&app)).await.ok(200);
    let asked = vendors.region.received_requests().await.unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].url.query().unwrap().contains("Token=t-1"), "{}", asked[1].url);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_up_to_a_mebibyte_and_must_be_what_the_vendor_sends() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    app.next_id("email", "sg-1").await;
    let issued = app.issue(&app.user().await, json!({})).await;
    let mut events: Vec<Value> = (0..2500)
        .map(|number| json!({"event": "delivered", "sg_message_id": format!("x{number}"), "response": "250 OK ".repeat(20)}))
        .collect();
    events.push(json!({"event": "bounce", "status": "5.1.1", "sg_message_id": "sg-1"}));
    let batch = Value::Array(events).to_string();
    assert!(batch.len() > 400_000);
    app.send(vendors.call(&app, "", "sendgrid", &batch)).await.ok(200);
    assert_eq!(delivery(&app, &issued).await["status"], "bounced");
    let large = format!("[{}]", " ".repeat(1024 * 1024));
    app.send(vendors.call(&app, "", "sendgrid", &large)).await.problem(413, "payload_too_large");
    for nonsense in ["", "nonsense", "[{\"event\":"] {
        app.send(vendors.call(&app, "", "sendgrid", nonsense)).await.problem(400, "malformed_body");
    }
    for harmless in ["[]", "{}", "7", "[[[]]]", "null"] {
        app.send(vendors.call(&app, "", "sendgrid", harmless)).await.ok(200);
    }
    app.send(app.request("GET", "/v1/callbacks/email/sendgrid")).await.problem(405, "method_not_allowed");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_may_report_as_often_as_it_likes() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(Settings { calls_per_minute: 1, ..vendors.settings() }).await;
    for _ in 0..5 {
        vendors.report(&app, "postmark", "x", "delivered").await.ok(200);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_that_comes_late_names_its_message_by_our_id() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let issued = issue(&app, &app.user().await, "sendgrid", "sg-1").await;
    let deliveries = app.get("/v1/deliveries?status=sent").await.ok(200);
    let own = &deliveries["items"].as_array().unwrap().iter().find(|sent| sent["channel"] == "email").unwrap()["id"];
    let late = json!([{"event": "bounce", "status": "5.1.1", "message_id": own, "tenant": "default"}]).to_string();
    app.send(vendors.call(&app, "/t/acme", "sendgrid", &late)).await.ok(200);
    assert_eq!(delivery(&app, &issued).await["status"], "sent", "acme has no such message");
    app.send(vendors.call(&app, "", "sendgrid", &late)).await.ok(200);
    assert_eq!(delivery(&app, &issued).await["error"], "hard_bounce:5.1.1");
    app.finish().await;
}

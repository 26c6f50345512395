//! What gateways report: where it shows, what it never does, and in which order it may come.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Receiver, Settings, TestApp, Vendors};

/// What is told of the invitation's message: status, error.
async fn delivery(app: &TestApp, issued: &Value) -> (String, Value) {
    let delivery = app.invitation(&issued["id"]).await["delivery"].take();
    (delivery["status"].as_str().unwrap().to_owned(), delivery["error"].clone())
}

fn bounced(error: &str) -> (String, Value) {
    ("bounced".to_owned(), json!(error))
}

fn plain(status: &str) -> (String, Value) {
    (status.to_owned(), Value::Null)
}

/// The entries of the invitation's timeline that gateways made.
async fn reports(app: &TestApp, issued: &Value) -> Vec<(String, String)> {
    let path = format!("/v1/invitations/{}/timeline?limit=100", issued["id"].as_str().unwrap());
    let page = app.get(&path).await.ok(200);
    let entries = page["items"].as_array().unwrap().iter().filter(|entry| {
        let actor = entry["actor"].as_str().unwrap();
        actor.starts_with("gateway:")
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries.map(|entry| (text(&entry["event"]), text(&entry["detail"]))).collect()
}

fn entries(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(event, detail)| ((*event).to_owned(), (*detail).to_owned())).collect()
}

/// A service that listens to every vendor, and an invitation whose message its gateway calls `id`.
async fn invited(id: &str) -> (TestApp, Vendors, Value) {
    invited_with(id, "").await
}

/// As [`invited`], with these defaults.
async fn invited_with(id: &str, defaults: &'static str) -> (TestApp, Vendors, Value) {
    let vendors = Vendors::start().await;
    let app = TestApp::with(Settings { defaults, ..vendors.settings() }).await;
    app.next_id("email", id).await;
    let issued = app.issue(&app.user().await, json!({})).await;
    (app, vendors, issued)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_arrived_shows_as_delivered_everywhere() {
    let (app, vendors, issued) = invited("sg-1").await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &["invitation.delivered", "invitation.bounced"]).await;
    assert_eq!(delivery(&app, &issued).await, plain("sent"));
    app.advance(Duration::from_secs(5));
    let at = app.clock_now();
    let reply = vendors.report(&app, "sendgrid", "sg-1", "delivered").await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));

    assert_eq!(delivery(&app, &issued).await, plain("delivered"));
    let updated = app.invitation(&issued["id"]).await["delivery"]["updatedAt"].as_str().unwrap().to_owned();
    assert!(updated >= at, "{updated} is after {at}");
    assert_eq!(reports(&app, &issued).await, entries(&[("message.delivered", "invitation_email_link")]));
    let listed = app.get("/v1/invitations?deliveryStatus=delivered").await.ok(200);
    assert_eq!(listed["items"][0]["id"], issued["id"]);
    let deliveries = app.get("/v1/deliveries?status=delivered").await.ok(200);
    assert_eq!(deliveries["items"][0]["invitationId"], issued["id"]);
    for empty in ["/v1/invitations?deliveryStatus=sent", "/v1/invitations?deliveryStatus=bounced"] {
        assert_eq!(app.get(empty).await.ok(200)["items"], json!([]), "{empty}");
    }
    let username = issued["user"]["username"].as_str().unwrap();
    let diagnosis = app.get(&format!("/v1/accounts/PRIMARY/{username}/diagnosis")).await.ok(200);
    assert!(diagnosis.to_string().contains("message_delivered"), "{diagnosis}");
    app.work().await;
    assert_eq!(platform.types().await, ["invitation.delivered"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_came_back_shows_as_bounced_with_its_code_everywhere() {
    let (app, vendors, issued) = invited("sg-1").await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &[]).await;
    vendors.report(&app, "sendgrid", "sg-1", "bounced").await.ok(200);

    assert_eq!(delivery(&app, &issued).await, bounced("hard_bounce:5.1.1"));
    assert_eq!(reports(&app, &issued).await, entries(&[("message.bounced", "hard_bounce:5.1.1")]));
    let listed = app.get("/v1/invitations?deliveryStatus=bounced").await.ok(200);
    assert_eq!(listed["items"][0]["id"], issued["id"]);
    let found = app.get("/v1/deliveries?status=bounced").await.ok(200);
    assert_eq!(found["items"][0]["lastError"], "hard_bounce:5.1.1", "{found}");
    let audit = app.get("/v1/audit-events?actor=gateway:sendgrid").await.ok(200);
    assert_eq!(audit["items"][0]["event"], "message.bounced", "{audit}");

    let username = issued["user"]["username"].as_str().unwrap();
    let diagnosis = app.get(&format!("/v1/accounts/PRIMARY/{username}/diagnosis")).await.ok(200);
    assert_eq!(diagnosis["findings"][0]["code"], "message_bounced", "{diagnosis}");
    assert_eq!(diagnosis["nextAction"]["code"], "fix_recipient", "{diagnosis}");
    app.work().await;
    let told = platform.received().await.pop().unwrap();
    assert_eq!((told.event(), &told.body["data"]["detail"]), ("invitation.bounced", &json!("hard_bounce:5.1.1")));
    assert_eq!(told.body["data"]["invitationId"], issued["id"]);
    let sql = "SELECT count(*) AS count FROM audit_event WHERE detail LIKE '%@%'";
    assert_eq!(app.database.count(sql), 0, "addresses are kept nowhere");
    let sql = "SELECT count(*) AS count FROM outbox WHERE last_error LIKE '%@%'";
    assert_eq!(app.database.count(sql), 0, "addresses are kept nowhere");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_can_be_tried_again_as_what_failed() {
    let (app, vendors, issued) = invited("sg-1").await;
    vendors.report(&app, "sendgrid", "sg-1", "bounced").await.ok(200);
    app.advance(Duration::from_mins(2));
    let found = app.get("/v1/deliveries?status=bounced").await.ok(200);
    app.next_id("email", "sg-2").await;
    let path = format!("/v1/deliveries/{}/retry", found["items"][0]["id"].as_str().unwrap());
    app.post(&path, json!({})).await.ok(200);
    app.work().await;
    assert_eq!(delivery(&app, &issued).await, plain("sent"));
    vendors.report(&app, "sendgrid", "sg-2", "delivered").await.ok(200);
    assert_eq!(delivery(&app, &issued).await, plain("delivered"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_come_late_or_twice_change_nothing() {
    let (app, vendors, issued) = invited("sg-1").await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &[]).await;
    for what in ["delivered", "delivered", "bounced", "delivered", "bounced", "suppressed"] {
        vendors.report(&app, "sendgrid", "sg-1", what).await.ok(200);
    }
    assert_eq!(delivery(&app, &issued).await, bounced("hard_bounce:5.1.1"));
    let expected = [("message.delivered", "invitation_email_link"), ("message.bounced", "hard_bounce:5.1.1")];
    assert_eq!(reports(&app, &issued).await, entries(&expected));
    app.work().await;
    assert_eq!(platform.types().await, ["invitation.delivered", "invitation.bounced"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_equal_reports_at_once_one_counts() {
    let (app, vendors, issued) = invited("sg-1").await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &[]).await;
    let calls = (0..8).map(|_| vendors.report(&app, "sendgrid", "sg-1", "bounced"));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    assert_eq!(reports(&app, &issued).await, entries(&[("message.bounced", "hard_bounce:5.1.1")]));
    app.work().await;
    assert_eq!(platform.types().await, ["invitation.bounced"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delivered_and_bounced_at_once_end_as_bounced_and_never_wait_for_each_other() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let mut all = Vec::new();
    for number in 0..6 {
        app.next_id("email", &format!("sg-{number}")).await;
        all.push(app.issue(&app.user().await, json!({})).await);
    }
    let batch = |what: &str, order: Vec<usize>| {
        let status = if what == "bounce" { "5.1.1" } else { "2.0.0" };
        let event = |number| json!({"event": what, "status": status, "sg_message_id": format!("sg-{number}")});
        order.into_iter().map(event).collect::<Value>().to_string()
    };
    let (delivered, bounces) = (batch("delivered", (0..6).collect()), batch("bounce", (0..6).rev().collect()));
    let calls = (0..8).map(|number| {
        let event = if number % 2 == 0 { &delivered } else { &bounces };
        app.send(vendors.call(&app, "", "sendgrid", event))
    });
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    for issued in &all {
        assert_eq!(delivery(&app, issued).await, bounced("hard_bounce:5.1.1"));
        let seen = reports(&app, issued).await;
        assert!(seen.len() <= 2 && seen.last().unwrap().0 == "message.bounced", "{seen:?}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_of_an_earlier_message_says_nothing_of_the_new_one() {
    let (app, vendors, issued) = invited("sg-1").await;
    let platform = Receiver::start().await;
    app.webhook(&platform, &["invitation.bounced", "invitation.delivered"]).await;
    app.advance(Duration::from_mins(2));
    app.next_id("email", "sg-2").await;
    app.post(&format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    vendors.report(&app, "sendgrid", "sg-1", "bounced").await.ok(200);
    assert_eq!(delivery(&app, &issued).await, plain("sent"));
    assert_eq!(app.get("/v1/invitations?deliveryStatus=bounced").await.ok(200)["items"], json!([]));
    let earlier = ("receipt.bounced", "invitation_email_link hard_bounce:5.1.1");
    assert_eq!(reports(&app, &issued).await, entries(&[earlier]));
    vendors.report(&app, "sendgrid", "sg-2", "delivered").await.ok(200);
    assert_eq!(delivery(&app, &issued).await, plain("delivered"));
    app.work().await;
    assert_eq!(platform.types().await, ["invitation.delivered"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_is_not_reminded() {
    let (app, vendors, issued) = invited_with("sg-1", "reminders.minutes_before_expiry = [60]").await;
    assert!(app.invitation(&issued["id"]).await["nextReminderAt"].is_string());
    vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
    assert!(app.invitation(&issued["id"]).await["nextReminderAt"].is_string());
    vendors.report(&app, "sendgrid", "sg-1", "bounced").await.ok(200);
    assert_eq!(app.invitation(&issued["id"]).await["nextReminderAt"], Value::Null);
    app.advance(Duration::from_mins(1440 - 30));
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_that_bounces_leaves_the_message_as_it_was() {
    let (app, vendors, issued) = invited_with("sg-1", "reminders.minutes_before_expiry = [60]").await;
    vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
    app.advance(Duration::from_mins(1440 - 30));
    app.next_id("email", "sg-2").await;
    app.work().await;
    vendors.report(&app, "sendgrid", "sg-2", "bounced").await.ok(200);
    assert_eq!(delivery(&app, &issued).await, plain("delivered"));
    let last = reports(&app, &issued).await.pop();
    let expected = ("receipt.bounced".to_owned(), "reminder_email_link hard_bounce:5.1.1".to_owned());
    assert_eq!(last, Some(expected));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_not_known_or_not_told_apart_are_left_alone() {
    let (app, vendors, issued) = invited("sg-1").await;
    // The gateway calls all further messages the same.
    let twins = [app.issue(&app.user().await, json!({})).await, app.issue(&app.user().await, json!({})).await];
    for id in ["sg-2", "gw-1", "", "gw-1\u{0}"] {
        vendors.report(&app, "sendgrid", id, "bounced").await.ok(200);
    }
    let events = json!([{"event": "invented", "sg_message_id": "sg-1"}, {"event": "open", "sg_message_id": "sg-1"}]);
    app.send(vendors.call(&app, "", "sendgrid", &events.to_string())).await.ok(200);
    for issued in [&issued, &twins[0], &twins[1]] {
        assert_eq!(delivery(&app, issued).await, plain("sent"));
        assert_eq!(reports(&app, issued).await, []);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_a_tenant_reaches_its_messages_only_and_the_bare_one_all() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let scopes = "invitations:read invitations:write";
    let token = app.token_for("acme", scopes);
    app.next_id("email", "sg-1").await;
    let body = json!({"user": app.user().await.known()});
    let issue = app.request("POST", "/t/acme/v1/invitations").bearer_auth(&token).json(&body);
    let issued = app.send(issue).await.ok(201);
    app.work().await;
    let status = async || {
        let path = format!("/t/acme/v1/invitations/{}", issued["id"].as_str().unwrap());
        let found = app.send(app.request("GET", &path).bearer_auth(&token)).await.ok(200);
        found["delivery"]["status"].as_str().unwrap().to_owned()
    };
    let report = async |prefix: &str, what: &str| {
        let event = Vendors::event("sendgrid", "sg-1", what);
        app.send(vendors.call(&app, prefix, "sendgrid", &event)).await.ok(200);
    };
    for prefix in ["/t/other", "/t/default"] {
        report(prefix, "delivered").await;
        assert_eq!(status().await, "sent", "{prefix}");
    }
    report("/t/acme", "delivered").await;
    assert_eq!(status().await, "delivered");
    report("", "bounced").await;
    assert_eq!(status().await, "bounced");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_not_reported_on() {
    let (app, vendors, issued) = invited("sg-1").await;
    let username = issued["user"]["username"].as_str().unwrap();
    app.delete(&format!("/v1/accounts/PRIMARY/{username}")).await;
    vendors.report(&app, "sendgrid", "sg-1", "bounced").await.ok(200);
    let sql = "SELECT count(*) AS count FROM audit_event WHERE event LIKE '%bounced'";
    assert_eq!(app.database.count(sql), 0);
    app.finish().await;
}

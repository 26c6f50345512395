//! Reminders: the same secret once more before it expires, unless there is nothing left to remind of.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Settings, TestApp};

const TWO: &str = "reminders = { minutes_before_expiry = [600, 60] }";

async fn reminding() -> TestApp {
    TestApp::with(Settings { defaults: TWO, ..Settings::default() }).await
}

/// Lets the time pass, and the work be done.
async fn pass(app: &TestApp, minutes: u64) {
    app.advance(Duration::from_mins(minutes));
    app.work().await;
}

async fn kinds(app: &TestApp, channel: &str) -> Vec<String> {
    app.gateway.received(channel).await.iter().map(|message| message["kind"].as_str().unwrap().to_owned()).collect()
}

fn wiped(app: &TestApp) {
    assert_eq!(app.database.count("SELECT count(*) AS count FROM outbox WHERE payload IS NOT NULL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_link_is_sent_again_at_each_time_with_what_is_left() {
    let app = reminding().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let expires = invited::domain::time::Timestamp::parse(issued["expiresAt"].as_str().unwrap()).unwrap();
    let due = |minutes: u64| json!(expires.before(Duration::from_mins(minutes)).to_rfc3339());
    assert_eq!(issued["nextReminderAt"], due(600));

    pass(&app, 839).await;
    assert_eq!(kinds(&app, "email").await.len(), 1);
    pass(&app, 1).await;
    let first = app.gateway.last("email").await;
    assert_eq!((&first["kind"], &first["to"]), (&json!("reminder_email_link"), &json!(user.email)));
    assert!(first["text"].as_str().unwrap().contains("10 hours"), "{first}");
    assert_eq!(app.gateway.last_token().await, token, "the link is the one that was sent");
    let between = app.invitation(&issued["id"]).await;
    assert_eq!((&between["nextReminderAt"], &between["generation"]), (&due(60), &json!(1)));
    assert_eq!(between["delivery"]["status"], "sent");

    pass(&app, 540).await;
    let second = app.gateway.last("email").await;
    assert!(second["text"].as_str().unwrap().contains("1 hour"), "{second}");
    assert_ne!(first["key"], second["key"]);
    assert_eq!(app.invitation(&issued["id"]).await["nextReminderAt"], Value::Null);
    wiped(&app);
    app.accept(&token).await;
    pass(&app, 60).await;
    assert_eq!(kinds(&app, "email").await.iter().filter(|kind| kind.starts_with("reminder")).count(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_reminded_of_on_their_own_channel() {
    let app = reminding().await;
    for (method, channel) in [("email_otp", "email"), ("sms_otp", "sms")] {
        let user = app.user().await;
        app.issue(&user, json!({"method": method, "expiresInMinutes": 90})).await;
        let code = app.gateway.last_code(channel).await;
        pass(&app, 30).await;
        let reminder = app.gateway.last(channel).await;
        assert_eq!(reminder["kind"], format!("reminder_{method}"));
        assert!(reminder["text"].as_str().unwrap().contains(&code));
        app.redeem_code(&user, &code).await.ok(200);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_times_between_the_sending_and_the_expiry_count() {
    let app = reminding().await;
    let user = app.user().await;
    for (minutes, expected) in [(-1, 0), (0, 0), (30, 0), (60, 0), (61, 1), (600, 1), (601, 2)] {
        app.issue(&user, json!({"expiresInMinutes": minutes, "ifExists": "replace"})).await;
        let waiting = "SELECT count(*) AS count FROM outbox WHERE kind LIKE 'reminder%' AND state = 'scheduled'";
        assert_eq!(app.database.count(waiting), expected, "{minutes}");
    }
    let handed_over = app.issue(&user, json!({"delivery": "return", "ifExists": "replace"})).await;
    assert_eq!(handed_over["nextReminderAt"], Value::Null);
    pass(&app, 1440).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_the_invitation_ends_its_reminders() {
    for ending in ["accept", "revoke", "decline", "expire", "replace", "use"] {
        let app = reminding().await;
        let user = app.user().await;
        let method = if ending == "use" { "email_otp" } else { "email_link" };
        let issued = app.issue(&user, json!({"method": method, "expiresInMinutes": 120})).await;
        let path = format!("/v1/invitations/{}", issued["id"].as_str().unwrap());
        match ending {
            "accept" => app.accept(&app.gateway.last_token().await).await,
            "revoke" => drop(app.post(&format!("{path}/revoke"), json!({})).await.ok(200)),
            "decline" => {
                let body = json!({"token": app.gateway.last_token().await});
                app.send(app.request("POST", "/v1/redemptions/decline").json(&body)).await.ok(204);
            }
            "expire" => app.advance(Duration::from_hours(2)),
            "replace" => drop(app.issue(&user, json!({"ifExists": "replace", "expiresInMinutes": 30})).await),
            _ => drop(app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200)),
        }
        app.work().await;
        wiped(&app);
        assert_eq!(app.invitation(&issued["id"]).await["nextReminderAt"], Value::Null, "{ending}");
        pass(&app, 60).await;
        assert!(!kinds(&app, "email").await.iter().any(|kind| kind.starts_with("reminder")), "{ending}");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_has_reminders_of_its_own() {
    let app = reminding().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 120})).await;
    pass(&app, 59).await;
    app.post(&format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap()), json!({"expiresInMinutes": 120}))
        .await
        .ok(200);
    app.work().await;
    let token = app.gateway.last_token().await;
    pass(&app, 59).await;
    assert_eq!(kinds(&app, "email").await, ["invitation_email_link", "invitation_email_link"]);
    pass(&app, 1).await;
    assert_eq!(kinds(&app, "email").await.last().unwrap(), "reminder_email_link");
    assert_eq!(app.gateway.last_token().await, token);
    pass(&app, 60).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_is_not_reminded_of() {
    let app = reminding().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 120})).await;
    assert!(issued["nextReminderAt"].is_string());
    let failed = app.invitation(&issued["id"]).await;
    assert_eq!((&failed["delivery"]["status"], &failed["nextReminderAt"]), (&json!("failed"), &Value::Null));
    pass(&app, 60).await;
    assert_eq!(kinds(&app, "email").await.len(), 1);
    assert!(app.events(&issued["id"]).await.contains(&"message.skipped".to_owned()));
    wiped(&app);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_confirmed_after_the_reminders_time_brings_the_message_alone() {
    let app = reminding().await;
    let user = app.user().await;
    app.directory.break_next("PATCH", Fault::Status(500));
    app.issue(&user, json!({"expiresInMinutes": 120})).await;
    assert!(kinds(&app, "email").await.is_empty());
    pass(&app, 70).await;
    pass(&app, 1).await;
    assert_eq!(kinds(&app, "email").await, ["invitation_email_link"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_late_sends_one_reminder_that_tells_the_time() {
    let app = reminding().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    pass(&app, 1440 - 45).await;
    assert_eq!(kinds(&app, "email").await, ["invitation_email_link", "reminder_email_link"]);
    assert!(app.gateway.last("email").await["text"].as_str().unwrap().contains("45 minutes"));
    wiped(&app);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_count_from_a_sending_that_was_scheduled_and_change_with_no_setting() {
    use invited::clock::Clock as _;
    let app = reminding().await;
    let user = app.user().await;
    let send_at = app.clock.now().after(Duration::from_hours(10)).to_rfc3339();
    app.issue(&user, json!({"sendAt": send_at, "expiresInMinutes": 90})).await;
    app.database.execute(
        "INSERT INTO tenant_settings (tenant, overrides, version, updated_at)
         VALUES ('default', '{\"reminders\": {\"minutesBeforeExpiry\": []}}', 1, 0)",
    );
    pass(&app, 600).await;
    assert_eq!(kinds(&app, "email").await, ["invitation_email_link"]);
    pass(&app, 30).await;
    assert_eq!(kinds(&app, "email").await, ["invitation_email_link", "reminder_email_link"]);
    let grant = app.redeem_token(&app.gateway.last_token().await).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

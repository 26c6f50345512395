//! The outbox as operators see it, and trying again what was given up.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::TestApp;

async fn deliveries(app: &TestApp, query: &str) -> Vec<Value> {
    let page = app.get(&format!("/v1/deliveries?order=asc&{query}")).await.ok(200);
    page["items"].as_array().unwrap().clone()
}

/// The values that all items have of one field.
fn each(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_outbox_without_what_it_says() {
    let app = TestApp::spawn().await;
    let (first, second) = (app.user().await, app.user().await);
    let locked = app.issue(&first, json!({})).await;
    app.advance(Duration::from_secs(1));
    let between = app.clock_now();
    app.advance(Duration::from_secs(1));
    app.gateway.answers("sms", ResponseTemplate::new(503), 1).await;
    let waiting = app.issue(&second, json!({"method": "sms_otp", "lockAccount": false})).await;
    let all = deliveries(&app, "").await;
    assert_eq!(each(&all, "kind"), ["invitation_email_link", "account_sync", "invitation_sms_otp"]);
    assert_eq!(each(&all, "channel"), ["email", "directory", "sms"]);
    assert_eq!(each(&all, "status"), ["sent", "sent", "queued"]);
    assert_eq!(each(&all, "lastError"), ["", "", "http_503"]);
    assert!(all[2]["nextAttemptAt"].is_string() && all[0]["nextAttemptAt"].is_null());
    for item in &all {
        let one = app.get(&format!("/v1/deliveries/{}", item["id"].as_str().unwrap())).await;
        assert!(!one.text.contains(&first.username) && !one.text.contains('@'), "{}", one.text);
        assert_eq!(one.ok(200), *item);
    }
    let of = |item: &Value| item["invitationId"].as_str().unwrap().to_owned();
    let first_id = locked["id"].as_str().unwrap();
    for (query, kinds) in [
        ("status=queued".to_owned(), vec!["invitation_sms_otp"]),
        ("status=sent,queued&channel=sms".to_owned(), vec!["invitation_sms_otp"]),
        ("channel=directory".to_owned(), vec!["account_sync"]),
        ("channel=email".to_owned(), vec!["invitation_email_link"]),
        ("kind=account_sync&channel=email".to_owned(), vec![]),
        (format!("invitationId={first_id}"), vec!["invitation_email_link", "account_sync"]),
        (format!("invitationId={first_id}&status=failed"), vec![]),
        (format!("createdAfter={between}"), vec!["invitation_sms_otp"]),
        (format!("createdBefore={between}&kind=account_sync"), vec!["account_sync"]),
    ] {
        assert_eq!(each(&deliveries(&app, &query).await, "kind"), kinds, "{query}");
        assert_eq!(crate::lists::all(&app, &format!("/v1/deliveries?limit=1&{query}")).await.len(), kinds.len());
    }
    assert_eq!(of(&all[2]), waiting["id"].as_str().unwrap());
    for (query, pointer) in [("status=lost", "status"), ("kind=letter", "kind"), ("invitationId=1", "invitationId")] {
        app.get(&format!("/v1/deliveries?{query}")).await.field_problem(400, pointer, "invalid_value");
    }
    let path = format!("/v1/deliveries/{}", all[0]["id"].as_str().unwrap());
    let foreign = app.request("GET", &format!("/t/acme{path}")).bearer_auth(app.token_for("acme", "invitations:read"));
    app.send(foreign).await.problem(404, "delivery_not_found");
    app.get("/v1/deliveries/inv_1").await.problem(404, "delivery_not_found");
    app.advance(Duration::from_mins(1));
    app.work().await;
    app.finish().await;
}

async fn retry(app: &TestApp, delivery: &Value) -> crate::support::Reply {
    app.post(&format!("/v1/deliveries/{}/retry", delivery["id"].as_str().unwrap()), json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_failed_is_sent_again_as_a_new_one() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let failed = deliveries(&app, "status=failed").await.remove(0);
    retry(&app, &failed).await.problem(429, "resend_too_soon");
    app.advance(Duration::from_mins(1));
    let anew = retry(&app, &failed).await.ok(200);
    assert_eq!((&anew["status"], &anew["invitationId"]), (&json!("queued"), &issued["id"]));
    assert_ne!(anew["id"], failed["id"]);
    retry(&app, &failed).await.problem(409, "delivery_not_retriable");
    retry(&app, &anew).await.problem(409, "delivery_not_retriable");
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["generation"], 2);
    let events = app.events(&issued["id"]).await;
    assert!(events.iter().any(|event| event == "message.requeued"), "{events:?}");
    app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let read_only = app.token_for("default", "invitations:read invitations:write");
    let path = format!("/v1/deliveries/{}/retry", failed["id"].as_str().unwrap());
    app.send(app.request("POST", &path).bearer_auth(read_only)).await.problem(403, "insufficient_scope");
    let foreign = app.request("POST", &format!("/t/acme{path}")).bearer_auth(app.token_for("acme", "deliveries:write"));
    app.send(foreign).await.problem(404, "delivery_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_with_a_key_resends_once() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    app.advance(Duration::from_mins(1));
    let failed = deliveries(&app, "status=failed").await.remove(0);
    let path = format!("/v1/deliveries/{}/retry", failed["id"].as_str().unwrap());
    let keyed = || app.request("POST", &path).bearer_auth(app.token()).header("Idempotency-Key", "once");
    let first = app.send(keyed()).await;
    let again = app.send(keyed()).await;
    assert_eq!((first.status, &first.text), (200, &again.text));
    assert_eq!(again.header("idempotent-replayed"), "true");
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["generation"], 2);
    assert_eq!(app.gateway.received("email").await.len(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wiped_or_over_is_not_tried_again() {
    let app = TestApp::spawn().await;
    let (first, second) = (app.user().await, app.user().await);
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let revoked = app.issue(&first, json!({"lockAccount": false})).await;
    app.advance(Duration::from_mins(1));
    let path = format!("/v1/invitations/{}/revoke", revoked["id"].as_str().unwrap());
    app.post(&path, json!({})).await.ok(200);
    app.issue(&second, json!({"lockAccount": false})).await;
    let token = app.gateway.last_token().await;
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    app.accept(&token).await;
    app.work().await;
    let failed = deliveries(&app, "status=failed").await;
    assert_eq!(each(&failed, "kind"), ["invitation_email_link", "activation_email"]);
    for delivery in &failed {
        retry(&app, delivery).await.problem(409, "delivery_not_retriable");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_could_not_be_set_is_tried_again_by_many_at_once() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    app.database.execute(
        "INSERT INTO outbox (id, tenant, generation, kind, channel, state, attempts, fence, next_attempt_at, last_error,
                             created_at, updated_at, account_id)
         SELECT 'msg_0198c0de7c5a7d0c9c0f3b1f6f6b2a11', tenant, 0, 'account_sync', 'directory', 'failed', 24, 24, 0,
                'gave_up:directory_unavailable', updated_at, updated_at, id FROM account",
    );
    app.database.execute("UPDATE account SET lock_reason = 'ADMIN_INITIATED', directory = 'failed'");
    let failed = deliveries(&app, "kind=account_sync").await.remove(0);
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(24)));
    let racers = (0..8).map(|_| retry(&app, &failed));
    let replies = futures_util::future::join_all(racers).await;
    let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(won.len(), 1, "one of many is told that it did it");
    assert!(replies.iter().all(|reply| [200, 409].contains(&reply.status)));
    assert_eq!(app.account(&user).await["directory"], "pending");
    app.work().await;
    assert_eq!(app.account(&user).await["directory"], "synced");
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    app.finish().await;
}

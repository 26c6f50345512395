//! The audit trail and an invitation's own: what is told, found, exported, and that nothing changes it.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::lists::all;
use crate::support::{PASSWORD, TestApp};

async fn timeline(app: &TestApp, id: &Value) -> Vec<(String, String, String)> {
    let page = app.get(&format!("/v1/invitations/{}/timeline?limit=100", id.as_str().unwrap())).await.ok(200);
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let entries = page["items"].as_array().unwrap();
    entries.iter().map(|entry| (text(entry, "event"), text(entry, "actor"), text(entry, "detail"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_tells_everything_that_happened_to_an_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.gateway.answers("email", ResponseTemplate::new(503), 1).await;
    let issued = app.issue(&user, json!({})).await;
    app.advance(Duration::from_mins(1));
    app.work().await;
    let old = app.gateway.last_token().await;
    let resend = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
    app.post(&resend, json!({"expiresInMinutes": 5})).await.ok(200);
    app.work().await;
    app.redeem_token(&old).await.problem(410, "invitation_superseded");
    let token = app.gateway.last_token().await;
    let cut_short = &token[..token.len() - 1];
    app.redeem_token(cut_short).await.problem(400, "invalid_or_expired");
    app.advance(Duration::from_mins(5));
    app.redeem_token(&token).await.problem(410, "invitation_expired");
    app.work().await;
    app.post(&resend, json!({"method": "email_otp"})).await.ok(200);
    app.work().await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    let grant = app.redeem_code(&user, &app.gateway.last_code("email").await).await.ok(200)["grant"].clone();
    app.set_password(grant.as_str().unwrap(), PASSWORD).await.ok(200);
    app.work().await;
    let told = timeline(&app, &issued["id"]).await;
    let told: Vec<_> = told.iter().map(|(event, actor, detail)| (&**event, &**actor, &**detail)).collect();
    let admin = told[0].1;
    let expected = [
        ("invitation.issued", admin, "email_link"),
        ("account.synced", "system", "held"),
        ("invitation.lock_confirmed", "system", ""),
        ("message.retried", "system", "http_503"),
        ("message.sent", "system", "invitation_email_link"),
        ("invitation.resent", admin, "email_link"),
        ("message.sent", "system", "invitation_email_link"),
        ("invitation.redeem_failed", "person", "superseded"),
        ("invitation.redeem_failed", "person", "expired"),
        ("invitation.expired", "system", ""),
        ("invitation.resent", admin, "email_otp"),
        ("message.sent", "system", "invitation_email_otp"),
        ("invitation.redeem_failed", "person", "wrong_code"),
        ("invitation.redeemed", "person", "email_otp"),
        ("invitation.accepted", "person", ""),
        ("account.unlocked", "person", "accepted"),
        ("message.sent", "system", "activation_email"),
    ];
    assert_eq!(told, expected);
    let path = format!("/v1/invitations/{}/timeline", issued["id"].as_str().unwrap());
    let page = app.get(&format!("{path}?limit=3")).await.ok(200);
    let cursor = page["page"]["after"].as_str().unwrap();
    assert_eq!(app.get(&format!("{path}?limit=3&after={cursor}")).await.ok(200)["items"][0]["event"], told[3].0);
    assert_eq!(app.get(&format!("{path}?order=desc&limit=1")).await.ok(200)["items"][0]["event"], "message.sent");
    app.get(&format!("{path}?status=pending")).await.field_problem(400, "status", "unknown_parameter");
    let other = app.user().await;
    let other = app.issue(&other, json!({})).await;
    let elsewhere = format!("/v1/invitations/{}/timeline?limit=3&after={cursor}", other["id"].as_str().unwrap());
    app.get(&elsewhere).await.problem(400, "invalid_cursor");
    let foreign = app.token_for("acme", "invitations:read");
    let foreign = app.request("GET", &format!("/t/acme{path}")).bearer_auth(foreign);
    app.send(foreign).await.problem(404, "invitation_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlocking_with_a_revocation_is_in_the_timeline() {
    let app = TestApp::spawn().await;
    let issued = app.issue(&app.user().await, json!({})).await;
    let path = format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap());
    app.post(&path, json!({"unlock": true})).await.ok(200);
    app.work().await;
    let told = timeline(&app, &issued["id"]).await;
    let last = told.last().unwrap();
    assert_eq!((&*last.0, &*last.1, &*last.2), ("account.synced", "system", "none"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_time_actor_name_invitation_and_account() {
    let app = TestApp::spawn().await;
    let (user, other) = (app.user().await, app.user().await);
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let id = issued["id"].as_str().unwrap();
    app.advance(Duration::from_secs(1));
    let between = app.clock_now();
    app.issue(&other, json!({"lockAccount": false})).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    app.work().await;
    let found = async |query: &str| {
        let page = app.get(&format!("/v1/audit-events?order=asc&limit=100&{query}")).await.ok(200);
        let items = page["items"].as_array().unwrap().clone();
        assert_eq!(all(&app, &format!("/v1/audit-events?limit=2&{query}")).await.len(), items.len(), "{query}");
        items.iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (issue, sent, lock, sync) = ("invitation.issued", "message.sent", "account.locked", "account.synced");
    assert_eq!(found("").await, [issue, sent, issue, sent, lock, sync]);
    assert_eq!(found(&format!("to={between}")).await, [issue, sent]);
    assert_eq!(found(&format!("from={between}&event=message.sent")).await, [sent]);
    assert_eq!(found("actor=system").await, [sent, sent, sync]);
    assert_eq!(found(&format!("invitationId={id}")).await, [issue, sent]);
    assert_eq!(found(&format!("username={}", user.username.to_uppercase())).await, [issue, sent, lock, sync]);
    assert_eq!(found(&format!("username={}&realm=OTHER", user.username)).await, [""; 0]);
    let first = app.get(&format!("/v1/audit-events?limit=1&order=asc&invitationId={id}")).await.ok(200);
    let first = &first["items"][0];
    assert_eq!(
        (&first["event"], &first["invitationId"], &first["detail"]),
        (&json!(issue), &json!(id), &json!("email_link"))
    );
    let account = first["accountId"].as_str().unwrap();
    assert_eq!(found(&format!("accountId={account}&actor=system")).await, [sent, sync]);
    assert_eq!(found(&format!("accountId={account}&username={}", other.username)).await, [""; 0]);
    app.get("/v1/audit-events?realm=PRIMARY").await.field_problem(400, "username", "missing");
    app.get("/v1/audit-events?accountId=acc_1").await.field_problem(400, "accountId", "invalid_value");
    let lesser = app.token_for("default", "invitations:read invitations:write");
    app.send(app.request("GET", "/v1/audit-events").bearer_auth(lesser)).await.problem(403, "insufficient_scope");
    let foreign = app.request("GET", "/t/acme/v1/audit-events").bearer_auth(app.token_for("acme", "audit:read"));
    assert_eq!(app.send(foreign).await.ok(200)["items"], json!([]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_exported_line_by_line_oldest_first() {
    let app = TestApp::spawn().await;
    let issued = app.issue(&app.user().await, json!({"lockAccount": false})).await;
    let bulk = if app.database.is_postgres() {
        "SELECT g AS n FROM generate_series(1, 1203) g"
    } else {
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 1203) SELECT n FROM g"
    };
    app.database.execute(&format!(
        "INSERT INTO audit_event (id, tenant, at, event, actor, detail)
         SELECT 'aud_' || n, 'default', n % 7, 'test.event', 'nobody', '' FROM ({bulk}) numbers"
    ));
    let export =
        app.request("GET", "/v1/audit-events").header("Accept", "application/x-ndjson").bearer_auth(app.token());
    let reply = app.send(export).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"));
    let lines: Vec<Value> = reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1205);
    assert!(lines.windows(2).all(|pair| pair[0]["at"].as_str() <= pair[1]["at"].as_str()));
    let ids: std::collections::BTreeSet<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len(), "each once");
    let query = format!("format=ndjson&invitationId={}", issued["id"].as_str().unwrap());
    let one = app.get(&format!("/v1/audit-events?{query}")).await;
    assert_eq!(one.text.lines().count(), 2);
    let page = app.get("/v1/audit-events?limit=2&order=asc&actor=nobody").await.ok(200);
    assert_eq!(page["items"], json!(lines[..2]));
    app.get("/v1/audit-events?format=ndjson&limit=5").await.field_problem(400, "limit", "unknown_parameter");
    app.get("/v1/audit-events?format=csv").await.field_problem(400, "format", "invalid_value");
    let empty = app.get("/v1/audit-events?format=ndjson&username=nobody").await;
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_down_stays() {
    let app = TestApp::spawn().await;
    app.issue(&app.user().await, json!({"lockAccount": false})).await;
    for change in ["UPDATE audit_event SET detail = 'x'", "DELETE FROM audit_event"] {
        let refused = app.database.try_execute(change).unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 2);
    // As docs/operations.md has it.
    app.database.execute(if app.database.is_postgres() {
        "BEGIN; SET LOCAL invited.audit_pruning = 'on'; DELETE FROM audit_event WHERE at < 9000000000000; COMMIT;"
    } else {
        "BEGIN IMMEDIATE; DROP TRIGGER audit_event_no_delete; DELETE FROM audit_event WHERE at < 9000000000000;
         CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
             BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END;
         COMMIT;"
    });
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 0);
    app.issue(&app.user().await, json!({"lockAccount": false})).await;
    app.database.try_execute("DELETE FROM audit_event").unwrap_err();
    app.finish().await;
}

//! What administrators set up: endpoints, their filters, secrets and tests; and where an endpoint may not be.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{Receiver, Settings, TestApp};

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_added_read_changed_and_removed() {
    let app = TestApp::spawn().await;
    let body = json!({"url": "https://hooks.example.com/in", "events": ["invitation.accepted"], "description": "HR"});
    let reply = app.post("/v1/webhooks", body).await;
    let location = reply.header("location").to_owned();
    let created = reply.ok(201);
    assert_eq!(location, path(&created));
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "32 bytes in base64");
    let read = app.get(&location).await.ok(200);
    assert_eq!(read.get("secret"), None, "a secret is shown once");
    assert_eq!(
        (&read["enabled"], &read["description"], &read["failingSince"]),
        (&json!(true), &json!("HR"), &Value::Null)
    );
    assert_eq!(app.get("/v1/webhooks").await.ok(200), json!({"items": [read]}));

    app.advance(Duration::from_secs(1));
    let change = json!({"url": "https://hooks.example.com/other", "events": [], "description": null, "enabled": false});
    let changed = app.patch(&location, change).await.ok(200);
    assert_eq!((&changed["url"], &changed["events"]), (&json!("https://hooks.example.com/other"), &json!([])));
    assert_eq!((&changed["enabled"], &changed["disabledReason"]), (&json!(false), &json!("administrator")));
    assert_eq!(changed["description"], Value::Null);
    assert!(changed["updatedAt"].as_str() > read["updatedAt"].as_str());
    let unchanged = app.patch(&location, json!({})).await.ok(200);
    assert_eq!(unchanged, changed);
    let on = app.patch(&location, json!({"enabled": true})).await.ok(200);
    assert_eq!((&on["enabled"], &on["disabledReason"], &on["disabledAt"]), (&json!(true), &Value::Null, &Value::Null));

    assert_eq!(app.delete(&location).await.status, 204);
    app.delete(&location).await.problem(404, "webhook_not_found");
    app.get(&location).await.problem(404, "webhook_not_found");
    let written_down = ["webhook.created", "webhook.changed", "webhook.disabled", "webhook.changed", "webhook.deleted"];
    for event in written_down {
        let sql = format!("SELECT count(*) AS count FROM audit_event WHERE event = '{event}' AND actor = 'hr-portal'");
        let times = written_down.iter().filter(|other| **other == event).count();
        assert_eq!(app.database.count(&sql), i64::try_from(times).unwrap(), "{event}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_the_same_key_is_answered_with_the_same_secret() {
    let app = TestApp::spawn().await;
    let keyed = async |path: &str, body: Value| {
        let request = app.request("POST", path).bearer_auth(app.token()).header("Idempotency-Key", "k-1");
        app.send(request.json(&body)).await
    };
    let body = json!({"url": "https://hooks.example.com/"});
    let first = keyed("/v1/webhooks", body.clone()).await.ok(201);
    assert_eq!(keyed("/v1/webhooks", body).await.ok(201), first);
    assert_eq!(app.get("/v1/webhooks").await.ok(200)["items"].as_array().unwrap().len(), 1);
    let rotate = format!("{}/rotate-secret", path(&first));
    let rotated = keyed(&rotate, json!({})).await.ok(200);
    assert_ne!(rotated["secret"], first["secret"]);
    assert_eq!(keyed(&rotate, json!({})).await.ok(200), rotated);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_may_not_be_called_is_refused_with_its_reason() {
    let app = TestApp::spawn().await;
    let kept = app.post("/v1/webhooks", json!({"url": "https://hooks.example.com/"})).await.ok(201);
    for (url, code) in [
        ("http://hooks.example.com/", "insecure_url"),
        ("https://user:pw@hooks.example.com/", "credentials_in_url"),
        ("https://hooks.example.com/#part", "fragment_in_url"),
        ("hooks.example.com", "invalid_url"),
        ("ftp://hooks.example.com/", "invalid_url"),
        ("https://127.0.0.1/", "address_not_allowed"),
        ("https://10.1.2.3:8443/", "address_not_allowed"),
        ("https://169.254.169.254/latest/meta-data/", "address_not_allowed"),
        ("https://100.64.0.1/", "address_not_allowed"),
        ("https://[::1]/", "address_not_allowed"),
        ("https://[::ffff:127.0.0.1]/", "address_not_allowed"),
        ("https://[64:ff9b::a00:1]/", "address_not_allowed"),
        ("https://[fd00::1]/", "address_not_allowed"),
        ("https://0/", "address_not_allowed"),
        ("https://0x7f000001/", "address_not_allowed"),
    ] {
        app.post("/v1/webhooks", json!({"url": url})).await.field_problem(422, "/url", code);
        app.patch(&path(&kept), json!({"url": url})).await.field_problem(422, "/url", code);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named() {
    let app = TestApp::spawn().await;
    let url = "https://hooks.example.com/";
    let post = async |body: Value| app.post("/v1/webhooks", body).await;
    post(json!({})).await.field_problem(400, "/url", "missing");
    post(json!({"url": url, "events": ["invitation.eaten"]})).await.field_problem(400, "/events/0", "unknown_event");
    post(json!({"url": url, "events": ["webhook.test"]})).await.field_problem(400, "/events/0", "unknown_event");
    post(json!({"url": url, "description": "a\nb"})).await.field_problem(400, "/description", "control_character");
    post(json!({"url": url, "secret": "mine"})).await.field_problem(400, "/secret", "unknown_field");
    post(json!({"url": format!("{url}{}", "x".repeat(2048))})).await.field_problem(422, "/url", "too_long");
    let webhook = post(json!({"url": url})).await.ok(201);
    let rotate = format!("{}/rotate-secret", path(&webhook));
    app.post(&rotate, json!({"overlapMinutes": 10081})).await.field_problem(400, "/overlapMinutes", "out_of_range");
    app.post(&rotate, json!({"overlapMinutes": -1})).await.field_problem(400, "/overlapMinutes", "invalid_value");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_at_most_twenty_however_many_ask_at_once() {
    let app = TestApp::spawn().await;
    for _ in 0..12 {
        app.post("/v1/webhooks", json!({"url": "https://hooks.example.com/"})).await.ok(201);
    }
    let asking = (0..16).map(|_| app.post("/v1/webhooks", json!({"url": "https://hooks.example.com/"})));
    for reply in futures_util::future::join_all(asking).await {
        match reply.status {
            201 | 503 => {}
            _ => drop(reply.problem(409, "webhook_limit")),
        }
    }
    let listed = app.get("/v1/webhooks").await.ok(200)["items"].as_array().unwrap().len();
    for _ in listed..20 {
        app.post("/v1/webhooks", json!({"url": "https://hooks.example.com/"})).await.ok(201);
    }
    app.post("/v1/webhooks", json!({"url": "https://hooks.example.com/"})).await.problem(409, "webhook_limit");
    let other = app.token_for("acme", "webhooks:write");
    let elsewhere = app.request("POST", "/t/acme/v1/webhooks").bearer_auth(other);
    app.send(elsewhere.json(&json!({"url": "https://hooks.example.com/"}))).await.ok(201);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_webhook_is_not_there() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &[]).await;
    let token = app.token_for("acme", "webhooks:write");
    let call = async |method: &str, rest: &str| {
        let request = app.request(method, &format!("/t/acme{}{rest}", path(&webhook))).bearer_auth(&token);
        let request = if method == "PATCH" || rest == "/rotate-secret" { request.json(&json!({})) } else { request };
        app.send(request).await.problem(404, "webhook_not_found");
    };
    call("GET", "").await;
    call("PATCH", "").await;
    call("DELETE", "").await;
    call("POST", "/rotate-secret").await;
    call("POST", "/test").await;
    let list = app.send(app.request("GET", "/t/acme/v1/webhooks").bearer_auth(&token)).await.ok(200);
    assert_eq!(list, json!({"items": []}));
    let narrow = app.token_for("default", "invitations:read invitations:write");
    app.send(app.request("GET", &path(&webhook)).bearer_auth(narrow)).await.problem(403, "insufficient_scope");
    assert!(receiver.received().await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_at_once_and_tells_how_it_went() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let webhook = app.webhook(&receiver, &["invitation.accepted"]).await;
    let test = async || {
        app.send(app.request("POST", &format!("{}/test", path(&webhook))).bearer_auth(app.token())).await.ok(200)
    };
    let went = test().await;
    assert_eq!((&went["delivered"], &went["status"], &went["error"]), (&json!(true), &json!(204), &Value::Null));
    assert!(went["durationMs"].is_u64());
    let event = receiver.received().await.pop().unwrap();
    assert!(event.is_signed_with(&webhook["secret"]));
    assert_eq!(event.event(), "webhook.test");
    assert_eq!(event.body["data"], json!({"eventId": event.id, "tenant": "default", "endpointId": webhook["id"]}));
    let elsewhere = ResponseTemplate::new(302).insert_header("Location", receiver.url());
    for (answer, error) in
        [(ResponseTemplate::new(500), "http_500"), (elsewhere, "http_302"), (ResponseTemplate::new(410), "http_410")]
    {
        receiver.answers(answer, 1).await;
        let went = test().await;
        assert_eq!((&went["delivered"], &went["error"]), (&json!(false), &json!(error)));
    }
    assert_eq!(receiver.received().await.len(), 4, "no redirect is followed");
    assert_eq!(app.get(&path(&webhook)).await.ok(200)["enabled"], true, "a test changes nothing");
    app.patch(&path(&webhook), json!({"url": "http://127.0.0.1:1/"})).await.ok(200);
    assert_eq!(test().await["error"], "endpoint_unreachable");
    receiver.answers(ResponseTemplate::new(204).set_delay(Duration::from_secs(20)), 1).await;
    app.patch(&path(&webhook), json!({"url": receiver.url()})).await.ok(200);
    assert_eq!(test().await["error"], "endpoint_timeout");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_resolves_to_this_machine_is_not_called() {
    let sections = "[outbound]\nallow_insecure_http = true";
    let app = TestApp::with(Settings { sections, ..Settings::default() }).await;
    let receiver = Receiver::start().await;
    let url = format!("http://localhost:{}/", receiver.port());
    let webhook = app.post("/v1/webhooks", json!({"url": url})).await.ok(201);
    let went = app.post(&format!("{}/test", path(&webhook)), json!({})).await.ok(200);
    assert_eq!((&went["delivered"], &went["error"]), (&json!(false), &json!("address_not_allowed")));
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    assert!(receiver.received().await.is_empty());
    app.delete(&path(&webhook)).await;
    app.finish().await;
}

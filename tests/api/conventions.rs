//! What holds for every answer: ids and traces, cross-origin rules, headers, and that asking changes nothing.

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

const OURS: &str = "https://app.example.com";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn unknown_path_with(app: &TestApp, name: &str, value: &str) -> Reply {
    app.send(app.request("GET", "/v1/nowhere").header(name, value)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_echoed_and_a_bad_one_replaced() {
    let app = TestApp::spawn().await;
    let is_ours = |id: &str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    assert_eq!(unknown_path_with(&app, "X-Request-Id", "req-1._A").await.header("x-request-id"), "req-1._A");
    for bad in ["", "two words", "a\"b", "<script>", &"x".repeat(65)] {
        let id = unknown_path_with(&app, "X-Request-Id", bad).await.header("x-request-id").to_owned();
        assert!(is_ours(&id), "{bad:?} became {id}");
    }
    let live = app.send(app.request("GET", "/health/live")).await;
    assert!(is_ours(live.header("x-request-id")));
    let user = app.user().await;
    let request = app.request("POST", "/v1/invitations").bearer_auth(app.token()).header("X-Request-Id", "req-7");
    app.send(request.json(&json!({"user": user.known(), "lockAccount": false}))).await.ok(201);
    app.work().await;
    let noted = "SELECT count(*) AS count FROM audit_event WHERE event = 'invitation.issued' AND request_id = 'req-7'";
    assert_eq!(app.database.count(noted), 1, "the audit trail names the request");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_continued_or_begun() {
    let app = TestApp::spawn().await;
    let trace_of = |reply: Reply| reply.problem(404, "not_found")["traceId"].as_str().unwrap().to_owned();
    let continued = unknown_path_with(&app, "traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")).await;
    assert_eq!(trace_of(continued), TRACE);
    let zeros = "0".repeat(32);
    for bad in ["", "garbage", &format!("00-{zeros}-00f067aa0ba902b7-01"), &format!("00-{}-1-01", &TRACE[1..])] {
        let begun = trace_of(unknown_path_with(&app, "traceparent", bad).await);
        assert!(begun.len() == 32 && begun != zeros && begun != TRACE, "{bad:?} became {begun}");
    }
    app.finish().await;
}

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Reply {
    let request = app.request("OPTIONS", path).header("Origin", origin);
    app.send(request.header("Access-Control-Request-Method", "POST")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_origin_may_call_the_public_routes() {
    let app = TestApp::spawn().await;
    for path in ["/v1/redemptions", "/v1/redemptions/password", "/t/acme/v1/redemptions"] {
        let allowed = preflight(&app, path, OURS).await;
        assert_eq!((allowed.status, allowed.text.as_str()), (204, ""));
        assert_eq!(allowed.header("access-control-allow-origin"), OURS);
        assert_eq!(allowed.header("access-control-allow-methods"), "POST");
        let headers = allowed.header("access-control-allow-headers").to_lowercase();
        for needed in ["authorization", "content-type", "idempotency-key"] {
            assert!(headers.contains(needed), "{needed} in {headers}");
        }
        assert_eq!(allowed.header("vary"), "Origin");
        assert_eq!(allowed.header("access-control-allow-credentials"), "", "there are no cookies to be sent");
    }
    let request = app.request("POST", "/v1/redemptions").header("Origin", OURS).json(&json!({"token": "x"}));
    let refused = app.send(request).await;
    assert_eq!(refused.header("access-control-allow-origin"), OURS, "the page must be able to read problems too");
    assert!(refused.header("access-control-expose-headers").contains("Retry-After"));
    assert_eq!(refused.header("vary"), "Origin");
    refused.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_origin_may_read_nothing_and_nobody_the_admin_routes() {
    let app = TestApp::spawn().await;
    let foreign = ["https://evil.example.org", "http://app.example.com", "https://app.example.com:444", "null"];
    let lookalikes =
        ["https://app.example.com.evil.example.org", "https://xapp.example.com", "HTTPS://APP.EXAMPLE.COM", "*"];
    for origin in foreign.into_iter().chain(lookalikes) {
        let preflight = preflight(&app, "/v1/redemptions", origin).await;
        assert_no_leave(&preflight, origin);
        assert_eq!((preflight.status, preflight.header("vary")), (204, "Origin"));
        let request = app.request("POST", "/v1/redemptions").header("Origin", origin).json(&json!({"token": "x"}));
        let called = app.send(request).await;
        assert_no_leave(&called, origin);
        called.problem(400, "invalid_or_expired");
    }
    let guarded =
        ["/v1/invitations", "/v1/otp-logins", "/v1/accounts/PRIMARY/alex/lock", "/v1/redemptionsx", "/health/live"];
    for path in guarded {
        assert_no_leave(&preflight(&app, path, OURS).await, path);
        let request = app.request("POST", path).header("Origin", OURS).bearer_auth(app.token()).json(&json!({}));
        assert_no_leave(&app.send(request).await, path);
    }
    app.work().await;
    app.finish().await;
}

#[track_caller]
fn assert_no_leave(reply: &Reply, why: &str) {
    let granted = reply.headers.keys().find(|name| name.as_str().starts_with("access-control-allow"));
    assert_eq!(granted, None, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_neither_stored_nor_sniffed() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"delivery": "return"})).await;
    let live = app.send(app.request("GET", "/health/live")).await;
    let ready = app.send(app.request("GET", "/health/ready")).await;
    for reply in [&issued, &live, &ready] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
    assert_eq!((live.ok(200), ready.ok(200)), (json!({"status": "ok"}), json!({"status": "ok"})));
    issued.ok(201);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_changes_nothing() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let rows =
        "SELECT (SELECT count(*) FROM invitation) + (SELECT count(*) FROM account) + (SELECT count(*) FROM outbox)
                + (SELECT count(*) FROM audit_event) AS count";
    let state = async || {
        (
            app.invitation(&issued["id"]).await,
            app.account(&user).await,
            app.database.count(rows),
            // A diagnosis looks into the directory.
            app.directory.calls().iter().filter(|call| call.method != "GET").count(),
        )
    };
    let before = state().await;
    for path in document["paths"].as_object().unwrap().keys().map(String::as_str).chain(["/openapi.json", "/docs/"]) {
        let path = path.replace("{id}", issued["id"].as_str().unwrap());
        let path = path.replace("{realm}", "PRIMARY").replace("{username}", &user.username);
        for method in ["GET", "HEAD", "OPTIONS"] {
            let url = format!("{path}?token={token}&unlock=true");
            let reply =
                app.send(app.request(method, &url).bearer_auth(app.token()).json(&json!({"token": token}))).await;
            assert!(reply.status < 500, "{method} {path}: {}", reply.text);
        }
    }
    app.work().await;
    assert_eq!(state().await, before);
    app.redeem_token(&token).await.ok(200);
    app.finish().await;
}

//! Requests that are wrong before their fields are read: media types, sizes, paths, methods; and changes of what is there already.

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

const ID: &str = "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11";
const WITH_BODY: [&str; 8] = [
    "/v1/invitations",
    "/v1/invitations/{id}/resend",
    "/v1/invitations/{id}/revoke",
    "/v1/redemptions",
    "/v1/redemptions/password",
    "/v1/redemptions/decline",
    "/v1/redemptions/request-new",
    "/v1/otp-logins",
];

async fn post_as(app: &TestApp, path: &str, media_type: Option<&str>, body: &str) -> Reply {
    let request = app.request("POST", &path.replace("{id}", ID)).bearer_auth(app.token()).body(body.to_owned());
    app.send(media_type.into_iter().fold(request, |request, name| request.header("Content-Type", name))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_read() {
    let app = TestApp::spawn().await;
    for path in WITH_BODY {
        let other =
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "x"];
        for media_type in other.map(Some).into_iter().chain([None]) {
            post_as(&app, path, media_type, "{\"x\":1}").await.problem(415, "unsupported_media_type");
        }
        for media_type in ["application/json; charset=utf-8", "Application/JSON"] {
            post_as(&app, path, Some(media_type), "{\"x\":1}").await.field_problem(400, "/x", "unknown_field");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_more_than_sixteen_kibibytes_are_not_read() {
    let app = TestApp::spawn().await;
    for path in WITH_BODY {
        let sized = |size: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(size - 8));
        post_as(&app, path, Some("application/json"), &sized(16 * 1024 + 1)).await.problem(413, "payload_too_large");
        let fits = post_as(&app, path, Some("application/json"), &sized(16 * 1024)).await;
        fits.field_problem(400, "/x", "unknown_field");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::spawn().await;
    let paths =
        ["/", "/v1", "/v2/invitations", "/v1/invitations/", "/v1//invitations", "/V1/invitations", "/t", "/t/acme"];
    let more = ["/v1/accounts/PRIMARY", "/.env", "/v1/invitations/../invitations/x/y", "/t/a/t/b/v1/invitations"];
    for path in paths.into_iter().chain(more) {
        for method in ["GET", "POST", "DELETE"] {
            let request = app.request(method, path).bearer_auth(app.token()).json(&json!({}));
            app.send(request).await.problem(404, "not_found");
        }
    }
    let upper = ID.to_uppercase();
    let ids =
        ["x", "inv_", &ID[4..], &ID[..35], &upper, "%00", "%0D%0A", "..%2F..", "inv_'%20OR%201=1", "inv_%E2%80%A8"];
    for id in ids {
        app.get(&format!("/v1/invitations/{id}")).await.problem(404, "invitation_not_found");
        for what in ["resend", "revoke"] {
            let reply = app.post(&format!("/v1/invitations/{id}/{what}"), json!({})).await;
            reply.problem(404, "invitation_not_found");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn account_names_that_can_not_be_are_refused() {
    let app = TestApp::spawn().await;
    let long = "x".repeat(256);
    let cases = [
        ("PRIM%20ARY/alex", "realm", "invalid_characters"),
        ("..%2F/alex", "realm", "invalid_characters"),
        ("PRIMARY/alex%0D%0Ax", "username", "control_character"),
        ("PRIMARY/%00", "username", "control_character"),
        ("PRIMARY/%E2%80%A8", "username", "control_character"),
        (&format!("PRIMARY/{long}"), "username", "too_long"),
    ];
    for (path, parameter, code) in cases {
        app.get(&format!("/v1/accounts/{path}")).await.field_problem(400, parameter, code);
        for what in ["lock", "unlock"] {
            let reply = app.post(&format!("/v1/accounts/{path}/{what}"), json!({})).await;
            reply.field_problem(400, parameter, code);
        }
    }
    assert!(app.directory.calls().is_empty());
    for path in ["PRIMARY/a%2Fb", "PRIMARY/%FF", "primary/%27%20OR%201=1"] {
        app.get(&format!("/v1/accounts/{path}")).await.problem(404, "account_not_found");
        let locked = app.post(&format!("/v1/accounts/{path}/lock"), json!({})).await;
        locked.problem(404, "account_not_found");
    }
    assert!(app.directory.patches().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_there_is_told_which_are() {
    let app = TestApp::spawn().await;
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter().map(|(path, item)| (path.as_str(), item.clone()));
    for (path, item) in paths.chain([("/openapi.json", json!({"get": {}}))]) {
        let there: Vec<String> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let path = path.replace("{id}", ID);
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if there.iter().any(|name| name == method) {
                continue;
            }
            let reply = app.send(app.request(method, &path).bearer_auth(app.token())).await;
            let mut told: Vec<_> = reply.header("allow").split(", ").collect();
            told.sort_unstable();
            assert_eq!(told, there, "{method} {path}");
            if path.starts_with("/api/") {
                reply.fault(405, "method_not_allowed");
            } else {
                reply.problem(405, "method_not_allowed");
            }
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_change_leaves_an_invitation_as_it_was() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp"})).await;
    let code = app.gateway.last_code("email").await;
    app.advance(std::time::Duration::from_mins(1));
    let before = app.invitation(&issued["id"]).await;
    let path = |what: &str| format!("/v1/invitations/{}/{what}", issued["id"].as_str().unwrap());
    let resends = [
        (json!({"status": "pending"}), 400, "/status", "unknown_field"),
        (json!({"generation": 7}), 400, "/generation", "unknown_field"),
        (json!({"tenant": "acme"}), 400, "/tenant", "unknown_field"),
        (json!({"user": {"email": "other@example.com"}}), 400, "/user", "unknown_field"),
        (json!({"method": "pigeon"}), 400, "/method", "invalid_value"),
        (json!({"expiresInMinutes": "60"}), 400, "/expiresInMinutes", "invalid_value"),
        (json!({"locale": "de\r\nx"}), 400, "/locale", "control_character"),
        (json!({"locale": "de_CH"}), 400, "/locale", "invalid_characters"),
        (json!({"expiresInMinutes": -2}), 422, "/expiresInMinutes", "out_of_range"),
        (json!({"expiresInMinutes": 10_081}), 422, "/expiresInMinutes", "out_of_range"),
    ];
    for (body, status, pointer, code) in resends {
        app.post(&path("resend"), body).await.field_problem(status, pointer, code);
    }
    let revocations = [
        (json!({"unlock": "yes"}), "/unlock", "invalid_value"),
        (json!({"unlock": null}), "/unlock", "invalid_value"),
        (json!({"Unlock": true}), "/Unlock", "unknown_field"),
    ];
    for (body, pointer, code) in revocations {
        app.post(&path("revoke"), body).await.field_problem(400, pointer, code);
    }
    assert_eq!(app.invitation(&issued["id"]).await, before);
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.redeem_code(&user, &code).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_at_all_says_as_much_as_an_empty_object() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let id = issued["id"].as_str().unwrap();
    let revoke = app.request("POST", &format!("/v1/invitations/{id}/revoke")).bearer_auth(app.token());
    assert_eq!(app.send(revoke).await.ok(200)["status"], "revoked");
    app.send(app.request("POST", "/v1/invitations").bearer_auth(app.token()))
        .await
        .field_problem(400, "/user", "missing");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_that_can_not_be_one_is_refused() {
    let app = TestApp::spawn().await;
    let body = json!({"username": "alex", "otp": "Ab3Cd4"});
    for key in ["", "\"\"", "two words", &"k".repeat(256)] {
        for path in ["/v1/redemptions", "/v1/otp-logins"] {
            let request = app.request("POST", path).bearer_auth(app.token()).header("Idempotency-Key", key).json(&body);
            app.send(request).await.field_problem(400, "Idempotency-Key", "invalid_idempotency_key");
        }
    }
    app.finish().await;
}

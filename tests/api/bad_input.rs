//! Bad input: each is refused precisely, in words that do not repeat it, and nothing comes of it.

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

/// Stands in whatever must not come back; no answer may repeat it.
const OFFENCE: &str = "hunter2";
const ISSUE: &str = "/v1/invitations";
const REDEEM: &str = "/v1/redemptions";
const PASSWORD: &str = "/v1/redemptions/password";
const LOGIN: &str = "/v1/otp-logins";

async fn post_text(app: &TestApp, path: &str, body: impl Into<reqwest::Body>) -> Reply {
    let request = app.request("POST", path).bearer_auth(app.token()).header("Content-Type", "application/json");
    app.send(request.body(body)).await
}

/// The body is refused for the field at `pointer`, and not repeated.
async fn refused(app: &TestApp, path: &str, body: &str, (status, pointer, code): (u16, &str, &str)) {
    let reply = post_text(app, path, body.to_owned()).await;
    assert!(!reply.text.contains(OFFENCE), "{body} is repeated: {}", reply.text);
    assert!(!reply.text.contains("struct "), "{body} is answered with our own words: {}", reply.text);
    reply.field_problem(status, pointer, code);
}

/// How much is written down.
fn rows(app: &TestApp) -> i64 {
    app.database.count(
        "SELECT (SELECT count(*) FROM invitation) + (SELECT count(*) FROM account) + (SELECT count(*) FROM outbox)
         + (SELECT count(*) FROM audit_event) AS count",
    )
}

async fn nothing_came_of_it(app: &TestApp) {
    app.work().await;
    assert_eq!(rows(app), 0);
    assert!(app.directory.patches().is_empty());
    assert!(app.gateway.received("email").await.is_empty() && app.gateway.received("sms").await.is_empty());
}

/// An issue's body for alex with this field of `user`.
fn user_with(field: &str, value: &Value) -> String {
    let mut body = json!({"user": {"username": "alex"}});
    body["user"][field] = value.clone();
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_is_refused_everywhere() {
    let app = TestApp::spawn().await;
    let id = "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11";
    let (resend, revoke) = (format!("/v1/invitations/{id}/resend"), format!("/v1/invitations/{id}/revoke"));
    let bodies: [&[u8]; 7] =
        [b"", b" ", b"{", b"{hunter2:1}", b"{'hunter2':1}", b"\xef\xbb\xbf{}", b"{\"\xff\xfe\":1}"];
    for path in [ISSUE, &resend, &revoke, REDEEM, PASSWORD, LOGIN] {
        for body in bodies {
            let reply = post_text(&app, path, body.to_vec()).await;
            assert!(!reply.text.contains(OFFENCE));
            reply.problem(400, "malformed_json");
        }
        for body in ["[]", "[null]", "7", "\"hunter2\"", "null", "true"] {
            refused(&app, path, body, (400, "", "invalid_value")).await;
        }
    }
    let deep = format!("{{\"metadata\":{}", "[".repeat(8000));
    for body in ["{\"user\":", "{\"user\":hunter2}", "{\"user\":{\"username\":\"a\nb\"}}", &deep] {
        post_text(&app, ISSUE, body.to_owned()).await.problem(400, "malformed_json");
    }
    for body in ["{} {}", "{}x", "{}\0"] {
        post_text(&app, &revoke, body).await.problem(400, "malformed_json");
    }
    assert!(app.directory.calls().is_empty());
    nothing_came_of_it(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_not_spelled_as_an_array() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
    let revoke = format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap());
    refused(&app, &revoke, "[true]", (400, "", "invalid_value")).await;
    refused(&app, REDEEM, &json!([token, null, null, null]).to_string(), (400, "", "invalid_value")).await;
    refused(&app, LOGIN, "[\"alex\",null,\"hunter2\"]", (400, "", "invalid_value")).await;
    refused(&app, ISSUE, "{\"user\":[\"hunter2\",null,null,null,null,null,null]}", (400, "/user", "invalid_value"))
        .await;
    let request = app.request("POST", PASSWORD).bearer_auth(&grant).json(&json!(["correct horse battery staple"]));
    app.send(request).await.field_problem(400, "", "invalid_value");
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_not_there_to_be_set_are_refused() {
    let app = TestApp::spawn().await;
    for field in ["status", "generation", "tenant", "id", "createdBy", "verifier", "warnings", "Method", "__proto__"] {
        let body = json!({"user": {"username": "alex"}, field: OFFENCE}).to_string();
        refused(&app, ISSUE, &body, (400, &format!("/{field}"), "unknown_field")).await;
    }
    for field in ["tenant", "active", "locked", "userName", "password"] {
        refused(&app, ISSUE, &user_with(field, &json!(OFFENCE)), (400, &format!("/user/{field}"), "unknown_field"))
            .await;
    }
    let cases = [
        (REDEEM, json!({"token": OFFENCE, "tenant": "acme"}), "/tenant"),
        (REDEEM, json!({"username": "alex", "otp": OFFENCE, "grant": OFFENCE}), "/grant"),
        (PASSWORD, json!({"password": OFFENCE, "username": "alex"}), "/username"),
        (LOGIN, json!({"username": "alex", "otp": OFFENCE, "password": OFFENCE}), "/password"),
    ];
    for (path, body, pointer) in cases {
        refused(&app, path, &body.to_string(), (400, pointer, "unknown_field")).await;
    }
    nothing_came_of_it(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_fields_are_refused() {
    let app = TestApp::spawn().await;
    let cases = [
        (ISSUE, r#"{"user":{"username":"alex"},"user":{"username":"hunter2"}}"#, "/user"),
        (ISSUE, r#"{"user":{"username":"alex","email":"a@example.com","email":"hunter2@example.com"}}"#, "/user/email"),
        (ISSUE, r#"{"user":{"username":"alex"},"method":"sms_otp","method":"sms_otp"}"#, "/method"),
        (REDEEM, r#"{"token":"a","token":"hunter2"}"#, "/token"),
        (PASSWORD, r#"{"password":"a","password":"hunter2"}"#, "/password"),
        (LOGIN, r#"{"username":"alex","otp":"a","otp":"hunter2"}"#, "/otp"),
    ];
    for (path, body, pointer) in cases {
        refused(&app, path, body, (400, pointer, "duplicate_field")).await;
    }
    nothing_came_of_it(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_the_wrong_type_are_refused() {
    let app = TestApp::spawn().await;
    let list = json!([OFFENCE]);
    let object = json!({"hunter2": OFFENCE});
    for value in [&list, &object, &json!(7), &json!(true)] {
        for field in ["username", "realm", "id", "email", "phone", "displayName", "locale"] {
            refused(&app, ISSUE, &user_with(field, value), (400, &format!("/user/{field}"), "invalid_value")).await;
        }
    }
    let wrong = [
        ("purpose", json!("hunter2")),
        ("purpose", json!("expected hunter2")),
        ("method", json!("`hunter2`, expected hunter2")),
        ("method", json!("EMAIL_LINK")),
        ("expiresInMinutes", json!("expected hunter2")),
        ("expiresInMinutes", json!(1.5)),
        ("expiresInMinutes", json!(1e30)),
        ("lockAccount", json!("hunter2")),
        ("lockAccount", json!(1)),
        ("delivery", json!("external")),
        ("ifExists", json!("hunter2")),
        ("redirectUrl", list.clone()),
        ("metadata", list),
        ("metadata", json!("hunter2")),
        ("metadata", json!(7)),
    ];
    for (field, value) in wrong {
        let body = json!({"user": {"username": "alex"}, field: value}).to_string();
        refused(&app, ISSUE, &body, (400, &format!("/{field}"), "invalid_value")).await;
    }
    refused(&app, ISSUE, "{\"user\":\"hunter2\"}", (400, "/user", "invalid_value")).await;
    refused(&app, ISSUE, "{}", (400, "/user", "missing")).await;
    refused(&app, ISSUE, "{\"user\":{}}", (400, "/user/username", "missing")).await;
    refused(&app, PASSWORD, "{\"password\":[\"hunter2\"]}", (400, "/password", "invalid_value")).await;
    refused(&app, PASSWORD, "{}", (400, "/password", "missing")).await;
    refused(&app, LOGIN, "{\"username\":\"alex\",\"otp\":123456}", (400, "/otp", "invalid_value")).await;
    for body in [
        json!({}),
        json!({"username": "hunter2"}),
        json!({"otp": "hunter2"}),
        json!({"token": "hunter2", "otp": "hunter2"}),
        json!({"token": "hunter2", "realm": "PRIMARY"}),
        json!({"token": null, "username": "hunter2", "otp": null}),
    ] {
        refused(&app, REDEEM, &body.to_string(), (400, "", "invalid_proof")).await;
    }
    nothing_came_of_it(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_could_break_a_line_or_its_reading_is_refused() {
    let app = TestApp::spawn().await;
    let bad = ["\r\nBcc: ", "\n", "\t", "\0", "\u{7f}", "\u{85}", "\u{2028}", "\u{2029}", "\u{202e}", "\u{feff}"];
    for field in ["username", "id", "email", "phone", "displayName", "locale"] {
        for unsafe_text in bad {
            let value = json!(format!("hunter2{unsafe_text}x"));
            refused(&app, ISSUE, &user_with(field, &value), (400, &format!("/user/{field}"), "control_character"))
                .await;
        }
        refused(&app, ISSUE, &user_with(field, &json!("")), (400, &format!("/user/{field}"), "empty")).await;
    }
    let long = [("username", 256), ("id", 256), ("email", 255), ("phone", 33), ("displayName", 129), ("locale", 36)];
    for (field, length) in long {
        let value = json!("x".repeat(length));
        refused(&app, ISSUE, &user_with(field, &value), (400, &format!("/user/{field}"), "too_long")).await;
    }
    for realm in ["", "-A", "A B", "PRIMARY/..", "\u{ff21}", "hunter2\n", &"A".repeat(65)] {
        refused(&app, ISSUE, &user_with("realm", &json!(realm)), (400, "/user/realm", "invalid_characters")).await;
        let login = json!({"username": "alex", "otp": OFFENCE, "realm": realm}).to_string();
        refused(&app, LOGIN, &login, (400, "/realm", "invalid_characters")).await;
    }
    refused(&app, ISSUE, &user_with("locale", &json!("../hunter2")), (400, "/user/locale", "invalid_characters")).await;
    let redirect = json!({"user": {"username": "alex"}, "redirectUrl": "https://app.example.com/welcome\r\nhunter2"});
    refused(&app, ISSUE, &redirect.to_string(), (400, "/redirectUrl", "control_character")).await;
    nothing_came_of_it(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_one_small_object_that_every_reader_understands() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let with = |metadata: &str| format!("{{\"user\":{},\"lockAccount\":false,\"metadata\":{metadata}}}", user.known());
    let too_long = format!("{{\"a\":\"{}\"}}", "x".repeat(4089));
    refused(&app, ISSUE, &with(&too_long), (400, "/metadata", "too_long")).await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    for metadata in ["{\"a\":\"hunter2\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":1e999}", &deep] {
        refused(&app, ISSUE, &with(metadata), (400, "/metadata", "invalid_value")).await;
    }
    nothing_came_of_it(&app).await;

    let kept = format!("{{\"a\":\"{}\",\"b\":\"\\r\\n\\u2028\"}}", "x".repeat(4096 - 29));
    let issued = post_text(&app, ISSUE, with(&kept)).await.ok(201);
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["metadata"]["b"], "\r\n\u{2028}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn well_formed_wishes_that_a_rule_forbids_are_named() {
    let app = TestApp::spawn().await;
    let invite = |more: Value| {
        let mut body = json!({"user": {"username": "alex", "id": "1", "email": "alex@example.com"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    for minutes in [json!(-2), json!(10_081), json!(i64::MAX), json!(i64::MIN)] {
        let body = invite(json!({"expiresInMinutes": minutes}));
        refused(&app, ISSUE, &body, (422, "/expiresInMinutes", "out_of_range")).await;
    }
    for email in
        ["hunter2", "hunter2@localhost", "a@example.com,hunter2@example.com", "<hunter2@example.com>", "a@b@c.de"]
    {
        refused(&app, ISSUE, &user_with("email", &json!(email)), (422, "/user/email", "recipient_rejected")).await;
    }
    for phone in ["0771234567", "+0771234567", "+94 77 123", "+12345", "+1234567890123456", "hunter2"] {
        refused(&app, ISSUE, &user_with("phone", &json!(phone)), (422, "/user/phone", "recipient_rejected")).await;
    }
    for url in [
        "https://evil.example.org/hunter2",
        "//evil.example.org/hunter2",
        "/hunter2",
        "javascript:alert('hunter2')",
        "data:text/html,hunter2",
        "https://app.example.com/welcome/hunter2",
        "https://app.example.com/welcome?hunter2",
        "http://app.example.com/welcome",
        "https://app.example.com:444/welcome",
        "https://hunter2@app.example.com/welcome",
        "https://app.example.com@evil.example.org/welcome",
        "https://docs.example.com.evil.example.org/hunter2",
        "https://user:hunter2@docs.example.com/a",
    ] {
        refused(&app, ISSUE, &invite(json!({"redirectUrl": url})), (422, "/redirectUrl", "redirect_not_allowed")).await;
    }
    assert!(app.directory.calls().is_empty());
    for realm in ["PRIMARY", "TERTIARY"] {
        let body = json!({"user": {"username": "hunter2.nobody", "realm": realm}}).to_string();
        refused(&app, ISSUE, &body, (422, "/user/username", "user_not_found")).await;
    }
    nothing_came_of_it(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_kept_as_it_was_understood() {
    let app = TestApp::spawn().await;
    let kept = [
        ("https://app.example.com/welcome", "https://app.example.com/welcome"),
        ("HTTPS://Docs.Example.com:443/a/../b?c#d", "https://docs.example.com/b?c#d"),
        ("https://docs.example.com\\@evil.example.org/", "https://docs.example.com/@evil.example.org/"),
    ];
    for (given, understood) in kept {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"redirectUrl": given})).await;
        assert_eq!(issued["redirectUrl"], understood);
        let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
        assert_eq!(redeemed["invitation"]["redirectUrl"], understood);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_under_the_same_name_is_not_found() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let body = json!({"user": {"username": user.username, "id": "another"}}).to_string();
    refused(&app, ISSUE, &body, (422, "/user/username", "user_not_found")).await;
    nothing_came_of_it(&app).await;
    app.finish().await;
}

//! What holds for all of WSO2's routes: the form of errors, the scopes, the tenants; and `recover-password`.

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};
use crate::{wso2_codes, wso2_recovery};

const RECOVER: &str = "/api/identity/recovery/v0.9/recover-password";

/// Every compatible route, with our scope and WSO2's, either of which opens it.
pub(crate) const COMPATIBLE: &[(&str, &str, &str, &str)] = &[
    ("post", RECOVER, "otp:verify", "internal_recovery_create"),
    ("post", wso2_recovery::VALIDATE, "otp:verify", "internal_recovery_create"),
    ("post", wso2_recovery::SET, "otp:verify", "internal_recovery_create"),
    ("post", wso2_codes::INTROSPECT, "invitations:read", "internal_user_code_mgt_view"),
    ("post", wso2_codes::VALIDATE, "otp:verify", "internal_user_code_mgt_create"),
    ("get", "/api/server/v1/identity-governance", "settings:read", "internal_idp_view"),
    ("post", "/api/server/v1/identity-governance/preferences", "settings:read", "internal_login"),
    ("get", "/api/server/v1/identity-governance/{category_id}", "settings:read", "internal_idp_view"),
    ("get", "/api/server/v1/identity-governance/{category_id}/connectors", "settings:read", "internal_idp_view"),
    ("patch", "/api/server/v1/identity-governance/{category_id}/connectors", "settings:write", "internal_idp_update"),
    (
        "post",
        "/api/server/v1/identity-governance/{category_id}/connectors/revert",
        "settings:write",
        "internal_idp_update",
    ),
    (
        "get",
        "/api/server/v1/identity-governance/{category_id}/connectors/{connector_id}",
        "settings:read",
        "internal_idp_view",
    ),
    (
        "patch",
        "/api/server/v1/identity-governance/{category_id}/connectors/{connector_id}",
        "settings:write",
        "internal_idp_update",
    ),
    ("post", "/api/identity/user/v1.0/resend-code", "invitations:write", "internal_user_code_mgt_create"),
    ("post", "/api/users/v1/offline-invite-link", "invitations:write", "internal_offline_invite"),
];

async fn call(app: &TestApp, method: &str, path: &str, token: &str) -> Reply {
    app.send(app.request(&method.to_uppercase(), path).bearer_auth(token).json(&json!({}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn they_open_by_either_scope_and_by_no_other() {
    let app = TestApp::spawn().await;
    for &(method, path, ours, theirs) in COMPATIBLE {
        let described = call(&app, method, path, &app.token_for("default", "audit:read")).await;
        let described = described.fault(403, "insufficient_scope");
        assert!(described.contains(ours) && described.contains(theirs), "{described}");
        call(&app, method, path, &app.token_for("acme", ours)).await.fault(403, "wrong_tenant");
        for scope in [ours, theirs] {
            let reply = call(&app, method, path, &app.token_for("default", scope)).await;
            assert!(![401, 403].contains(&reply.status), "{method} {path}: {}", reply.text);
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_originals_form_wherever_they_come_from() {
    let app = TestApp::spawn().await;
    let token = app.token();
    let anonymous = app.send(app.request("POST", RECOVER).json(&json!({}))).await;
    assert_eq!(anonymous.header("www-authenticate"), "Bearer");
    anonymous.fault(401, "unauthorized");
    let described = call(&app, "post", RECOVER, &token).await.fault(400, "invalid_request");
    assert!(described.contains("/user is required"), "{described}");
    let wrong = app.send(app.request("GET", RECOVER).bearer_auth(&token)).await;
    assert_eq!(wrong.header("allow"), "POST");
    wrong.fault(405, "method_not_allowed");
    call(&app, "post", "/api/identity/user/v1.0/nothing", &token).await.fault(404, "not_found");
    call(&app, "post", "/t/acme/api/server/v1/nothing", &token).await.fault(404, "not_found");
    let broken = app.request("POST", RECOVER).bearer_auth(&token).header("Content-Type", "application/json").body("{");
    app.send(broken).await.fault(400, "malformed_json");
    app.finish().await;
}

fn of(username: &str) -> Value {
    json!({"user": {"username": username, "realm": "", "tenant-domain": "carbon.super", "more": 1}, "properties": []})
}

async fn recover(app: &TestApp, base: &str, token: &str, username: &str) -> Reply {
    app.send(app.request("POST", &format!("{base}{RECOVER}?type=email")).bearer_auth(token).json(&of(username))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_password_to_set_first_is_told_so_by_any_name_of_the_tenant() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let token = app.token_for("carbon.super", "invitations:write otp:verify accounts:write");
    recover(&app, "", &token, &user.username).await.fault(501, "recovery_not_offered");
    let issue = app.request("POST", "/t/carbon.super/v1/invitations").bearer_auth(&token);
    app.send(issue.json(&json!({"user": user.known()}))).await.ok(201);
    app.work().await;
    for base in ["", "/t/default", "/t/carbon.super"] {
        for token in [&token, &app.token()] {
            recover(&app, base, token, &user.username).await.fault(400, "17006");
            recover(&app, base, token, &format!("primary/{}", user.username)).await.fault(400, "17006");
        }
    }
    let lock = format!("/v1/accounts/PRIMARY/{}/lock", user.username);
    app.send(app.request("POST", &lock).bearer_auth(&token)).await.ok(200);
    app.work().await;
    recover(&app, "", &token, &user.username).await.fault(400, "17003");
    let locked_before = app.user().await;
    app.directory.set_active("PRIMARY", &locked_before.id, false).await;
    app.issue(&locked_before, json!({})).await;
    recover(&app, "", &token, &locked_before.username).await.fault(400, "17003");
    recover(&app, "", &token, "").await.fault(400, "invalid_request");
    app.finish().await;
}

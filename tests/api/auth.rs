//! Access tokens: only one that is right in every claim opens a route, for its tenant and its scopes alone.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::token::{AUDIENCE, SECRET, claims, sign};
use crate::support::{PASSWORD, Reply, Settings, TestApp};
use crate::wso2::COMPATIBLE;

const SCOPES: &str = "invitations:read invitations:write settings:read settings:write accounts:read accounts:write \
                      deliveries:write audit:read otp:verify webhooks:write";
const ID: &str = "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11";
const INVALID: &str = "Bearer error=\"invalid_token\"";

/// Every route that needs an access token, with the scope that opens it.
const GUARDED: &[(&str, &str, &str)] = &[
    ("post", "/v1/invitations", "invitations:write"),
    ("get", "/v1/invitations", "invitations:read"),
    ("get", "/v1/invitations/{id}", "invitations:read"),
    ("get", "/v1/invitations/{id}/timeline", "invitations:read"),
    ("get", "/v1/deliveries", "invitations:read"),
    ("get", "/v1/deliveries/{id}", "invitations:read"),
    ("post", "/v1/deliveries/{id}/retry", "deliveries:write"),
    ("get", "/v1/audit-events", "audit:read"),
    ("post", "/v1/invitations/{id}/resend", "invitations:write"),
    ("post", "/v1/invitations/{id}/revoke", "invitations:write"),
    ("post", "/v1/bulk-invitations", "invitations:write"),
    ("get", "/v1/bulk-invitations", "invitations:read"),
    ("get", "/v1/bulk-invitations/{id}", "invitations:read"),
    ("get", "/v1/bulk-invitations/{id}/results", "invitations:read"),
    ("post", "/v1/bulk-invitations/{id}/cancel", "invitations:write"),
    ("post", "/v1/directory-events", "invitations:write"),
    ("post", "/v1/otp-logins", "otp:verify"),
    ("get", "/v1/accounts/{realm}/{username}", "accounts:read"),
    ("delete", "/v1/accounts/{realm}/{username}", "accounts:write"),
    ("get", "/v1/accounts/{realm}/{username}/diagnosis", "accounts:read"),
    ("post", "/v1/accounts/{realm}/{username}/lock", "accounts:write"),
    ("post", "/v1/accounts/{realm}/{username}/unlock", "accounts:write"),
    ("get", "/v1/settings", "settings:read"),
    ("patch", "/v1/settings", "settings:write"),
    ("delete", "/v1/settings", "settings:write"),
    ("get", "/v1/templates", "settings:read"),
    ("get", "/v1/templates/{kind}/{locale}", "settings:read"),
    ("put", "/v1/templates/{kind}/{locale}", "settings:write"),
    ("delete", "/v1/templates/{kind}/{locale}", "settings:write"),
    ("post", "/v1/templates/{kind}/{locale}/preview", "settings:read"),
    ("post", "/v1/webhooks", "webhooks:write"),
    ("get", "/v1/webhooks", "webhooks:write"),
    ("get", "/v1/webhooks/{id}", "webhooks:write"),
    ("patch", "/v1/webhooks/{id}", "webhooks:write"),
    ("delete", "/v1/webhooks/{id}", "webhooks:write"),
    ("post", "/v1/webhooks/{id}/rotate-secret", "webhooks:write"),
    ("post", "/v1/webhooks/{id}/test", "webhooks:write"),
];

fn good_claims(app: &TestApp) -> Value {
    claims("default", SCOPES, invited::clock::Clock::now(&*app.clock).seconds())
}

/// Knocks at a route that says "404" to whoever is let in.
async fn knock(app: &TestApp, token: &str) -> Reply {
    app.send(app.request("GET", "/v1/accounts/PRIMARY/nobody").bearer_auth(token)).await
}

async fn call(app: &TestApp, method: &str, path: &str, token: &str) -> Reply {
    let path = path.replace("{id}", ID).replace("{realm}", "PRIMARY").replace("{username}", "nobody");
    let path = path.replace("{kind}", "activation_sms").replace("{locale}", "en");
    let request = app.request(&method.to_uppercase(), &path).bearer_auth(token);
    app.send(if method == "post" { request.json(&json!({})) } else { request }).await
}

fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn signed_with(secret: &str, claims: &Value) -> String {
    let header = jsonwebtoken::Header { typ: Some("at+jwt".to_owned()), ..jsonwebtoken::Header::default() };
    jsonwebtoken::encode(&header, claims, &jsonwebtoken::EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_token_gets_in_in_every_form_that_issuers_use() {
    let app = TestApp::spawn().await;
    let now = good_claims(&app)["iat"].as_i64().unwrap();
    let forms = [
        ("aud", json!(AUDIENCE)),
        ("aud", json!(["another", AUDIENCE])),
        ("scope", json!(["accounts:read"])),
        ("tenant", json!(["acme", "default"])),
        ("exp", json!(now - 20)),
        ("nbf", json!(now + 20)),
    ];
    for (name, value) in forms {
        let mut claims = good_claims(&app);
        claims[name] = value;
        knock(&app, &sign(&claims, "at+jwt")).await.problem(404, "account_not_found");
    }
    for typ in ["AT+JWT", "application/at+jwt"] {
        knock(&app, &sign(&good_claims(&app), typ)).await.problem(404, "account_not_found");
    }
    let request = app.request("GET", "/v1/accounts/PRIMARY/nobody");
    let request = request.header("Authorization", format!("bearer {}", app.token()));
    app.send(request).await.problem(404, "account_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_one_wrong_claim_is_refused() {
    let app = TestApp::spawn().await;
    let good = good_claims(&app);
    let now = good["iat"].as_i64().unwrap();
    let wrong = [
        ("exp", json!(now - 60)),
        ("exp", json!((now + 3600).to_string())),
        ("nbf", json!(now + 60)),
        ("nbf", json!("soon")),
        ("iss", json!("https://id.example.org")),
        ("iss", json!(["https://id.example.com"])),
        ("aud", json!("another")),
        ("aud", json!(["another"])),
        ("aud", json!([AUDIENCE, 7])),
        ("aud", json!(7)),
        ("sub", json!("")),
        ("sub", json!("two\nlines")),
        ("sub", json!(7)),
    ];
    for (name, value) in wrong {
        let mut claims = good.clone();
        claims[name] = value;
        refused(&knock(&app, &sign(&claims, "at+jwt")).await, &claims);
    }
    for name in ["iss", "aud", "exp", "sub"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        refused(&knock(&app, &sign(&claims, "at+jwt")).await, &claims);
    }
    app.finish().await;
}

#[track_caller]
fn refused(reply: &Reply, why: &Value) {
    assert_eq!((reply.status, &reply.body["code"]), (401, &json!("unauthorized")), "{why}");
    assert_eq!(reply.header("www-authenticate"), INVALID, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_signed_as_agreed_is_refused() {
    let app = TestApp::spawn().await;
    let claims = good_claims(&app);
    let good = sign(&claims, "at+jwt");
    let (start, signature) = good.rsplit_once('.').unwrap();
    let mut richer = claims.clone();
    richer["tenant"] = json!("acme");
    let tokens = [
        raw(&json!({"typ": "at+jwt", "alg": "none"}), &claims, ""),
        raw(&json!({"typ": "at+jwt", "alg": "HS256"}), &claims, ""),
        raw(&json!({"typ": "at+jwt", "alg": "HS256"}), &richer, signature),
        raw(&json!({"typ": "at+jwt", "alg": "HS512"}), &claims, signature),
        raw(&json!({"typ": "at+jwt"}), &claims, signature),
        signed_with("another-secret-with-at-least-32-bytes", &claims),
        signed_with("", &claims),
        sign(&claims, "JWT"),
        sign(&claims, ""),
        sign(&claims, "invite-grant+jwt"),
        sign(&json!([claims]), "at+jwt"),
        start.to_owned(),
        format!("{start}."),
        format!("{good}."),
        "a.b.c".to_owned(),
        SECRET.to_owned(),
    ];
    for token in tokens {
        refused(&knock(&app, &token).await, &json!(token));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_must_be_exactly_one_bearer_token() {
    let app = TestApp::spawn().await;
    let good = format!("Bearer {}", app.token());
    let too_long = format!("Bearer {}", "a".repeat(8193));
    let cases: [&[&str]; 8] = [
        &[],
        &[&good, &good],
        &[&good, "Basic YWxleDpzZWNyZXQ="],
        &["Basic YWxleDpzZWNyZXQ="],
        &["Bearer"],
        &["Bearer "],
        &[good.trim_start_matches("Bearer ")],
        &[&too_long],
    ];
    for headers in cases {
        let request = app.request("GET", "/v1/accounts/PRIMARY/nobody");
        let request = headers.iter().fold(request, |request, header| request.header("Authorization", *header));
        let reply = app.send(request).await;
        assert_eq!(reply.header("www-authenticate"), "Bearer", "{headers:?}");
        reply.problem(401, "unauthorized");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_access_tokens_do_not_pass_for_each_other() {
    let keys = format!("hs256_secret = \"{SECRET}\"\ntoken_type = \"\"");
    let lax = TestApp::with(Settings { keys: Some(keys), ..Settings::default() }).await;
    knock(&lax, &sign(&good_claims(&lax), "JWT")).await.problem(404, "account_not_found");
    refused(&knock(&lax, &sign(&good_claims(&lax), "invite-grant+jwt")).await, &json!("any type but a grant's"));
    for app in [lax, TestApp::spawn().await] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({})).await;
        let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
        refused(&knock(&app, redeemed["grant"].as_str().unwrap()).await, &json!("a grant"));
        let reply = app.set_password(&app.token(), PASSWORD).await;
        assert_eq!(reply.header("www-authenticate"), INVALID);
        reply.problem(401, "grant_invalid");
        let forged = json!({
            "iss": "invited", "aud": "invited:set-password", "sub": issued["id"], "tid": "default", "gen": 1,
            "jti": "grt_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "exp": good_claims(&app)["exp"]
        });
        app.set_password(&sign(&forged, "invite-grant+jwt"), PASSWORD).await.problem(401, "grant_invalid");
        assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_administrative_route_wants_its_own_scope_and_tenant() {
    let app = TestApp::spawn().await;
    for &(method, path, scope) in GUARDED {
        let others: Vec<&str> = SCOPES.split(' ').filter(|other| *other != scope).collect();
        let lacking = call(&app, method, path, &app.token_for("default", &others.join(" "))).await;
        let problem = lacking.problem(403, "insufficient_scope");
        assert!(problem["detail"].as_str().unwrap().contains(scope), "{problem}");
        for tenant in ["acme", "Default", "default2", ""] {
            call(&app, method, path, &app.token_for(tenant, SCOPES)).await.problem(403, "wrong_tenant");
        }
        let under_acme = format!("/t/acme{path}");
        call(&app, method, &under_acme, &app.token()).await.problem(403, "wrong_tenant");
        for (path, tenant) in [(path, "default"), (&*under_acme, "acme")] {
            let reply = call(&app, method, path, &app.token_for(tenant, scope)).await;
            assert!(![401, 403].contains(&reply.status), "{method} {path}: {}", reply.text);
        }
    }
    for name in ["tenant", "scope"] {
        let mut claims = good_claims(&app);
        claims.as_object_mut().unwrap().remove(name);
        let code = if name == "tenant" { "wrong_tenant" } else { "insufficient_scope" };
        knock(&app, &sign(&claims, "at+jwt")).await.problem(403, code);
    }
    app.finish().await;
}

#[test]
fn the_document_names_the_same_routes_and_scopes() {
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for scope in operation["security"].as_array().into_iter().flatten() {
                for scope in scope["accessToken"].as_array().into_iter().flatten() {
                    documented.insert((method.clone(), path.clone(), scope.as_str().unwrap().to_owned()));
                }
            }
        }
    }
    let compatible =
        COMPATIBLE.iter().flat_map(|(method, path, ours, theirs)| [(method, path, ours), (method, path, theirs)]);
    let guarded = GUARDED.iter().map(|(method, path, scope)| (method, path, scope)).chain(compatible);
    let guarded = guarded.map(|(method, path, scope)| ((*method).to_owned(), (*path).to_owned(), (*scope).to_owned()));
    assert_eq!(documented, guarded.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_share_nothing() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let acme = app.token_for("acme", SCOPES);
    let body = json!({"user": user.known(), "lockAccount": false});
    let issued = app.send(app.request("POST", "/t/acme/v1/invitations").bearer_auth(&acme).json(&body)).await;
    let location = issued.header("location").to_owned();
    let issued = issued.ok(201);
    app.work().await;
    assert_eq!(location, format!("/t/acme/v1/invitations/{}", issued["id"].as_str().unwrap()));
    assert_eq!(app.gateway.last("email").await["tenant"], "acme");
    app.send(app.request("GET", &location).bearer_auth(&acme)).await.ok(200);
    app.get(location.trim_start_matches("/t/acme")).await.problem(404, "invitation_not_found");
    let account = format!("/v1/accounts/PRIMARY/{}", user.username);
    app.send(app.request("GET", &format!("/t/acme{account}")).bearer_auth(&acme)).await.ok(200);
    app.get(&account).await.problem(404, "account_not_found");

    let token = app.gateway.last_token().await;
    app.redeem_token(&token).await.problem(400, "invalid_or_expired");
    let redeem = app.request("POST", "/t/acme/v1/redemptions").json(&json!({"token": token}));
    let grant = app.send(redeem).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    let set = app.request("POST", "/t/acme/v1/redemptions/password").bearer_auth(&grant);
    app.send(set.json(&json!({"password": PASSWORD}))).await.ok(200);
    assert_eq!(app.get(&account).await.ok(200)["state"], "PENDING_AP", "the other tenant's invitation is untouched");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_tenant_has_two_names_and_a_bad_name_is_nothing() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let id = issued["id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/t/default/v1/invitations/{id}")).await.ok(200)["id"], id);
    for tenant in ["", "-a", "a%20b", "a%2Fb", &"a".repeat(65)] {
        app.get(&format!("/t/{tenant}/v1/invitations/{id}")).await.problem(404, "not_found");
    }
    app.finish().await;
}

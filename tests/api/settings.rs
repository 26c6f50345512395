//! Whose settings hold: built-in, the operator's, the tenant's; and for which invitations.

use serde_json::{Value, json};

use crate::support::{Settings, TestApp, User};

impl TestApp {
    /// Stores a tenant's own settings.
    async fn tenant_wants(&self, tenant: &'static str, overrides: Value) {
        let tenant = invited::domain::ids::TenantId::parse(tenant).unwrap();
        let overrides = overrides.to_string();
        let store = self.store();
        let stored = store.write(move |conn| {
            let now = conn.now()?;
            invited::storage::settings::put(conn, &tenant, &overrides, now)
        });
        stored.await.unwrap();
    }

    async fn issue_in(&self, tenant: &str, user: &User, delivery: &str) -> Value {
        let token = self.token_for(tenant, "invitations:write");
        let body = json!({"user": {"username": user.username}, "delivery": delivery});
        let request = self.request("POST", &format!("/t/{tenant}/v1/invitations")).bearer_auth(token).json(&body);
        let reply = self.send(request).await;
        let location = reply.header("location").to_owned();
        let issued = reply.ok(201);
        assert_eq!(location, format!("/t/{tenant}/v1/invitations/{}", issued["id"].as_str().unwrap()));
        self.work().await;
        issued
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_settings_lie_over_the_operators() {
    let app = TestApp::with(Settings { defaults: "method = \"email_otp\"", ..Settings::default() }).await;
    app.tenant_wants("acme", json!({"method": "sms_otp", "expiryMinutes": 7, "otp": {"length": 9}})).await;
    let (one, two) = (app.user().await, app.user().await);
    assert_eq!(app.issue(&one, json!({})).await["method"], "email_otp");
    let issued = app.issue_in("acme", &two, "send").await;
    assert_eq!(issued["method"], "sms_otp");
    let sms = app.gateway.last("sms").await;
    assert_eq!(sms["tenant"], "acme");
    assert!(sms["text"].as_str().unwrap().contains("7 minutes"));
    assert_eq!(app.gateway.last_code("sms").await.len(), 9);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_touches_only_what_is_issued_afterwards() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.tenant_wants("default", json!({"expiryMinutes": 1, "activationNotification": false})).await;
    app.advance(std::time::Duration::from_mins(5));
    assert_eq!(app.invitation(&issued["id"]).await["expiresAt"], issued["expiresAt"]);
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert_eq!(app.gateway.last("email").await["kind"], "activation_email");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_share_nothing_but_the_directory() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let here = app.issue(&user, json!({"lockAccount": false})).await;
    let there = app.issue_in("acme", &user, "return").await;
    assert_ne!(here["id"], there["id"], "each tenant has its own live invitation of the account");
    let token = there["secret"]["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned();
    app.redeem_token(&token).await.problem(400, "invalid_or_expired");
    let request = app.request("POST", "/t/acme/v1/redemptions").json(&json!({"token": token}));
    let redeemed = app.send(request).await.ok(200);
    app.set_password(redeemed["grant"].as_str().unwrap(), crate::support::PASSWORD).await.problem(401, "grant_invalid");
    app.finish().await;
}

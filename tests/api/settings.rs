//! Whose settings hold: built-in, the operator's, the tenant's; and for which invitations.

use serde_json::{Value, json};

use crate::support::{Reply, Settings, TestApp, User};

impl TestApp {
    /// Changes a tenant's settings, with these headers.
    pub(crate) async fn change_settings(&self, tenant: &str, patch: &Value, headers: &[(&str, &str)]) -> Reply {
        let token = self.token_for(tenant, "settings:write");
        let request = self.request("PATCH", &format!("/t/{tenant}/v1/settings")).bearer_auth(token).json(patch);
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    pub(crate) async fn settings_of(&self, tenant: &str) -> Value {
        let token = self.token_for(tenant, "settings:read");
        self.send(self.request("GET", &format!("/t/{tenant}/v1/settings")).bearer_auth(token)).await.ok(200)
    }

    /// Stores a tenant's own settings.
    pub(crate) async fn tenant_wants(&self, tenant: &str, patch: Value) -> Value {
        self.change_settings(tenant, &patch, &[]).await.ok(200)
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

    /// What the audit trail has of settings: event, actor, request and detail, oldest first.
    fn settings_history(&self, detail: &str, event: &str, request_id: &str) -> i64 {
        self.database.count(&format!(
            "SELECT count(*) AS count FROM audit_event WHERE event = '{event}' AND detail = '{detail}' AND actor = 'hr-portal'
               AND request_id = '{request_id}' AND tenant = 'acme'"
        ))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_settings_lie_over_the_operators() {
    let app = TestApp::with(Settings { defaults: "method = \"email_otp\"", ..Settings::default() }).await;
    let wanted = json!({"method": "sms_otp", "expiryMinutes": 7, "otp": {"length": 9}});
    let changed = app.tenant_wants("acme", wanted).await;
    assert_eq!((&changed["settings"]["method"], &changed["settings"]["otp"]["length"]), (&json!("sms_otp"), &json!(9)));
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

#[tokio::test(flavor = "multi_thread")]
async fn every_value_says_where_it_comes_from() {
    let app = TestApp::with(Settings { defaults: "expiry_minutes = 1440", ..Settings::default() }).await;
    let before = app.settings_of("acme").await;
    assert_eq!(before["warnings"], json!([]));
    assert_eq!(before["settings"]["links"]["otpUrl"], "https://app.example.com/enter-code");
    let sources = before["sources"].as_object().unwrap();
    assert!(sources.len() == 35 && sources.values().all(|source| source != "tenant"), "{before}");
    assert_eq!((&sources["links.otpUrl"], &sources["otp.length"]), (&json!("operator"), &json!("default")));
    assert_eq!(sources["expiryMinutes"], "operator", "given, though it is what is built in");

    let patch = json!({"expiryMinutes": 60, "otp": {"length": 8}, "links": {"otpUrl": "https://acme.example.com/"}});
    let changed = app.tenant_wants("acme", patch.clone()).await;
    assert_eq!(changed, app.settings_of("acme").await);
    for key in ["expiryMinutes", "otp.length", "links.otpUrl"] {
        assert_eq!(changed["sources"][key], "tenant", "{key}");
    }
    assert_eq!(changed["settings"]["otp"]["maxAttempts"], 5, "what was not sent stays");
    let back = app.tenant_wants("acme", json!({"expiryMinutes": null, "otp": null, "links": {"otpUrl": null}})).await;
    assert_eq!(back, before);
    assert_eq!(app.settings_of("default").await, before, "another tenant's settings are its own");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_goes_back_to_what_the_operator_gave() {
    let app = TestApp::spawn().await;
    let before = app.settings_of("acme").await;
    app.tenant_wants("acme", json!({"locale": "de", "sms": {"allowedCountries": ["CH"]}})).await;
    let token = app.token_for("acme", "settings:write");
    let reset = app.request("DELETE", "/t/acme/v1/settings").bearer_auth(token).header("X-Request-Id", "reset-1");
    assert_eq!(app.send(reset.try_clone().unwrap()).await.ok(200), before);
    assert_eq!(app.settings_of("acme").await, before);
    assert_eq!(app.settings_history("locale, sms.allowedCountries", "settings.reset", "reset-1"), 1);
    assert_eq!(app.send(reset).await.ok(200), before, "again does no harm");
    let noted = "SELECT count(*) AS count FROM audit_event";
    assert_eq!(app.database.count(noted), 2, "and leaves no trace");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_written_down_with_its_keys_and_without_its_values() {
    let app = TestApp::spawn().await;
    let patch = json!({"locale": "de", "otp": {"length": 8}, "resend": {"cooldownSeconds": 60}});
    app.change_settings("acme", &patch, &[("X-Request-Id", "change-1")]).await.ok(200);
    assert_eq!(app.settings_history("locale, otp.length, resend.cooldownSeconds", "settings.changed", "change-1"), 1);
    for nothing in [json!({}), patch, json!({"otp": {}}), json!({"otp": {"digits": null}})] {
        app.tenant_wants("acme", nothing).await;
    }
    app.change_settings("acme", &json!({"locale": "fr", "otp": {"length": 3}}), &[])
        .await
        .problem(422, "invalid_settings");
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 1);
    assert_eq!(app.settings_of("acme").await["settings"]["locale"], "de");
    app.finish().await;
}

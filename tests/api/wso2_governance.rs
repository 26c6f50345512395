//! The settings as WSO2's console reads and writes them: one truth with `/v1/settings`.

use std::time::Duration;

use futures_util::future::join_all;
use invited::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{Reply, Settings, TestApp};

pub(crate) const BASE: &str = "/api/server/v1/identity-governance";
/// User Onboarding, and its user-email-verification.
pub(crate) const ONBOARDING: &str = "VXNlciBPbmJvYXJkaW5n";
pub(crate) const ASK_PASSWORD: &str = "VXNlciBPbmJvYXJkaW5n/connectors/dXNlci1lbWFpbC12ZXJpZmljYXRpb24";
/// Account Management, and its admin-forced-password-reset.
pub(crate) const MANAGEMENT: &str = "QWNjb3VudCBNYW5hZ2VtZW50";
pub(crate) const PASSWORD_RESET: &str = "QWNjb3VudCBNYW5hZ2VtZW50/connectors/YWRtaW4tZm9yY2VkLXBhc3N3b3JkLXJlc2V0";
pub(crate) const REVERT: &str = "VXNlciBPbmJvYXJkaW5n/connectors/revert?connectorId=dXNlci1lbWFpbC12ZXJpZmljYXRpb24";

impl TestApp {
    /// A call of the console's, for the tenant `acme`.
    pub(crate) async fn govern(&self, method: &str, path: &str, body: &Value) -> Reply {
        let token = self.token_for("acme", "internal_idp_view internal_idp_update internal_login");
        let slash = if path.is_empty() { "" } else { "/" };
        let request = self.request(method, &format!("/t/acme{BASE}{slash}{path}")).bearer_auth(token);
        self.send(if method == "GET" { request } else { request.json(body) }).await
    }

    /// Gives properties their values.
    pub(crate) async fn update_properties(&self, path: &str, values: &Value) -> Reply {
        let properties = values.as_object().unwrap().iter().map(|(name, value)| json!({"name": name, "value": value}));
        let body = json!({"operation": "UPDATE", "properties": properties.collect::<Vec<_>>()});
        self.govern("PATCH", path, &body).await
    }

    /// The properties of a connector with their values.
    pub(crate) async fn properties(&self, path: &str) -> Value {
        let connector = self.govern("GET", path, &json!({})).await.ok(200);
        let properties = connector["properties"].as_array().unwrap().iter();
        properties.map(|property| (property["name"].as_str().unwrap().to_owned(), property["value"].clone())).collect()
    }
}

fn older() -> Settings {
    Settings { sections: "[compat]\nwso2_version = \"7.1.0\"", ..Settings::default() }
}

/// An answer with nothing in it.
#[track_caller]
fn done(reply: &Reply) {
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_categories_link_to_their_connectors() {
    let app = TestApp::spawn().await;
    let link = |base: &str, category: &str, name: &str, connector: &str| {
        let connector = json!({"id": connector.rsplit('/').next().unwrap(), "self": format!("{base}/{connector}")});
        json!({"id": category, "name": name, "self": format!("{base}/{category}"), "connectors": [connector]})
    };
    let expected = |base: &str| {
        json!([
            link(base, ONBOARDING, "User Onboarding", ASK_PASSWORD),
            link(base, MANAGEMENT, "Account Management", PASSWORD_RESET)
        ])
    };
    assert_eq!(app.govern("GET", "", &json!({})).await.ok(200), expected(&format!("/t/acme{BASE}")));
    for path in [BASE.to_owned(), format!("{BASE}/"), format!("/t/carbon.super{BASE}")] {
        assert_eq!(app.get(&path).await.ok(200), expected(BASE), "{path}");
    }
    for (query, code) in [
        ("limit=1", "IDG-50005"),
        ("offset=0", "IDG-50005"),
        ("filter=name+eq+a", "IDG-50006"),
        ("sort=name", "IDG-50007"),
        ("sort=name&filter=a&offset=1", "IDG-50005"),
    ] {
        app.get(&format!("{BASE}?{query}")).await.fault(501, code);
    }
    app.get(&format!("{BASE}?attributes=all")).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_is_complete_in_the_originals_words() {
    let app = TestApp::spawn().await;
    let connector = app.govern("GET", ASK_PASSWORD, &json!({})).await.ok(200);
    for (field, value) in [
        ("id", json!("dXNlci1lbWFpbC12ZXJpZmljYXRpb24")),
        ("name", json!("user-email-verification")),
        ("category", json!("User Onboarding")),
        ("friendlyName", json!("Ask Password")),
        ("order", json!(0)),
        ("subCategory", json!("DEFAULT")),
    ] {
        assert_eq!(connector[field], value, "{field}");
    }
    assert_eq!(connector["properties"].as_array().unwrap().len(), 16);
    assert_eq!(
        connector["properties"][13],
        json!({
            "name": "EmailVerification.AskPassword.ExpiryTime", "value": "1440", "displayName": "Ask password code expiry time",
            "description": "Set the time span that the ask password e-mail would be valid, in minutes. \
                            (For infinite validity period, set -1)",
            "meta": {"type": "integer", "groupID": 0}
        })
    );
    assert_eq!(connector["properties"][11]["meta"], json!({"groupID": 0}), "the original does not say");
    let category = app.govern("GET", ONBOARDING, &json!({})).await.ok(200);
    assert_eq!(category, json!({"name": "User Onboarding", "connectors": [connector]}));
    let connectors = app.govern("GET", &format!("{MANAGEMENT}/connectors"), &json!({})).await.ok(200);
    assert_eq!(connectors, json!([app.govern("GET", PASSWORD_RESET, &json!({})).await.ok(200)]));
    assert_eq!((&connectors[0]["friendlyName"], &connectors[0]["order"]), (&json!("Password Reset"), &json!(0)));
    app.finish().await;
}

/// What the console sends when its form is saved: ten properties, with switches as JSON has them.
fn console_form() -> Value {
    json!({
        "EmailVerification.AskPassword.AccountActivation": false,
        "EmailVerification.AskPassword.EmailOTP": true,
        "EmailVerification.AskPassword.ExpiryTime": "90",
        "EmailVerification.AskPassword.SMSOTP": false,
        "EmailVerification.Enable": true,
        "EmailVerification.LockOnCreation": false,
        "EmailVerification.OTP.OTPLength": "8",
        "EmailVerification.OTP.UseLowercaseCharactersInOTP": false,
        "EmailVerification.OTP.UseNumbersInOTP": true,
        "EmailVerification.OTP.UseUppercaseCharactersInOTP": false
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_form_is_saved_and_reverted() {
    let operator = "expiry_minutes = 30\nactivation_notification = false";
    let app = TestApp::with(Settings { defaults: operator, ..Settings::default() }).await;
    let before = (app.settings_of("acme").await, app.properties(ASK_PASSWORD).await);
    assert_eq!(before.1["EmailVerification.AskPassword.ExpiryTime"], "30", "the operator's");
    done(&app.update_properties(ASK_PASSWORD, &console_form()).await);
    let shown = app.properties(ASK_PASSWORD).await;
    for (name, value) in console_form().as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(shown[name], text, "{name}");
    }
    let settings = app.settings_of("acme").await;
    assert_eq!(settings["settings"]["method"], "email_otp");
    let otp = json!({
        "uppercase": false, "lowercase": false, "digits": true, "length": 8, "maxAttempts": 5, "hashing": "auto"
    });
    assert_eq!(settings["settings"]["otp"], otp);
    assert_eq!(settings["sources"].as_object().unwrap().values().filter(|source| *source == "tenant").count(), 9);
    assert_eq!(app.settings_of("default").await, before.0, "another tenant's are its own");

    let names: Vec<_> = console_form().as_object().unwrap().keys().cloned().collect();
    done(&app.govern("POST", REVERT, &json!({"properties": names})).await);
    assert_eq!((app.settings_of("acme").await, app.properties(ASK_PASSWORD).await), before);
    let keys = "activationNotification, enabled, expiryMinutes, lockAccountUntilPasswordSet, method, otp.digits, otp.length, \
                otp.lowercase, otp.uppercase";
    let noted =
        format!("SELECT count(*) AS count FROM audit_event WHERE event = 'settings.changed' AND detail = '{keys}'");
    assert_eq!(app.database.count(&noted), 2, "in the trail like any other change");
    done(&app.govern("POST", REVERT, &json!({"properties": names})).await);
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 2, "again does nothing");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_writes_the_other_shows() {
    let app = TestApp::spawn().await;
    let patch = json!({
        "enabled": false, "method": "sms_otp", "notifications": "external", "expiryMinutes": -1, "otp": {"length": 4, "digits": false},
        "passwordReset": {"method": "email_otp", "expiryMinutes": 5}
    });
    app.tenant_wants("acme", patch).await;
    let shown = app.properties(ASK_PASSWORD).await;
    for (name, value) in [
        ("Enable", "false"),
        ("AskPassword.SMSOTP", "true"),
        ("AskPassword.EmailOTP", "false"),
        ("Notification.InternallyManage", "false"),
        ("AskPassword.ExpiryTime", "-1"),
        ("ExpiryTime", "1440"),
        ("OTP.OTPLength", "4"),
        ("OTP.UseNumbersInOTP", "false"),
        ("OTP", "false"),
    ] {
        assert_eq!(shown[format!("EmailVerification.{name}")], value, "{name}");
    }
    let shown = app.properties(PASSWORD_RESET).await;
    let reset = |option: &str| shown[format!("Recovery.AdminPasswordReset.{option}")].clone();
    assert_eq!(["RecoveryLink", "OTP", "SMSOTP", "ExpiryTime"].map(reset), ["false", "true", "false", "5"]);

    let values = json!({
        "Recovery.AdminPasswordReset.OTP": "false", "Recovery.AdminPasswordReset.SMSOTP": "true",
        "Recovery.AdminPasswordReset.Offline": "false", "Recovery.AdminPasswordReset.ExpiryTime": 10
    });
    done(&app.update_properties(PASSWORD_RESET, &values).await);
    done(
        &app.update_properties(ASK_PASSWORD, &json!({"EmailVerification.Notification.InternallyManage": "TRUE"})).await,
    );
    let settings = app.settings_of("acme").await["settings"].clone();
    assert_eq!(settings["passwordReset"], json!({"method": "sms_otp", "expiryMinutes": 10, "lockAccount": true}));
    assert_eq!((&settings["notifications"], &settings["method"]), (&json!("internal"), &json!("sms_otp")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_console_wrote_is_how_people_are_invited() {
    let app = TestApp::spawn().await;
    done(&app.update_properties(ASK_PASSWORD, &console_form()).await);
    let user = app.user().await;
    let token = app.token_for("acme", "invitations:write");
    let request = app.request("POST", "/t/acme/v1/invitations").bearer_auth(token);
    let issued = app.send(request.json(&json!({"user": user.known()}))).await.ok(201);
    assert_eq!(issued["method"], "email_otp");
    let at = |field: &str| Timestamp::parse(issued[field].as_str().unwrap()).unwrap();
    assert_eq!(at("expiresAt"), at("createdAt").after(Duration::from_mins(90)));
    app.work().await;
    let code = app.gateway.last_code("email").await;
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_generation_knows_links_only() {
    let app = TestApp::with(older()).await;
    let otp =
        ["EmailVerification.AskPassword.EmailOTP", "EmailVerification.AskPassword.SMSOTP", "EmailVerification.OTP"];
    let shown = app.properties(ASK_PASSWORD).await;
    assert_eq!(shown.as_object().unwrap().len(), 13);
    assert!(otp.iter().all(|name| shown.get(*name).is_none()), "{shown}");
    for name in otp {
        let described = app.update_properties(ASK_PASSWORD, &json!({name: "false"})).await.fault(400, "IDG-50013");
        assert_eq!(described, format!("The property: {name} is not found in the connector: Ask Password."));
        app.govern("POST", REVERT, &json!({"properties": [name]})).await.fault(400, "IDG-50017");
        let query = json!([{"connector-name": "user-email-verification", "properties": [name]}]);
        app.govern("POST", "preferences", &query).await.fault(400, "IDG-50012");
    }
    // What that console's form has.
    let form = json!({
        "EmailVerification.Enable": true, "EmailVerification.LockOnCreation": "false",
        "EmailVerification.AskPassword.AccountActivation": "true", "EmailVerification.AskPassword.ExpiryTime": "0"
    });
    app.tenant_wants("acme", json!({"method": "email_otp"})).await;
    assert_eq!(app.properties(ASK_PASSWORD).await, shown, "a method that it can't say is not shown");
    done(&app.update_properties(ASK_PASSWORD, &form).await);
    let names: Vec<_> = shown.as_object().unwrap().keys().collect();
    assert_eq!(app.settings_of("acme").await["settings"]["expiryMinutes"], 0);
    done(&app.govern("POST", REVERT, &json!({"properties": names})).await);
    let settings = app.settings_of("acme").await;
    assert_eq!(settings["settings"]["method"], "email_otp", "and not touched");
    assert_eq!(settings["sources"].as_object().unwrap().values().filter(|source| *source == "tenant").count(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connectors_change_in_one_step_or_not_at_all() {
    let app = TestApp::spawn().await;
    let path = format!("{ONBOARDING}/connectors");
    let one = |id: &str, name: &str, value: Value| json!({"id": id, "properties": [{"name": name, "value": value, "more": 1}]});
    let ask = ASK_PASSWORD.rsplit('/').next().unwrap();
    let (lock, length) = ("EmailVerification.LockOnCreation", "EmailVerification.OTP.OTPLength");
    let update = |connectors: Value| json!({"operation": "UPDATE", "connectors": connectors, "more": []});
    let body = update(json!([one(ask, lock, json!(false)), one(ask, length, json!(7))]));
    done(&app.govern("PATCH", &path, &body).await);
    let shown = app.properties(ASK_PASSWORD).await;
    assert_eq!((&shown[lock], &shown[length]), (&json!("false"), &json!("7")));

    let refused = update(json!([one(ask, lock, json!(true)), one(ask, length, json!(11))]));
    let described = app.govern("PATCH", &path, &refused).await.fault(400, "IDG-50013");
    assert_eq!(described, "EmailVerification.OTP.OTPLength: must be 4 to 10");
    let elsewhere = update(json!([
        one(ask, lock, json!(true)),
        one(PASSWORD_RESET.rsplit('/').next().unwrap(), lock, json!(true))
    ]));
    app.govern("PATCH", &path, &elsewhere).await.fault(404, "IDG-50009");
    app.govern("PATCH", "bm93aGVyZQ/connectors", &refused).await.fault(404, "IDG-50008");
    assert_eq!(app.properties(ASK_PASSWORD).await, shown, "nothing of those was done");
    done(&app.govern("PATCH", &path, &update(json!([]))).await);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_are_all_kept() {
    let app = TestApp::spawn().await;
    let changes = [
        (ASK_PASSWORD, "EmailVerification.LockOnCreation", "false"),
        (ASK_PASSWORD, "EmailVerification.AskPassword.SMSOTP", "true"),
        (ASK_PASSWORD, "EmailVerification.AskPassword.ExpiryTime", "7"),
        (ASK_PASSWORD, "EmailVerification.OTP.OTPLength", "9"),
        (ASK_PASSWORD, "EmailVerification.OTP.UseNumbersInOTP", "false"),
        (ASK_PASSWORD, "EmailVerification.AskPassword.AccountActivation", "false"),
        (PASSWORD_RESET, "Recovery.AdminPasswordReset.ExpiryTime", "3"),
    ];
    let bodies = changes.map(|(path, name, value)| (path, json!({name: value})));
    for reply in join_all(bodies.iter().map(|(path, values)| app.update_properties(path, values))).await {
        done(&reply);
    }
    for (path, name, value) in changes {
        assert_eq!(app.properties(path).await[name], value, "{name}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_methods_at_the_same_time_one_holds_and_the_other_is_refused() {
    let app = TestApp::spawn().await;
    let (email, sms) = ("EmailVerification.AskPassword.EmailOTP", "EmailVerification.AskPassword.SMSOTP");
    for _ in 0..4 {
        let (one, other) = (json!({email: true}), json!({sms: true}));
        let callers = (0..8).map(|caller| if caller % 2 == 0 { &one } else { &other });
        let replies = join_all(callers.map(|values| app.update_properties(ASK_PASSWORD, values))).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 4, "those who asked for the same");
        let shown = app.properties(ASK_PASSWORD).await;
        assert_ne!(shown[email], shown[sms]);
        done(&app.update_properties(ASK_PASSWORD, &json!({email: false, sms: false})).await);
    }
    app.finish().await;
}

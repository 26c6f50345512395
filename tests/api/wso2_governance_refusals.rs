//! What WSO2's routes to the settings say no to, by the original's numbers and with the reason; and preferences.

use serde_json::{Value, json};

use crate::support::{Settings, TestApp};
use crate::wso2_governance::{ASK_PASSWORD, MANAGEMENT, ONBOARDING, PASSWORD_RESET, REVERT};

fn ask(name: &str) -> String {
    format!("EmailVerification.{name}")
}

/// What invitations can't be like, with what is said against it.
fn impossible_invitations() -> Vec<(Value, String)> {
    let refused = |name: &str, value: Value, why: &str| (json!({ask(name): value}), format!("{}: {why}", ask(name)));
    let minutes = "must be -1 (never), 0 (at once) or 1 to 10080 minutes";
    let generator =
        "can only be org.wso2.carbon.user.mgt.common.DefaultPasswordGenerator: nobody gets a temporary password here";
    let no_class = json!({
        ask("OTP.UseUppercaseCharactersInOTP"): false, ask("OTP.UseLowercaseCharactersInOTP"): false,
        ask("OTP.UseNumbersInOTP"): false, ask("LockOnCreation"): false
    });
    let elsewhere = "The property: Recovery.AdminPasswordReset.ExpiryTime is not found in the connector: Ask Password.";
    let several = "Enabling more than one ask password set option is not allowed.";
    vec![
        refused("AskPassword.ExpiryTime", json!("-2"), minutes),
        refused("AskPassword.ExpiryTime", json!(10_081), minutes),
        refused("AskPassword.ExpiryTime", json!("1d"), "must be a whole number"),
        refused("OTP.OTPLength", json!(3), "must be 4 to 10"),
        refused("OTP.OTPLength", json!("11"), "must be 4 to 10"),
        refused("OTP.OTPLength", json!(300), "must be a whole number in range"),
        refused("Enable", json!("on"), "must be true or false"),
        refused("AskPassword.PasswordGenerator", json!("com.example.Generator"), generator),
        (no_class, "otp: at least one of uppercase, lowercase and digits must be on".to_owned()),
        (json!({ask("AskPassword.EmailOTP"): true, ask("AskPassword.SMSOTP"): "true"}), several.to_owned()),
        (json!({"Recovery.AdminPasswordReset.ExpiryTime": "1"}), elsewhere.to_owned()),
    ]
}

/// What resets can't be like, with what is said against it.
fn impossible_resets() -> Vec<(Value, String)> {
    let name = |option: &str| format!("Recovery.AdminPasswordReset.{option}");
    let minutes = "Recovery.AdminPasswordReset.ExpiryTime: must be -1 (never), 0 (at once) or 1 to 10080 minutes";
    let several = "Enabling more than one admin password reset option is not allowed";
    let none = "Disabling all admin forced password reset options is not allowed";
    vec![
        (json!({name("OTP"): true, name("RecoveryLink"): true}), several.to_owned()),
        (json!({name("RecoveryLink"): "false", name("ExpiryTime"): "9"}), none.to_owned()),
        (json!({name("ExpiryTime"): "-5"}), minutes.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_are_refused_with_the_reason_and_nothing_is_done() {
    let app = TestApp::spawn().await;
    let before = app.settings_of("acme").await;
    let invitations = impossible_invitations().into_iter().map(|case| (ASK_PASSWORD, case));
    let resets = impossible_resets().into_iter().map(|case| (PASSWORD_RESET, case));
    for (path, (values, reason)) in invitations.chain(resets) {
        let reply = app.update_properties(path, &values).await;
        assert_eq!(reply.body["message"], "Connector update failed.");
        assert_eq!(reply.fault(400, "IDG-50013"), reason);
    }
    let twice = json!([{"name": ask("Enable"), "value": "true"}, {"name": ask("Enable"), "value": "false"}]);
    let twice = app.govern("PATCH", ASK_PASSWORD, &json!({"operation": "UPDATE", "properties": twice})).await;
    assert_eq!(twice.fault(400, "IDG-50013"), "EmailVerification.Enable: is there twice");
    assert_eq!(app.settings_of("acme").await, before);
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_settings_hold_here_too() {
    let app = TestApp::with(Settings { without: &["sms"], ..Settings::default() }).await;
    let sms = json!({"EmailVerification.AskPassword.SMSOTP": "true"});
    let described = app.update_properties(ASK_PASSWORD, &sms).await.fault(400, "IDG-50013");
    assert_eq!(described, "EmailVerification.AskPassword.SMSOTP: no gateway is configured for this method");
    let external =
        json!({"EmailVerification.AskPassword.SMSOTP": true, "EmailVerification.Notification.InternallyManage": false});
    app.update_properties(ASK_PASSWORD, &external).await.ok(200);
    let back = json!({"properties": ["EmailVerification.Notification.InternallyManage"]});
    let described = app.govern("POST", REVERT, &back).await.fault(400, "IDG-50013");
    assert_eq!(described, "method: no gateway is configured for this method");

    app.tenant_wants("acme", json!({"policy": {"profile": "strict"}, "method": "email_link"})).await;
    let long =
        json!({"EmailVerification.AskPassword.EmailOTP": true, "EmailVerification.AskPassword.ExpiryTime": "1441"});
    let described = app.update_properties(ASK_PASSWORD, &long).await.fault(400, "IDG-50013");
    let expected =
        "EmailVerification.AskPassword.ExpiryTime: is outside what the strict profile allows for this method";
    assert_eq!(described, expected);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_has_its_numbers() {
    let app = TestApp::spawn().await;
    let nothing = json!({});
    let unknown = "Unable to find any category with the provided identifier bm93aGVyZQ.";
    for path in ["bm93aGVyZQ", "bm93aGVyZQ/connectors"] {
        assert_eq!(app.govern("GET", path, &nothing).await.fault(404, "IDG-50008"), unknown);
    }
    let connector = "dXNlci1lbWFpbC12ZXJpZmljYXRpb24";
    let update = json!({"operation": "UPDATE", "properties": []});
    for category in [MANAGEMENT, "bm93aGVyZQ"] {
        let path = format!("{category}/connectors/{connector}");
        let expected = format!("Unable to find any connector with the provided identifier {connector}.");
        assert_eq!(app.govern("GET", &path, &nothing).await.fault(404, "IDG-50009"), expected);
        app.govern("PATCH", &path, &update).await.fault(404, "IDG-50009");
        let revert = format!("{category}/connectors/revert?connectorId={connector}");
        app.govern("POST", &revert, &json!({"properties": ["EmailVerification.Enable"]})).await.fault(404, "IDG-50009");
    }
    app.govern("POST", &format!("{ONBOARDING}/connectors/revert"), &nothing).await.fault(404, "IDG-50009");
    for body in [nothing, json!({"properties": []})] {
        app.govern("POST", REVERT, &body).await.fault(400, "IDG-50016");
    }
    let names = json!({"properties": ["EmailVerification.Enable", "SelfRegistration.Enable"]});
    let described = app.govern("POST", REVERT, &names).await.fault(400, "IDG-50017");
    assert_eq!(described, "The property: SelfRegistration.Enable is not found in the connector: Ask Password.");
    app.govern("PATCH", ASK_PASSWORD, &update).await.ok(200);
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_another_form_are_refused_and_further_fields_are_not() {
    let app = TestApp::spawn().await;
    let property = |value: Value| json!({"name": "EmailVerification.Enable", "value": value, "type": "BOOLEAN"});
    let update = |properties: Value| json!({"operation": "UPDATE", "properties": properties, "comment": "more"});
    for (body, place) in [
        (json!({}), "/operation is required"),
        (json!({"operation": "REPLACE", "properties": []}), "/operation must be"),
        (json!({"operation": "UPDATE"}), "/properties is required"),
        (update(json!({})), "/properties must be"),
        (update(json!([["EmailVerification.Enable", "true"]])), "/properties/0 must be an object"),
        (update(json!([property(json!(null))])), "/properties/0/value must be a text, true, false or a whole number"),
        (update(json!([property(json!(1.5))])), "/properties/0/value must be"),
        (update(json!([property(json!(["true"]))])), "/properties/0/value must be"),
        (update(json!([{"value": "true"}])), "/properties/0/name is required"),
        (json!([]), "must be an object"),
    ] {
        let described = app.govern("PATCH", ASK_PASSWORD, &body).await.fault(400, "invalid_request");
        assert!(described.contains(place), "{body}: {described}");
    }
    app.govern("POST", REVERT, &json!({"properties": "all"})).await.fault(400, "invalid_request");
    app.govern("POST", "preferences", &json!({"connector-name": "self-sign-up"})).await.fault(400, "invalid_request");
    app.update_properties(ASK_PASSWORD, &json!({"EmailVerification.Enable": " False "})).await.ok(200);
    app.govern("PATCH", ASK_PASSWORD, &update(json!([property(json!(true))]))).await.ok(200);
    assert_eq!(app.properties(ASK_PASSWORD).await["EmailVerification.Enable"], "true");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_are_the_values_of_named_connectors() {
    let app = TestApp::spawn().await;
    app.tenant_wants("acme", json!({"enabled": false, "passwordReset": {"method": "sms_otp"}})).await;
    let query = json!([
        {"connector-name": "admin-forced-password-reset"},
        {"connector-name": "user-email-verification", "properties": ["EmailVerification.LockOnCreation", "EmailVerification.Enable"]},
        {"connector-name": "user-email-verification", "properties": []}
    ]);
    let found = app.govern("POST", "preferences", &query).await.ok(200);
    let reset =
        [("RecoveryLink", "false"), ("OTP", "false"), ("SMSOTP", "true"), ("Offline", "false"), ("ExpiryTime", "1440")];
    let reset =
        reset.map(|(option, value)| json!({"name": format!("Recovery.AdminPasswordReset.{option}"), "value": value}));
    let ask = json!([
        {"name": "EmailVerification.LockOnCreation", "value": "true"}, {"name": "EmailVerification.Enable", "value": "false"}
    ]);
    let expected = json!([
        {"connector-name": "admin-forced-password-reset", "properties": reset},
        {"connector-name": "user-email-verification", "properties": ask},
        {"connector-name": "user-email-verification", "properties": []}
    ]);
    assert_eq!(found, expected);
    assert_eq!(app.govern("POST", "preferences", &json!([])).await.ok(200), json!([]));

    let unknown = json!([{"connector-name": "user-email-verification"}, {"connector-name": "self-sign-up"}]);
    let described = app.govern("POST", "preferences", &unknown).await.fault(400, "IDG-50011");
    assert_eq!(described, "Unable to find a connector with the name self-sign-up.");
    let unknown = json!([{"connector-name": "user-email-verification", "properties": ["Recovery.ExpiryTime"]}]);
    let described = app.govern("POST", "preferences", &unknown).await.fault(400, "IDG-50012");
    assert_eq!(described, "The property Recovery.ExpiryTime is not supported by this API.");
    app.finish().await;
}

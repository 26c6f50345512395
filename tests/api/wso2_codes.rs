//! WSO2's user API v1.0: looking at a code, and checking it; neither uses it up, neither unlocks the account.

use std::time::Duration;

use serde_json::json;

use crate::support::{PASSWORD, Settings, TestApp};
use crate::wso2_recovery::Invited;

pub(crate) const INTROSPECT: &str = "/api/identity/user/v1.0/introspect-code";
pub(crate) const VALIDATE: &str = "/api/identity/user/v1.0/validate-code";

/// Every kind of secret, with its scenario and step in the original's words.
const KINDS: [(&str, &str, &str, &str); 6] = [
    ("onboarding", "email_link", "ASK_PASSWORD", "UPDATE_PASSWORD"),
    ("onboarding", "email_otp", "ASK_PASSWORD_VIA_EMAIL_OTP", "SET_PASSWORD"),
    ("onboarding", "sms_otp", "ASK_PASSWORD_VIA_SMS_OTP", "SET_PASSWORD"),
    ("password_reset", "email_link", "ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK", "UPDATE_PASSWORD"),
    ("password_reset", "email_otp", "ADMIN_FORCED_PASSWORD_RESET_VIA_OTP", "UPDATE_PASSWORD"),
    ("password_reset", "sms_otp", "ADMIN_FORCED_PASSWORD_RESET_VIA_SMS_OTP", "UPDATE_PASSWORD"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_looked_at_with_its_scenario_also_when_its_time_is_over() {
    let app = TestApp::spawn().await;
    for (purpose, method, scenario, step) in KINDS {
        let invited = Invited::by(&app, method, json!({"purpose": purpose, "expiresInMinutes": 5})).await;
        for expired in [false, true] {
            let answer = app.post(INTROSPECT, invited.code()).await.ok(202);
            let expected = json!({
                "user": invited.named(), "recoveryScenario": scenario, "recoveryStep": step, "isExpired": expired
            });
            assert_eq!(answer, expected);
            app.advance(Duration::from_mins(5));
        }
        app.work().await;
        assert_eq!(app.post(INTROSPECT, invited.code()).await.ok(202)["isExpired"], true);
        assert_eq!(invited.failures(&app).await, 0);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_a_code_neither_uses_it_up_nor_unlocks_anything() {
    let app = TestApp::spawn().await;
    for (purpose, method, _, step) in KINDS {
        let invited = Invited::by(&app, method, json!({"purpose": purpose})).await;
        let before = app.directory.calls().len();
        for _ in 0..3 {
            let mut body = invited.code();
            body["verifiedChannel"] = json!({"type": "EMAIL", "claim": "http://wso2.org/claims/emailaddress", "x": 1});
            let reply = app.post(VALIDATE, body).await;
            if step == "SET_PASSWORD" {
                assert_eq!(reply.ok(202), invited.named());
            } else {
                let described = reply.fault(400, "USR-10001");
                assert_eq!(described, "User specified communication channel is not supported by the server.");
            }
        }
        app.work().await;
        assert_eq!(app.directory.calls().len(), before);
        assert_eq!(app.account(&invited.user).await["locked"], true);
        assert_eq!(app.invitation(&invited.id).await["status"], "pending");
        if method != "email_link" {
            assert_eq!(invited.budgets(&app).await, (json!(5), json!(0)));
            let redeemed = app.redeem_code(&invited.user, &invited.secret).await.ok(200);
            app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
        }
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_count_and_say_nothing() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({"expiresInMinutes": 60})).await;
    for (left, path) in [(4, INTROSPECT), (3, VALIDATE), (2, INTROSPECT)] {
        app.post(path, otp.guess()).await.fault(400, "18001");
        assert_eq!(otp.budgets(&app).await, (json!(left), json!(5 - left)));
    }
    for path in [INTROSPECT, VALIDATE] {
        for body in [json!({"code": otp.secret}), json!({"code": "inv1_nonsense"}), json!({"code": ""})] {
            app.post(path, body).await.fault(400, "18001");
        }
        app.post(path, json!({"code": otp.secret, "verifiedChannel": "EMAIL"})).await.fault(400, "invalid_request");
        app.post(path, json!({"code": false})).await.fault(400, "invalid_request");
    }
    assert_eq!(otp.budgets(&app).await, (json!(2), json!(3)));
    app.advance(Duration::from_hours(1));
    app.post(VALIDATE, otp.code()).await.fault(400, "18022");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_redeemed_or_withdrawn_is_over() {
    let app = TestApp::spawn().await;
    let used = Invited::by(&app, "email_otp", json!({})).await;
    app.redeem_code(&used.user, &used.secret).await.ok(200);
    let withdrawn = Invited::by(&app, "email_link", json!({})).await;
    app.post(&format!("/v1/invitations/{}/revoke", withdrawn.id.as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    for path in [INTROSPECT, VALIDATE] {
        app.post(path, used.code()).await.fault(400, "18001");
        app.post(path, withdrawn.code()).await.fault(400, "18023");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_a_resend_left_good_is_what_it_was() {
    let app = TestApp::with(Settings { defaults: "resend = { tolerance_minutes = 10 }", ..Settings::default() }).await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    app.advance(Duration::from_mins(1));
    let resend = format!("/v1/invitations/{}/resend", otp.id.as_str().unwrap());
    app.post(&resend, json!({"method": "email_link"})).await.ok(200);
    app.work().await;
    let link = json!({"code": app.gateway.last_token().await});
    let scenario = async |body| app.post(INTROSPECT, body).await.ok(202)["recoveryScenario"].clone();
    assert_eq!(scenario(link.clone()).await, "ASK_PASSWORD");
    assert_eq!(scenario(otp.code()).await, "ASK_PASSWORD_VIA_EMAIL_OTP");
    app.post(VALIDATE, otp.code()).await.ok(202);
    otp.set(&app, PASSWORD).await.ok(200);
    app.post(INTROSPECT, otp.code()).await.fault(400, "18001");
    app.post(INTROSPECT, link).await.fault(400, "18001");
    app.work().await;
    app.finish().await;
}

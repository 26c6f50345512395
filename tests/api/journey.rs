//! The whole job, by each method.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_invited_by_link_sets_the_password_and_is_unlocked() {
    let app = TestApp::spawn().await;
    let user = app.user().await;

    let issued = app.try_issue(&user, json!({"metadata": {"ticket": "HR-1"}})).await;
    let location = issued.header("location").to_owned();
    let issued = issued.ok(201);
    assert_eq!(location, format!("/v1/invitations/{}", issued["id"].as_str().unwrap()));
    assert_eq!(
        (&issued["status"], &issued["method"], &issued["delivery"]["status"]),
        (&json!("provisioning"), &json!("email_link"), &json!("queued"))
    );
    assert_eq!(issued["user"]["email"], "a•••@example.com");
    assert!(app.gateway.received("email").await.is_empty(), "nothing is sent before the lock is confirmed");
    app.work().await;

    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    let sent = app.invitation(&issued["id"]).await;
    assert_eq!(
        (&sent["status"], &sent["delivery"]["status"], &sent["metadata"]),
        (&json!("pending"), &json!("sent"), &json!({"ticket": "HR-1"}))
    );
    assert_eq!(sent["account"], json!({"locked": true, "lockReason": "PENDING_ASK_PASSWORD", "directory": "synced"}));
    let mail = app.gateway.last("email").await;
    assert_eq!(
        (&mail["to"], &mail["subject"], &mail["toName"]),
        (&json!(user.email), &json!("Set your password"), &json!("Alex"))
    );
    assert_eq!(
        (&mail["kind"], &mail["from"]),
        (&json!("invitation_email_link"), &json!("Example <no-reply@example.com>"))
    );
    assert_eq!(mail["key"], mail["messageId"]);
    assert!(mail["text"].as_str().unwrap().contains("24 hours"));

    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    assert_eq!(redeemed["user"], json!({"username": user.username, "realm": "PRIMARY", "displayName": "Alex"}));
    assert_eq!(redeemed["passwordPolicy"], json!({"minLength": 8, "maxLength": 128}));
    let accepted = app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    assert_eq!(accepted["status"], "accepted");

    let patch = app.directory.patches().pop().unwrap();
    assert_eq!(patch.replaced("password"), Some(&json!(PASSWORD)));
    assert_eq!(patch.replaced("active"), Some(&json!(true)));
    assert!(patch.if_match.is_some());
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.work().await;
    let activation = app.gateway.last("email").await;
    assert_eq!(
        (&activation["kind"], &activation["subject"]),
        (&json!("activation_email"), &json!("Your password is set"))
    );
    let done = app.invitation(&issued["id"]).await;
    assert_eq!(done["status"], "accepted");
    assert_eq!(done["account"], json!({"locked": false, "lockReason": null, "directory": "synced"}));
    assert_eq!(app.account(&user).await["state"], "UNLOCKED");
    every_step_was_written_down(&app, &issued["id"]).await;
    app.finish().await;
}

async fn every_step_was_written_down(app: &TestApp, id: &Value) {
    let events = app.events(id).await;
    let expected = [
        "invitation.issued",
        "account.synced",
        "invitation.lock_confirmed",
        "message.sent",
        "invitation.redeemed",
        "invitation.accepted",
        "account.unlocked",
        "message.sent",
    ];
    assert_eq!(events, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_invited_by_email_code_types_it_on_the_page() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp"})).await;
    assert_eq!(app.invitation(&issued["id"]).await["attemptsRemaining"], 5);

    let code = app.gateway.last_code("email").await;
    assert_eq!(code.len(), 6);
    let redeemed = app.redeem_code(&user, &code).await.ok(200);
    assert_eq!(redeemed["invitation"]["method"], "email_otp");
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_invited_by_sms_signs_in_with_the_code_and_sets_the_password() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp", "expiresInMinutes": 10})).await;

    let sms = app.gateway.last("sms").await;
    assert_eq!(
        (&sms["to"], &sms["from"], &sms["kind"]),
        (&json!(user.phone), &json!("Example"), &json!("invitation_sms_otp"))
    );
    assert!(sms["text"].as_str().unwrap().contains("10 minutes"));
    assert!(sms.get("subject").is_none());
    let code = app.gateway.last_code("sms").await;
    let wrong = app.post("/v1/otp-logins", json!({"username": user.username, "otp": "wrong1"})).await.ok(200);
    assert_eq!(wrong, json!({"outcome": "rejected"}));
    let login =
        app.post("/v1/otp-logins", json!({"username": user.username, "realm": "primary", "otp": code})).await.ok(200);
    assert_eq!(login["outcome"], "password_setup_required");
    let (grant, setup_url) = (login["grant"].as_str().unwrap(), login["setupUrl"].as_str().unwrap());
    assert_eq!(setup_url, format!("https://app.example.com/set-password#token={grant}"));

    let resumed = app.redeem_token(grant).await.ok(200);
    assert_eq!((&resumed["grant"], &resumed["user"]["username"]), (&json!(grant), &json!(user.username)));
    app.set_password(grant, PASSWORD).await.ok(200);
    app.work().await;
    assert_eq!(app.gateway.last("sms").await["kind"], "activation_sms");
    let gone = app.post("/v1/otp-logins", json!({"username": user.username, "otp": code})).await.ok(200);
    assert_eq!(gone, json!({"outcome": "not_applicable"}));
    app.finish().await;
}

//! WSO2 Identity Server as the directory: its own lock attribute, user stores, tenants in the URL, and whose a lock is.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Settings, TestApp, User};

const PRESET: &str = "driver = \"wso2\"";
const WRITES_REASON: &str = "driver = \"wso2\"\nlock_details = [\"lockedReason\"]";

/// The service with a WSO2 directory; `None`, after saying so, where there is no server to be one.
async fn spawn(directory: &'static str) -> Option<TestApp> {
    TestApp::with_wso2(Settings { directory, ..Settings::default() }).await
}

/// What the directory says of the account in its extension.
async fn standing(app: &TestApp, realm: &str, user: &User) -> Value {
    app.directory.user(realm, &user.id).await["urn:scim:wso2:schema"].clone()
}

async fn grant(app: &TestApp) -> String {
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    redeemed["grant"].as_str().unwrap().to_owned()
}

async fn issue_in(app: &TestApp, realm: &str, user: &User, fields: Value) -> Value {
    let mut body = json!({"user": {"username": user.username, "realm": realm}});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let issued = app.post("/v1/invitations", body).await.ok(201);
    app.work().await;
    issued
}

/// Accepts, and asserts that nothing of a lock was touched.
async fn assert_left_alone(app: TestApp, user: &User, grant: &str) {
    let before = standing(&app, "PRIMARY", user).await;
    let patches = app.directory.patches().len();
    app.set_password(grant, PASSWORD).await.problem(403, "account_disabled");
    assert_eq!(app.directory.patches().len(), patches, "the directory was asked for a change");
    assert_eq!(standing(&app, "PRIMARY", user).await, before);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_person_is_locked_by_wso2s_own_attribute_and_let_in_by_one_patch() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let locked = standing(&app, "PRIMARY", &user).await;
    // WSO2 itself says that this was an administrator, since it does not let us write why.
    assert_eq!((&locked["accountLocked"], &locked["lockedReason"]), (&json!(true), &json!("ADMIN_INITIATED")));
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true, "that is another thing than the lock");
    app.set_password(&grant(&app).await, PASSWORD).await.ok(200);
    let patches = app.directory.patches();
    assert_eq!(patches.len(), 2);
    let value = json!({"password": PASSWORD, "urn:scim:wso2:schema": {"accountLocked": false, "emailVerified": true}});
    assert_eq!(patches[1].body["Operations"], json!([{"op": "replace", "value": value}]));
    let unlocked = standing(&app, "PRIMARY", &user).await;
    assert_eq!((&unlocked["accountLocked"], &unlocked["emailVerified"]), (&json!(false), &json!(true)));
    assert_eq!(unlocked["phoneVerified"], Value::Null);
    assert!(app.directory.calls().iter().all(|call| call.path.starts_with("/t/carbon.super/scim2/Users")));
    assert!(app.directory.calls().iter().all(|call| !call.body.to_string().contains("askPassword")));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_a_secondary_store_is_found_there_and_nowhere_else() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.directory.person_in("SECONDARY").await;
    let elsewhere = app.try_issue(&user, json!({})).await;
    elsewhere.problem(422, "user_not_found");
    let issued = issue_in(&app, "SECONDARY", &user, json!({})).await;
    assert_eq!((&issued["user"]["username"], &issued["user"]["realm"]), (&json!(user.username), &json!("SECONDARY")));
    assert_eq!(standing(&app, "SECONDARY", &user).await["accountLocked"], true);
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    assert_eq!(redeemed["user"]["username"], user.username, "without the store's name");
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    assert_eq!(standing(&app, "SECONDARY", &user).await["accountLocked"], false);
    let asked = app.directory.calls().into_iter().filter(|call| call.path.contains("domain=SECONDARY"));
    assert_eq!(asked.count(), 1);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_carries_a_store_opens_nobody_elses_account() {
    let Some(app) = spawn(PRESET).await else { return };
    let mut user = app.directory.person_in("SECONDARY").await;
    user.username = format!("SECONDARY/{}", user.username);
    app.try_issue(&user, json!({})).await.problem(422, "user_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_proved_channel_is_marked_as_verified() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp"})).await;
    let code = app.gateway.last_code("sms").await;
    let redeemed = app.redeem_code(&user, &code).await.ok(200);
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    let standing = standing(&app, "PRIMARY", &user).await;
    assert_eq!((&standing["phoneVerified"], &standing["emailVerified"]), (&json!(true), &Value::Null));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_directory_does_not_have_is_not_marked_as_verified() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    let named = json!({"username": user.username, "id": user.id, "email": "private@example.net"});
    app.issue(&user, json!({"user": named})).await;
    app.set_password(&grant(&app).await, PASSWORD).await.ok(200);
    let standing = standing(&app, "PRIMARY", &user).await;
    assert_eq!((&standing["accountLocked"], &standing["emailVerified"]), (&json!(false), &Value::Null));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_is_written_with_the_lock_and_wiped_with_it_where_it_can_be() {
    let Some(app) = spawn(WRITES_REASON).await else { return };
    let user = app.user().await;
    for (purpose, reason) in
        [("onboarding", "PENDING_ASK_PASSWORD"), ("password_reset", "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET")]
    {
        app.issue(&user, json!({"purpose": purpose})).await;
        let locked = standing(&app, "PRIMARY", &user).await;
        assert_eq!((&locked["accountLocked"], &locked["lockedReason"]), (&json!(true), &json!(reason)));
        app.set_password(&grant(&app).await, PASSWORD).await.ok(200);
        let unlocked = standing(&app, "PRIMARY", &user).await;
        assert_eq!(unlocked["accountLocked"], false);
        assert!(matches!(unlocked["lockedReason"].as_str(), None | Some("")), "{unlocked}");
        app.work().await;
    }
    app.finish().await;
}

/// `resend-code` for somebody of whom this service has never heard.
async fn resend(app: &TestApp, user: &User, scenario: &str) -> Reply {
    let properties = json!([{"key": "RecoveryScenario", "value": scenario}]);
    let body = json!({"user": {"username": user.username, "realm": "PRIMARY"}, "properties": properties});
    app.post("/api/identity/user/v1.0/resend-code", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_invited_by_wso2_itself_is_taken_over_with_the_lock() {
    for scenario in ["ASK_PASSWORD", "ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK"] {
        let Some(app) = spawn(PRESET).await else { return };
        let user = app.user().await;
        let nothing = "recovery_data_not_found";
        resend(&app, &user, scenario).await.fault(400, nothing);
        let lock = json!({"accountLocked": true, "lockedReason": "PENDING_ASK_PASSWORD"});
        app.directory.change_extension("PRIMARY", &user.id, lock).await;
        resend(&app, &user, "TENANT_ADMIN_ASK_PASSWORD").await.fault(400, nothing);
        resend(&app, &user, "ADMIN_FORCED_PASSWORD_RESET_VIA_OTP").await.fault(400, nothing);
        assert_eq!(resend(&app, &user, scenario).await.status, 201);
        app.work().await;
        assert!(app.directory.patches().is_empty(), "it was locked already");
        app.set_password(&grant(&app).await, PASSWORD).await.ok(200);
        assert_eq!(standing(&app, "PRIMARY", &user).await["accountLocked"], false);
        app.work().await;
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_lock_from_before_is_never_lifted() {
    for directory in [PRESET, WRITES_REASON] {
        let Some(app) = spawn(directory).await else { return };
        let user = app.user().await;
        let lock = json!({"accountLocked": true, "lockedReason": "ADMIN_INITIATED"});
        app.directory.change_extension("PRIMARY", &user.id, lock).await;
        app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        assert_left_alone(app, &user, &grant).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_lock_in_place_of_ours_is_told_apart_where_the_reason_is_ours() {
    let Some(app) = spawn(WRITES_REASON).await else { return };
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let grant = grant(&app).await;
    app.directory.change_extension("PRIMARY", &user.id, json!({"lockedReason": "ADMIN_INITIATED"})).await;
    assert_left_alone(app, &user, &grant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_for_too_many_attempts_is_never_lifted_whether_it_came_before_or_after_ours() {
    for before in [true, false] {
        let Some(app) = spawn(PRESET).await else { return };
        let user = app.user().await;
        let lock = json!({"accountLocked": true, "lockedReason": "MAX_ATTEMPTS_EXCEEDED"});
        if before {
            app.directory.change_extension("PRIMARY", &user.id, lock.clone()).await;
        }
        app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        app.directory.change_extension("PRIMARY", &user.id, lock).await;
        assert_left_alone(app, &user, &grant).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_stays_disabled_and_our_lock_on_it_too() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let grant = grant(&app).await;
    app.directory.change_extension("PRIMARY", &user.id, json!({"accountDisabled": true})).await;
    assert_left_alone(app, &user, &grant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_somebody_else_has_lifted_their_disable_the_same_grant_goes_on() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let grant = grant(&app).await;
    app.directory.change_extension("PRIMARY", &user.id, json!({"accountDisabled": true})).await;
    app.set_password(&grant, PASSWORD).await.problem(403, "account_disabled");
    app.directory.change_extension("PRIMARY", &user.id, json!({"accountDisabled": false})).await;
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(standing(&app, "PRIMARY", &user).await["accountLocked"], false);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_has_its_own_place_in_the_url() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    let token = app.token_for("acme", "invitations:write");
    let body = json!({"user": {"username": user.username}});
    let request = app.request("POST", "/t/acme/v1/invitations").bearer_auth(token).json(&body);
    let issued: Reply = app.send(request).await;
    issued.ok(201);
    app.work().await;
    let redemption = app.request("POST", "/t/acme/v1/redemptions");
    let redeemed = app.send(redemption.json(&json!({"token": app.gateway.last_token().await}))).await.ok(200);
    let change =
        app.request("POST", "/t/acme/v1/redemptions/password").bearer_auth(redeemed["grant"].as_str().unwrap());
    app.send(change.json(&json!({"password": PASSWORD}))).await.ok(200);
    assert!(app.directory.calls().iter().all(|call| call.path.starts_with("/t/acme/scim2/Users")));
    assert_eq!(standing(&app, "PRIMARY", &user).await["accountLocked"], false);
    app.work().await;
    app.finish().await;
}

/// A link to hand over, by `offline-invite-link`: its token.
async fn handed_over(app: &TestApp, user: &User) -> String {
    let body = json!({"username": user.username, "userstore": "PRIMARY"});
    let reply = app.post("/api/users/v1/offline-invite-link", body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    token_in(&reply.text)
}

fn token_in(link: &str) -> String {
    link.split_once("#token=").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_handed_over_proves_no_channel() {
    let defaults = "resend = { cooldown_seconds = 0, tolerance_minutes = 30 }";
    let Some(app) = TestApp::with_wso2(Settings { directory: PRESET, defaults, ..Settings::default() }).await else {
        return;
    };
    for (way, verified) in
        [("offline", false), ("issued", false), ("resent", false), ("sent_while_good", false), ("sent_after", true)]
    {
        let user = app.user().await;
        let delivery = json!({"delivery": if way == "resent" { "send" } else { "return" }});
        let issued = if way == "offline" { json!({}) } else { app.issue(&user, delivery).await };
        let path = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap_or_default());
        let again = |body: Value| app.post(&path, body);
        let token = match way {
            "offline" => handed_over(&app, &user).await,
            "issued" => token_in(issued["secret"]["link"].as_str().unwrap()),
            "resent" => {
                let resent = again(json!({"delivery": "return"})).await.ok(200);
                token_in(resent["secret"]["link"].as_str().unwrap())
            }
            _ => {
                // The link that was handed over is good for a while beside the next one, but not when that had run out before.
                if way == "sent_after" {
                    app.advance(std::time::Duration::from_hours(25));
                }
                again(json!({"delivery": "send"})).await.ok(200);
                app.work().await;
                app.gateway.last_token().await
            }
        };
        app.work().await;
        app.accept(&token).await;
        let standing = standing(&app, "PRIMARY", &user).await;
        let expected = if verified { json!(true) } else { Value::Null };
        assert_eq!((&standing["emailVerified"], &standing["phoneVerified"]), (&expected, &Value::Null), "{way}");
        app.work().await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_whom_wso2_itself_invited_and_locked_lets_them_in() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    let lock = json!({"accountLocked": true, "lockedReason": "PENDING_ASK_PASSWORD"});
    app.directory.change_extension("PRIMARY", &user.id, lock).await;
    let token = handed_over(&app, &user).await;
    app.work().await;
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["lockReason"]), (&json!("PENDING_AP"), &json!("PENDING_ASK_PASSWORD")));
    assert!(app.directory.patches().is_empty(), "it was locked already");
    app.accept(&token).await;
    assert_eq!(standing(&app, "PRIMARY", &user).await["accountLocked"], false);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_wso2s_invitation_is_taken_over_from_an_invitation_that_left_it_alone() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    let lock = json!({"accountLocked": true, "lockedReason": "PENDING_ASK_PASSWORD"});
    app.directory.change_extension("PRIMARY", &user.id, lock).await;
    let left_alone = app.issue(&user, json!({"lockAccount": false})).await;
    let path = format!("/v1/invitations/{}/revoke", left_alone["id"].as_str().unwrap());
    app.post(&path, json!({})).await.ok(200);
    app.work().await;
    assert_eq!(resend(&app, &user, "ASK_PASSWORD").await.status, 201);
    app.work().await;
    app.set_password(&grant(&app).await, PASSWORD).await.ok(200);
    assert_eq!(standing(&app, "PRIMARY", &user).await["accountLocked"], false);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_wso2_says_to_wait_for_a_password_waits_by_a_link_too() {
    let Some(app) = spawn(PRESET).await else { return };
    let user = app.user().await;
    app.directory.change_extension("PRIMARY", &user.id, json!({"lockedReason": "PENDING_ASK_PASSWORD"})).await;
    let token = handed_over(&app, &user).await;
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["locked"]), (&json!("PENDING_AP"), &json!(false)));
    app.accept(&token).await;
    app.work().await;
    assert_eq!(app.account(&user).await["state"], "UNLOCKED");
    app.finish().await;
}

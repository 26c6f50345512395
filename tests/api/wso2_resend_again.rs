//! WSO2's `resend-code` over what happened since: a lock that was lifted, resends that are used up.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Settings, TestApp, User};

async fn resend(app: &TestApp, user: &User, scenario: &str) -> Reply {
    let properties = json!([{"key": "RecoveryScenario", "value": scenario}]);
    let body = json!({"user": {"username": user.username}, "properties": properties});
    app.post("/api/identity/user/v1.0/resend-code", body).await
}

async fn invitations(app: &TestApp, user: &User) -> Vec<Value> {
    let path = format!("/v1/invitations?username={}", user.username);
    app.get(&path).await.ok(200)["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_an_administrator_lifted_stays_lifted() {
    let app = TestApp::spawn().await;
    for scenario in ["ASK_PASSWORD", "ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK"] {
        let user = app.user().await;
        app.issue(&user, json!({})).await;
        app.post(&format!("/v1/accounts/PRIMARY/{}/unlock", user.username), json!({})).await.ok(200);
        app.work().await;
        let patches = app.directory.patches().len();
        app.advance(Duration::from_mins(1));
        assert_eq!(resend(&app, &user, scenario).await.status, 201);
        app.work().await;
        assert_eq!(app.directory.patches().len(), patches, "{scenario}");
        let account = app.account(&user).await;
        assert_eq!((&account["state"], &account["locked"]), (&json!("PENDING_AP"), &json!(false)));
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
        app.accept(&app.gateway.last_token().await).await;
        app.work().await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_confirmed_yet_is_waited_for() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.try_issue(&user, json!({})).await.ok(201);
    app.advance(Duration::from_mins(1));
    assert_eq!(resend(&app, &user, "ASK_PASSWORD").await.status, 201);
    assert_eq!(invitations(&app, &user).await[0]["status"], "provisioning");
    app.work().await;
    assert_eq!(invitations(&app, &user).await[0]["status"], "pending");
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ran_out_with_its_resends_used_up_is_followed_by_another() {
    let defaults = "expiry_minutes = 5\npassword_reset = { expiry_minutes = 5 }\n\
                    resend = { max_per_invitation = 1, cooldown_seconds = 600 }";
    let app = TestApp::with(Settings { defaults, ..Settings::default() }).await;
    for (purpose, scenario, state) in [
        ("onboarding", "ASK_PASSWORD", "PENDING_AP"),
        ("onboarding", "TENANT_ADMIN_ASK_PASSWORD", "PENDING_AP"),
        ("password_reset", "ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK", "PENDING_FUPR"),
    ] {
        let user = app.user().await;
        let metadata = json!({"ticket": "HR-1"});
        let fields =
            json!({"purpose": purpose, "metadata": metadata, "redirectUrl": "https://app.example.com/welcome"});
        app.issue(&user, fields).await;
        app.advance(Duration::from_mins(10));
        assert_eq!(resend(&app, &user, scenario).await.status, 201);
        app.work().await;
        let old = app.gateway.last_token().await;
        app.advance(Duration::from_mins(6));
        let before = (app.account(&user).await["lockReason"].clone(), app.directory.patches().len());
        resend(&app, &user, scenario).await.fault(429, "resend_too_soon");
        app.advance(Duration::from_mins(4));
        let calls = (0..8).map(|_| resend(&app, &user, scenario));
        let replies = futures_util::future::join_all(calls).await;
        let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 429, 429, 429, 429, 429, 429, 429], "{scenario}");
        app.work().await;
        let known = invitations(&app, &user).await;
        assert_eq!((known.len(), &known[1]["status"]), (2, &json!("expired")));
        assert_eq!((&known[0]["purpose"], &known[0]["metadata"]), (&json!(purpose), &metadata));
        let account = app.account(&user).await;
        assert_eq!(account["state"], state);
        assert_eq!((account["lockReason"].clone(), app.directory.patches().len()), before, "the lock stays");
        app.redeem_token(&old).await.problem(410, "invitation_expired");
        let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
        let set = app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
        assert_eq!(set["redirectUrl"], "https://app.example.com/welcome");
        app.work().await;
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    }
    app.finish().await;
}

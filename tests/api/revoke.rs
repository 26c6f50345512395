//! Revoking: final, and it beats the queue.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

async fn revoke(app: &TestApp, id: &Value, body: Value) -> Reply {
    app.post(&format!("/v1/invitations/{}/revoke", id.as_str().unwrap()), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_a_revocation() {
    let app = TestApp::spawn().await;
    for lock in [true, false] {
        let user = app.user().await;
        let issued = app.try_issue(&user, json!({"lockAccount": lock})).await.ok(201);
        let revoked = revoke(&app, &issued["id"], json!({})).await.ok(200);
        assert_eq!(revoked["status"], "revoked");
        assert!(revoked["revokedAt"].is_string());
        app.work().await;
    }
    assert!(app.gateway.received("email").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_link_says_so_and_its_grant_is_dead() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
    revoke(&app, &issued["id"], json!({})).await.ok(200);
    app.redeem_token(&token).await.problem(410, "invitation_revoked");
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    revoke(&app, &issued["id"], json!({})).await.ok(200);
    assert_eq!(app.events(&issued["id"]).await.iter().filter(|event| *event == "invitation.revoked").count(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_stays_unless_it_is_to_go() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    revoke(&app, &issued["id"], json!({})).await.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    assert_eq!(app.account(&user).await["state"], "PENDING_AP");

    let again = app.issue(&user, json!({})).await;
    revoke(&app, &again["id"], json!({"unlock": true})).await.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    assert_eq!(app.account(&user).await["locked"], false);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_lock_is_not_lifted_by_a_revocation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    revoke(&app, &issued["id"], json!({"unlock": true})).await.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    assert_eq!(app.account(&user).await["lockReason"], "ADMIN_INITIATED");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_can_not_be_revoked() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    revoke(&app, &issued["id"], json!({})).await.problem(409, "not_revocable");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_invitation_is_as_unknown_as_none() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.token_for("acme", "invitations:read invitations:write");
    let mut answers = Vec::new();
    for id in [issued["id"].as_str().unwrap(), "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11"] {
        for (method, path) in [("GET", String::new()), ("POST", "/revoke".to_owned()), ("POST", "/resend".to_owned())] {
            let request = app.request(method, &format!("/t/acme/v1/invitations/{id}{path}")).bearer_auth(&token);
            let mut problem = app.send(request).await.problem(404, "invitation_not_found");
            for own in ["traceId", "instance"] {
                problem.as_object_mut().unwrap().remove(own);
            }
            answers.push(problem);
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    app.finish().await;
}

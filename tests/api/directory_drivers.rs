//! The whole job with other directories than SCIM ones.

use serde_json::json;

use crate::support::directory::{Fault, Played};
use crate::support::{PASSWORD, Settings, TestApp};

const KEYCLOAK: (Played, &str) = (Played::Keycloak, "driver = \"keycloak\"\nmarker_attribute = \"lastAcceptance\"");
const CONTRACT: (Played, &str) = (Played::Contract, "driver = \"http\"\nmarker_attribute = \"lastAcceptance\"");

async fn spawn((played, directory): (Played, &'static str)) -> TestApp {
    TestApp::with_directory(played, Settings { directory, ..Settings::default() }).await
}

async fn grant(app: &TestApp) -> String {
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    redeemed["grant"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_person_is_locked_and_let_in() {
    for driver in [KEYCLOAK, CONTRACT] {
        let app = spawn(driver).await;
        let user = app.user().await;
        let issued = app.issue(&user, json!({})).await;
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
        let grant = grant(&app).await;
        app.set_password(&grant, PASSWORD).await.ok(200);
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
        app.work().await;
        assert_eq!(app.invitation(&issued["id"]).await["status"], "accepted");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keycloak_loses_nothing_of_a_user_that_we_write_back() {
    let app = spawn(KEYCLOAK).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.set_password(&grant(&app).await, PASSWORD).await.ok(200);
    let put = app.directory.calls().into_iter().rfind(|call| call.method == "PUT").unwrap();
    assert_eq!((&put.body["firstName"], &put.body["email"]), (&json!("Alex"), &json!(user.email)));
    assert_eq!(put.body["attributes"]["department"], json!(["sales"]));
    assert_eq!((&put.body["enabled"], &put.body["emailVerified"]), (&json!(true), &json!(true)));
    assert_eq!(put.body["requiredActions"], json!([]));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_that_stopped_halfway_in_keycloak_is_finished_by_the_same_grant() {
    let app = spawn(KEYCLOAK).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let grant = grant(&app).await;
    app.directory.break_next("PUT", Fault::None);
    app.directory.break_next("PUT", Fault::Status(500));
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false, "the password is set, the lock is on");
    app.advance(std::time::Duration::from_secs(61));
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_whose_answer_was_lost_is_looked_up() {
    for driver in [KEYCLOAK, CONTRACT] {
        let app = spawn(driver).await;
        let user = app.user().await;
        app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        if matches!(driver.0, Played::Keycloak) {
            app.directory.break_next("PUT", Fault::None);
        }
        app.directory.break_next("PUT", Fault::AppliedThen(500));
        app.set_password(&grant, PASSWORD).await.ok(200);
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
        app.work().await;
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directorys_policy_is_told_to_the_person() {
    let refusals = [
        (KEYCLOAK, 400, json!({"error": "invalidPasswordHistoryMessage", "error_description": "It was used before."})),
        (CONTRACT, 422, json!({"status": 422, "code": "password_rejected", "detail": "It was used before."})),
    ];
    for (driver, status, refusal) in refusals {
        let app = spawn(driver).await;
        let user = app.user().await;
        app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        app.directory.refuse_next("PUT", status, refusal);
        let problem = app.set_password(&grant, PASSWORD).await.problem(422, "password_rejected");
        assert_eq!(problem["reasons"], json!([{"code": "directory_policy", "detail": "It was used before."}]));
        app.set_password(&grant, PASSWORD).await.ok(200);
        app.work().await;
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_lock_is_left_alone() {
    for driver in [KEYCLOAK, CONTRACT] {
        let app = spawn(driver).await;
        let user = app.user().await;
        app.directory.set_active("PRIMARY", &user.id, false).await;
        app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        app.set_password(&grant, PASSWORD).await.problem(403, "account_disabled");
        assert!(app.directory.calls().iter().all(|call| call.method == "GET"), "nothing is written");
        app.finish().await;
    }
}

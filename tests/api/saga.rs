//! The accept saga when the directory refuses, is silent, or disagrees.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Settings, TestApp, User};

async fn redeemed(app: &TestApp) -> (User, Value, String) {
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    (user, issued["id"].clone(), redeemed["grant"].as_str().unwrap().to_owned())
}

fn passwords_set(app: &TestApp) -> usize {
    app.directory.patches().iter().filter(|patch| patch.replaced("password").is_some()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directorys_policy_is_told_to_the_person_and_the_grant_stays_good() {
    let app = TestApp::spawn().await;
    let (_, id, grant) = redeemed(&app).await;
    let refusal = json!({"scimType": "invalidValue", "detail": "It was used before."});
    app.directory.refuse_next("PATCH", 400, refusal);
    let problem = app.set_password(&grant, PASSWORD).await.problem(422, "password_rejected");
    assert_eq!(problem["reasons"], json!([{"code": "directory_policy", "detail": "It was used before."}]));
    assert_eq!(app.invitation(&id).await["status"], "pending");
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_rules_are_checked_before_the_directory_is_asked() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "email_otp"})).await;
    let code = app.gateway.last_code("email").await;
    let grant = app.redeem_code(&user, &code).await.ok(200)["grant"].as_str().unwrap().to_owned();
    let before = app.directory.calls().len();
    let cases = [
        ("short1", "too_short"),
        ("password123", "too_common"),
        (user.username.as_str(), "equals_username"),
        (user.email.as_str(), "equals_address"),
        (code.as_str(), "equals_code"),
        (&"x".repeat(129), "too_long"),
        ("nul\0 inside it", "unusable_character"),
    ];
    for (password, reason) in cases {
        let problem = app.set_password(&grant, password).await.problem(422, "password_rejected");
        let reasons = problem["reasons"].as_array().unwrap();
        assert!(reasons.iter().any(|found| found["code"] == reason), "{reason} in {reasons:?}");
    }
    assert_eq!(app.directory.calls().len(), before);
    let unusual = "  ßpåçe & 🦀 \"quotes\"  ";
    app.set_password(&grant, unusual).await.ok(200);
    assert_eq!(app.directory.patches().last().unwrap().replaced("password"), Some(&json!(unusual)), "bytes unchanged");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_down_burns_nothing() {
    let app = TestApp::spawn().await;
    let (_, id, grant) = redeemed(&app).await;
    for status in [429, 401] {
        app.directory.break_next("PATCH", Fault::Status(status));
        let reply = app.set_password(&grant, PASSWORD).await;
        assert!(reply.header("retry-after").parse::<u64>().is_ok());
        reply.problem(503, "directory_unavailable");
        assert_eq!(app.invitation(&id).await["status"], "pending");
    }
    app.directory.break_next("GET", Fault::Status(500));
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_changed_in_between_is_read_again() {
    let app = TestApp::spawn().await;
    let (user, _, grant) = redeemed(&app).await;
    app.directory.break_next("PATCH", Fault::Status(412));
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_left_to_the_same_grant() {
    let app = TestApp::spawn().await;
    let (_, id, grant) = redeemed(&app).await;
    let token = app.gateway.last_token().await;
    app.directory.break_next("PATCH", Fault::AppliedThenSilence);
    let reply = app.set_password(&grant, PASSWORD).await;
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&wait), "as long as the lease: {wait}");
    reply.problem(503, "directory_unavailable");
    assert_eq!(app.invitation(&id).await["status"], "accepting");
    app.set_password(&grant, PASSWORD).await.problem(409, "accept_in_progress");
    app.redeem_token(&token).await.problem(409, "accept_in_progress");
    app.post(&format!("/v1/invitations/{}/revoke", id.as_str().unwrap()), json!({}))
        .await
        .problem(409, "accept_in_progress");

    app.advance(Duration::from_secs(61));
    assert_eq!(app.sweep().await, 0, "the grant lives: nobody else may take over");
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(passwords_set(&app), 2, "the same password once more");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_closed_when_its_grant_ends() {
    let app = TestApp::spawn().await;
    let (_, id, grant) = redeemed(&app).await;
    let token = app.gateway.last_token().await;
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    app.advance(Duration::from_mins(11));
    assert_eq!(app.sweep().await, 1);
    let closed = app.invitation(&id).await;
    assert_eq!((&closed["status"], &closed["failure"]), (&json!("failed"), &json!("outcome_unknown")));
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    app.redeem_token(&token).await.problem(410, "invitation_failed");

    app.post(&format!("/v1/invitations/{}/resend", id.as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

/// `nickName` is an attribute that every SCIM directory keeps.
const WITH_MARKER: Settings = Settings {
    directory: "marker_attribute = \"nickName\"",
    defaults: "",
    without: &[],
    calls_per_minute: 0,
    keys: None,
    operator: "",
    sections: "",
    gateways_at: None,
};

#[tokio::test(flavor = "multi_thread")]
async fn with_a_marker_a_lost_answer_is_looked_up_at_once() {
    let app = TestApp::with(WITH_MARKER).await;
    let (user, id, grant) = redeemed(&app).await;
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.set_password(&grant, PASSWORD).await.ok(200);
    let marker = app.directory.user("PRIMARY", &user.id).await["nickName"].clone();
    assert_eq!(marker, format!("{}:1:1", id.as_str().unwrap()));
    assert_eq!(passwords_set(&app), 1);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_marker_the_sweep_completes_what_was_applied() {
    let app = TestApp::with(WITH_MARKER).await;
    let (user, id, grant) = redeemed(&app).await;
    app.directory.break_next("PATCH", Fault::AppliedThenSilence);
    app.directory.break_next("GET", Fault::None);
    app.directory.break_next("GET", Fault::Status(500));
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    app.advance(Duration::from_secs(61));
    assert_eq!(app.sweep().await, 1);
    assert_eq!(app.invitation(&id).await["status"], "accepted");
    assert_eq!(app.account(&user).await["locked"], false);
    assert_eq!(passwords_set(&app), 1);
    app.work().await;
    assert_eq!(app.gateway.last("email").await["kind"], "activation_email");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_marker_the_sweep_gives_back_what_was_not_applied() {
    let app = TestApp::with(WITH_MARKER).await;
    let (_, id, grant) = redeemed(&app).await;
    app.directory.break_next("PATCH", Fault::Silence);
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    app.advance(Duration::from_secs(61));
    assert_eq!(app.sweep().await, 1);
    assert_eq!(app.invitation(&id).await["status"], "pending");
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(passwords_set(&app), 2);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_lock_is_never_lifted() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.set_active("PRIMARY", &user.id, false).await;
    let issued = app.issue(&user, json!({})).await;
    assert_eq!(
        app.invitation(&issued["id"]).await["account"],
        json!({"locked": true, "lockReason": null, "directory": "synced"})
    );
    assert!(app.directory.patches().is_empty());
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    app.set_password(grant, PASSWORD).await.problem(403, "account_disabled");
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);

    app.directory.set_active("PRIMARY", &user.id, true).await;
    app.set_password(grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_disabled_after_an_invitation_without_lock_stays_disabled() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"lockAccount": false})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    app.directory.set_active("PRIMARY", &user.id, false).await;
    app.set_password(grant, PASSWORD).await.problem(403, "account_disabled");
    app.directory.set_active("PRIMARY", &user.id, true).await;
    app.set_password(grant, PASSWORD).await.ok(200);
    let patch = app.directory.patches().pop().unwrap();
    assert_eq!((patch.replaced("password"), patch.replaced("active")), (Some(&json!(PASSWORD)), None));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_person_is_gone_even_when_the_name_comes_back() {
    let app = TestApp::spawn().await;
    let (user, id, grant) = redeemed(&app).await;
    app.directory.delete("PRIMARY", &user.id).await;
    let namesake = app.directory.create("PRIMARY", json!({"userName": user.username})).await;
    app.set_password(&grant, PASSWORD).await.problem(409, "user_gone");
    let failed = app.invitation(&id).await;
    assert_eq!((&failed["status"], &failed["failure"]), (&json!("failed"), &json!("user_gone")));
    assert_eq!(passwords_set(&app), 0);
    assert_eq!(app.directory.user("PRIMARY", &namesake).await["active"], true);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_lock_during_the_acceptance_holds() {
    let app = TestApp::spawn().await;
    let (user, _, grant) = redeemed(&app).await;
    let (let_go, locked) = (Arc::new(Notify::new()), format!("/v1/accounts/PRIMARY/{}/lock", user.username));
    app.directory.break_next("PATCH", Fault::Held(Arc::clone(&let_go)));
    let lock = async {
        while passwords_set(&app) == 0 {
            tokio::task::yield_now().await;
        }
        app.post(&locked, json!({})).await.ok(200);
        app.work().await;
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
        let_go.notify_one();
    };
    let (set, ()) = tokio::join!(app.set_password(&grant, PASSWORD), lock);
    set.ok(200);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    let account = app.account(&user).await;
    assert_eq!((&account["lockReason"], &account["directory"]), (&json!("ADMIN_INITIATED"), &json!("synced")));
    app.finish().await;
}

/// Makes the database refuse that an invitation gets this status, until it is allowed again.
fn forbid(app: &TestApp, status: &str) {
    app.database.execute(&if app.database.is_postgres() {
        format!("ALTER TABLE invitation ADD CONSTRAINT forbidden CHECK (status <> '{status}') NOT VALID")
    } else {
        format!(
            "CREATE TRIGGER forbidden BEFORE UPDATE ON invitation WHEN NEW.status = '{status}'
             BEGIN SELECT RAISE(ABORT, 'forbidden'); END"
        )
    });
}

fn allow(app: &TestApp) {
    let postgres = "ALTER TABLE invitation DROP CONSTRAINT forbidden";
    app.database.execute(if app.database.is_postgres() { postgres } else { "DROP TRIGGER forbidden" });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_not_stored_leaves_all_as_it_was() {
    let app = TestApp::spawn().await;
    let (_, id, grant) = redeemed(&app).await;
    forbid(&app, "accepting");
    assert!(app.set_password(&grant, PASSWORD).await.status >= 500);
    assert_eq!((passwords_set(&app), &app.invitation(&id).await["status"]), (0, &json!("pending")));
    allow(&app);
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_was_not_stored_is_made_up_for() {
    for (settings, times) in [(Settings::default(), 2), (WITH_MARKER, 1)] {
        let app = TestApp::with(settings).await;
        let (user, id, grant) = redeemed(&app).await;
        forbid(&app, "accepted");
        assert!(app.set_password(&grant, PASSWORD).await.status >= 500);
        assert_eq!(app.invitation(&id).await["status"], "accepting");
        allow(&app);
        app.advance(Duration::from_secs(61));
        if times == 1 {
            assert_eq!(app.sweep().await, 1, "the marker proves it");
        } else {
            app.set_password(&grant, PASSWORD).await.ok(200);
        }
        let account = app.account(&user).await;
        assert_eq!((&account["state"], &account["directory"]), (&json!("UNLOCKED"), &json!("synced")));
        assert_eq!((passwords_set(&app), &app.invitation(&id).await["status"]), (times, &json!("accepted")));
        app.work().await;
        app.finish().await;
    }
}

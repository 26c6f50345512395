//! What is over is taken away after its time; what is live never is.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Settings, TestApp, User};

const DAY: Duration = Duration::from_hours(24);

fn path(invitation: &Value) -> String {
    format!("/v1/invitations/{}", invitation["id"].as_str().unwrap())
}

async fn is_kept(app: &TestApp, invitation: &Value) -> bool {
    app.get(&path(invitation)).await.status == 200
}

async fn is_account_kept(app: &TestApp, user: &User) -> bool {
    app.get(&format!("/v1/accounts/PRIMARY/{}", user.username)).await.status == 200
}

fn rows(app: &TestApp, table: &str) -> i64 {
    app.database.count(&format!("SELECT count(*) AS count FROM {table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_is_taken_away_after_its_time_and_not_before() {
    let app = TestApp::spawn().await;
    let [accepting, revoking, expiring, living] =
        [app.user().await, app.user().await, app.user().await, app.user().await];
    let accepted = app.issue(&accepting, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    let revoked = app.issue(&revoking, json!({"lockAccount": false})).await;
    app.post(&format!("{}/revoke", path(&revoked)), json!({})).await.ok(200);
    let expired = app.issue(&expiring, json!({"expiresInMinutes": 1})).await;
    let live = app.issue(&living, json!({"expiresInMinutes": -1})).await;
    app.advance(Duration::from_mins(2));
    app.work().await;
    let events = rows(&app, "audit_event");

    app.advance(DAY * 89);
    app.work().await;
    for invitation in [&accepted, &revoked, &expired, &live] {
        assert!(is_kept(&app, invitation).await, "{invitation}");
    }
    app.advance(DAY * 2);
    app.work().await;
    for invitation in [&accepted, &revoked, &expired] {
        app.get(&path(invitation)).await.problem(404, "invitation_not_found");
    }
    assert!(is_kept(&app, &live).await);
    assert_eq!((is_account_kept(&app, &accepting).await, is_account_kept(&app, &revoking).await), (false, false));
    assert!(is_account_kept(&app, &expiring).await, "it is still locked by us");
    assert!(is_account_kept(&app, &living).await);
    assert_eq!(app.database.count("SELECT count(*) AS count FROM outbox WHERE invitation_id IS NOT NULL"), 2);
    assert_eq!(rows(&app, "audit_event"), events + 1, "the trail stays, and tells of the purge");
    let told = "SELECT count(*) AS count FROM audit_event WHERE event = 'invitations.purged' AND detail = '3'";
    assert_eq!(app.database.count(told), 1);
    assert_eq!(app.sweep().await, 0, "nothing is left to be taken away");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_kept_for_ever_is_kept() {
    let app = TestApp::with(Settings { operator: "retention.invitations_days = 0", ..Settings::default() }).await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    app.post(&format!("{}/revoke", path(&issued)), json!({})).await.ok(200);
    app.advance(DAY * 4000);
    app.work().await;
    assert!(is_kept(&app, &issued).await);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_not_forgotten_with_their_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp", "lockAccount": false})).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    app.post(&format!("{}/revoke", path(&issued)), json!({})).await.ok(200);
    app.advance(DAY * 91);
    app.work().await;
    assert!(!is_kept(&app, &issued).await);
    assert_eq!(app.account(&user).await["otpFailures"], 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_without_an_invitation_is_taken_away_as_well() {
    let app = TestApp::spawn().await;
    let [locked, unlocked] = [app.user().await, app.user().await];
    for (user, what) in [(&locked, "lock"), (&unlocked, "lock"), (&unlocked, "unlock")] {
        app.post(&format!("/v1/accounts/PRIMARY/{}/{what}", user.username), json!({})).await.ok(200);
        app.work().await;
    }
    app.advance(DAY * 29);
    app.work().await;
    assert_eq!(rows(&app, "outbox"), 3);
    app.advance(DAY * 2);
    app.work().await;
    assert_eq!(rows(&app, "outbox"), 0);
    assert_eq!((is_account_kept(&app, &locked).await, is_account_kept(&app, &unlocked).await), (true, false));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_at_the_moment_of_the_purge_finds_all_of_it_or_nothing() {
    let app = TestApp::spawn().await;
    let mut invitations = Vec::new();
    for _ in 0..12 {
        let user = app.user().await;
        let fields = json!({"expiresInMinutes": 1, "lockAccount": false});
        invitations.push((app.try_issue(&user, fields).await.ok(201), user));
    }
    app.work().await;
    app.advance(Duration::from_mins(2));
    app.work().await;
    app.advance(DAY * 91);
    let send_again = async |invitation: &Value| app.post(&format!("{}/resend", path(invitation)), json!({})).await;
    let resent = invitations.iter().map(|(invitation, _)| send_again(invitation));
    let (resent, _) = tokio::join!(join_all(resent), join_all((0..3).map(|_| app.sweep())));
    app.work().await;
    for (reply, (invitation, user)) in resent.into_iter().zip(&invitations) {
        if reply.status == 200 {
            let now = app.invitation(&invitation["id"]).await;
            assert_eq!((&now["status"], &now["delivery"]["status"]), (&json!("pending"), &json!("sent")));
        } else {
            reply.problem(404, "invitation_not_found");
            assert!(!is_kept(&app, invitation).await && !is_account_kept(&app, user).await);
        }
    }
    let orphans = "SELECT count(*) AS count FROM outbox WHERE invitation_id NOT IN (SELECT id FROM invitation)";
    assert_eq!(app.database.count(orphans), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_again_at_the_moment_of_the_purge_stays_invited() {
    let app = TestApp::spawn().await;
    let mut users = Vec::new();
    for _ in 0..12 {
        let user = app.user().await;
        let issued = app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
        app.post(&format!("{}/revoke", path(&issued)), json!({})).await.ok(200);
        users.push(user);
    }
    app.work().await;
    app.advance(DAY * 91);
    let again =
        users.iter().map(|user| app.post("/v1/invitations", json!({"user": user.known(), "lockAccount": false})));
    let (again, _) = tokio::join!(join_all(again), join_all((0..3).map(|_| app.sweep())));
    app.work().await;
    for (reply, user) in again.into_iter().zip(&users) {
        let issued = reply.ok(201);
        assert_eq!(app.account(user).await["invitationId"], issued["id"]);
    }
    assert_eq!((rows(&app, "invitation"), rows(&app, "account")), (12, 12));
    app.finish().await;
}

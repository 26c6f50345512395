//! The platform reports passwords that were set elsewhere, and users that are gone: what waited for them ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Receiver, Reply, TestApp, User};

fn outcome(name: &str, invitation: &Value) -> Value {
    json!({"outcome": name, "invitationId": invitation})
}

async fn grant(app: &TestApp) -> String {
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    redeemed["grant"].as_str().unwrap().to_owned()
}

async fn try_report(app: &TestApp, what: &str, user: &User) -> Reply {
    app.report(what, json!({"id": user.id, "userName": user.username})).await
}

/// Whether the user can sign in, as the directory has it.
async fn is_active(app: &TestApp, user: &User) -> bool {
    app.directory.user("PRIMARY", &user.id).await["active"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_set_elsewhere_ends_the_invitation_and_the_lock() {
    let app = TestApp::near().await;
    let receiver = Receiver::start().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let grant = grant(&app).await;
    app.webhook(&receiver, &[]).await;
    assert_eq!(app.report_of("user.password_set", &user).await, outcome("applied", &issued["id"]));
    assert!(!is_active(&app, &user).await, "the directory follows");
    app.work().await;
    assert!(is_active(&app, &user).await);
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["locked"]), (&json!("UNLOCKED"), &json!(false)));
    assert_eq!((&account["directory"], &account["invitationId"]), (&json!("synced"), &Value::Null));
    let ended = app.invitation(&issued["id"]).await;
    assert_eq!((&ended["status"], &ended["revokeReason"]), (&json!("revoked"), &json!("password_set_elsewhere")));
    app.redeem_token(&token).await.problem(410, "invitation_revoked");
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    let resend = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
    app.post(&resend, json!({})).await.problem(409, "not_resendable");
    assert!(app.directory.patches().iter().all(|patch| patch.replaced("password").is_none()));

    let patches = app.directory.patches().len();
    for _ in 0..2 {
        assert_eq!(app.report_of("user.password_set", &user).await, outcome("unchanged", &Value::Null));
        app.work().await;
    }
    assert_eq!(app.directory.patches().len(), patches, "a repeat asks nothing of the directory");
    let told = receiver.received().await;
    let told: Vec<_> =
        told.iter().map(|event| (event.event(), event.body["data"]["detail"].as_str().unwrap())).collect();
    let detail = "password_set_elsewhere";
    assert_eq!(told, [("invitation.revoked", detail), ("account.unlocked", detail)]);
    let trail = app.get("/v1/audit-events?limit=100").await.ok(200);
    let set = trail["items"].as_array().unwrap().iter().filter(|entry| entry["event"] == "account.password_set");
    assert_eq!(set.count(), 1);
    let diagnosis = app.get(&format!("/v1/accounts/PRIMARY/{}/diagnosis", user.username)).await.ok(200);
    assert_eq!(diagnosis["findings"][0]["code"], "password_set_elsewhere");
    assert_eq!(diagnosis["nextAction"]["code"], "none");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_still_to_be_sent_is_never_sent() {
    let app = TestApp::spawn().await;
    for (what, wishes) in [
        ("user.password_set", json!({"sendAt": app.clock_after(Duration::from_hours(1))})),
        ("user.password_set", json!({})),
        ("user.deleted", json!({"sendAt": app.clock_after(Duration::from_hours(1))})),
        ("user.deleted", json!({})),
    ] {
        let user = app.user().await;
        app.try_issue(&user, wishes).await.ok(201);
        app.report_of(what, &user).await;
        app.work().await;
        app.advance(Duration::from_hours(2));
        app.work().await;
    }
    assert!(app.gateway.received("email").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_dies_with_its_invitation_and_wrong_ones_are_forgotten() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "email_otp"})).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    let code = app.gateway.last_code("email").await;
    app.report_of("user.password_set", &user).await;
    app.work().await;
    app.redeem_code(&user, &code).await.problem(400, "invalid_or_expired");
    assert_eq!(app.account(&user).await["otpFailures"], 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_ran_out_can_not_be_revived_afterwards() {
    let app = TestApp::spawn().await;
    app.tenant_wants("default", json!({"selfServiceRequestNew": true})).await;
    for what in ["user.password_set", "user.deleted"] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"expiresInMinutes": 5})).await;
        let token = app.gateway.last_token().await;
        app.advance(Duration::from_mins(6));
        app.work().await;
        let mails = app.gateway.received("email").await.len();
        assert_eq!(app.report_of(what, &user).await, outcome("applied", &issued["id"]));
        app.send(app.request("POST", "/v1/redemptions/request-new").json(&json!({"token": token}))).await.ok(202);
        app.work().await;
        assert_eq!(app.gateway.received("email").await.len(), mails);
        assert_eq!(app.account(&user).await["state"], "UNLOCKED");
        assert_eq!(is_active(&app, &user).await, what == "user.password_set");
    }
    app.finish().await;
}

/// How the account is locked before the report, and how it is afterwards: active in the directory, state and reason.
#[tokio::test(flavor = "multi_thread")]
async fn only_our_lock_for_the_passwords_sake_is_lifted() {
    let app = TestApp::spawn().await;
    for (purpose, locks, by, active, state, reason) in [
        ("onboarding", true, "nobody", true, "UNLOCKED", Value::Null),
        ("password_reset", true, "nobody", true, "UNLOCKED", Value::Null),
        ("onboarding", false, "nobody", true, "UNLOCKED", Value::Null),
        ("password_reset", false, "nobody", true, "UNLOCKED", Value::Null),
        ("onboarding", true, "administrator", false, "LOCKED", json!("ADMIN_INITIATED")),
        ("password_reset", false, "administrator", false, "LOCKED", json!("ADMIN_INITIATED")),
        ("onboarding", true, "directory", false, "LOCKED", Value::Null),
        ("password_reset", true, "directory", false, "LOCKED", Value::Null),
    ] {
        let user = app.user().await;
        if by == "directory" {
            app.directory.set_active("PRIMARY", &user.id, false).await;
        }
        app.issue(&user, json!({"purpose": purpose, "lockAccount": locks})).await;
        if by == "administrator" {
            app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
            app.work().await;
        }
        assert!(app.account(&user).await["state"].as_str().unwrap().starts_with("PENDING_"));
        assert_eq!(app.report_of("user.password_set", &user).await["outcome"], "applied");
        app.work().await;
        let place = format!("{purpose}, lock {locks}, locked by {by}");
        assert_eq!(is_active(&app, &user).await, active, "{place}");
        let account = app.account(&user).await;
        assert_eq!((&account["state"], &account["lockReason"]), (&json!(state), &reason), "{place}");
        assert_eq!(account["locked"], !active, "{place}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_the_platform_unlocked_itself_stays_so() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    app.report_of("user.password_set", &user).await;
    let patches = app.directory.patches().len();
    app.work().await;
    assert_eq!((is_active(&app, &user).await, app.directory.patches().len()), (true, patches));
    assert_eq!(app.account(&user).await["directory"], "synced");
    let nobody = app.user().await;
    assert_eq!(app.report_of("user.password_set", &nobody).await, outcome("unchanged", &Value::Null));
    assert_eq!(app.report_of("user.deleted", &nobody).await, outcome("unchanged", &Value::Null));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_being_set_right_now_is_waited_for() {
    let app = TestApp::spawn().await;
    for what in ["user.password_set", "user.deleted"] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        let gate = Arc::new(Notify::new());
        app.directory.break_next("PATCH", Fault::Held(Arc::clone(&gate)));
        let reported = async {
            while app.invitation(&issued["id"]).await["status"] != "accepting" {
                tokio::task::yield_now().await;
            }
            let reply = try_report(&app, what, &user).await;
            gate.notify_one();
            reply
        };
        let (set, reported) = tokio::join!(app.set_password(&grant, PASSWORD), reported);
        assert!((1..=60).contains(&reported.header("retry-after").parse().unwrap()), "{}", reported.text);
        reported.problem(409, "accept_in_progress");
        set.ok(200);
        app.work().await;
        let again = try_report(&app, what, &user).await.ok(200);
        assert_eq!(again["outcome"], if what == "user.deleted" { "applied" } else { "unchanged" });
        assert_eq!(app.invitation(&issued["id"]).await["status"], "accepted");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_password_frees_somebody_whose_acceptance_was_left_hanging() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let grant = grant(&app).await;
    app.directory.break_next("PATCH", Fault::Status(500));
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    try_report(&app, "user.password_set", &user).await.problem(409, "accept_in_progress");
    app.advance(Duration::from_secs(61));
    assert_eq!(app.report_of("user.password_set", &user).await, outcome("applied", &issued["id"]));
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    app.work().await;
    assert_eq!((is_active(&app, &user).await, &app.account(&user).await["state"]), (true, &json!("UNLOCKED")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_gone_leaves_nothing_wanted_of_the_directory() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    app.directory.delete("PRIMARY", &user.id).await;
    // A wish for the directory that is still to be carried out.
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", user.username), json!({})).await.ok(200);
    let calls = app.directory.calls().len();
    assert_eq!(app.report_of("user.deleted", &user).await["outcome"], "applied");
    app.work().await;
    assert_eq!(app.directory.calls().len(), calls, "nobody is there to be asked about");
    app.redeem_token(&token).await.problem(410, "invitation_revoked");
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["directory"]), (&json!("UNLOCKED"), &json!("synced")));
    assert_eq!(app.report_of("user.deleted", &user).await, outcome("unchanged", &Value::Null));
    // As some directories spell the names of attributes.
    let late = json!({"ID": user.id, "username": user.username, "urn:scim:wso2:schema": {"askPassword": true}});
    assert_eq!(
        app.report("user.created", late).await.ok(200)["outcome"],
        "unchanged",
        "nobody is created after the deletion"
    );

    let id = app
        .directory
        .create("PRIMARY", json!({"userName": user.username, "emails": [{"value": "new@example.com"}]}))
        .await;
    let successor = User { id, ..user };
    let created =
        json!({"id": successor.id, "userName": successor.username, "urn:scim:wso2:schema": {"askPassword": true}});
    app.report("user.created", created).await.ok(201);
    app.work().await;
    assert_eq!(app.gateway.last("email").await["to"], "new@example.com");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert!(is_active(&app, &successor).await);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namesakes_are_told_apart_by_their_ids() {
    let app = TestApp::spawn().await;
    let old = app.user().await;
    let first = app.issue(&old, json!({})).await;
    app.directory.delete("PRIMARY", &old.id).await;
    let id = app
        .directory
        .create("PRIMARY", json!({"userName": old.username, "emails": [{"value": "new@example.com"}]}))
        .await;
    let new = User { id, ..old.clone() };
    for what in ["user.password_set", "user.deleted"] {
        assert_eq!(app.report_of(what, &new).await, outcome("ignored", &Value::Null), "we know another one");
    }
    // Nobody told us that the first one is gone.
    let created = json!({"id": new.id, "userName": new.username, "urn:scim:wso2:schema": {"askPassword": true}});
    let second = app.report("user.created", created).await.ok(201);
    let ended = app.invitation(&first["id"]).await;
    assert_eq!((&ended["status"], &ended["revokeReason"]), (&json!("revoked"), &json!("user_deleted")));
    app.work().await;
    for what in ["user.deleted", "user.password_set"] {
        assert_eq!(app.report_of(what, &old).await, outcome("ignored", &Value::Null), "told late");
    }
    assert_eq!(app.invitation(&second["id"]).await["status"], "pending");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert!(is_active(&app, &new).await);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_a_name_is_now_the_newest_invitation_tells_where_nothing_is_locked() {
    let app = TestApp::spawn().await;
    app.tenant_wants("default", json!({"lockAccountUntilPasswordSet": false})).await;
    let created = |id: &str| {
        json!({"id": id, "userName": "heir", "urn:scim:wso2:schema": {"askPassword": true},
               "emails": [{"value": format!("{id}@example.com")}]})
    };
    app.report("user.created", created("first")).await.ok(201);
    app.report("user.deleted", json!({"id": "first", "userName": "heir"})).await.ok(200);
    let second = app.report("user.created", created("second")).await.ok(201);
    // Nobody told us that the second one is gone.
    let third = app.report("user.created", created("third")).await.ok(201);
    assert_eq!(app.invitation(&second["id"]).await["revokeReason"], "user_deleted");
    let ended = app.report("user.password_set", json!({"id": "third", "userName": "heir"})).await.ok(200);
    assert_eq!(ended, outcome("applied", &third["id"]));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_acceptances_never_both_have_their_way() {
    let app = TestApp::spawn().await;
    for what in ["user.password_set", "user.deleted", "user.password_set"] {
        let user = app.user().await;
        let issued = app.issue(&user, json!({})).await;
        let grant = grant(&app).await;
        let (reports, set) =
            tokio::join!(join_all((0..6).map(|_| try_report(&app, what, &user))), app.set_password(&grant, PASSWORD));
        assert!(reports.iter().all(|reply| [200, 409].contains(&reply.status)));
        let was_set = app
            .directory
            .patches()
            .iter()
            .any(|patch| patch.path.contains(&user.id) && patch.replaced("password").is_some());
        assert_eq!(was_set, set.status == 200, "{}", set.text);
        let status = if was_set { "accepted" } else { "revoked" };
        assert_eq!(app.invitation(&issued["id"]).await["status"], status);
        app.work().await;
        assert_eq!(app.account(&user).await["state"], "UNLOCKED");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_the_tenants_own() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let body = json!({"type": "user.deleted", "user": {"id": user.id, "userName": user.username}});
    let request = app.request("POST", "/t/acme/v1/directory-events").json(&body);
    let reply = app.send(request.bearer_auth(app.token_for("acme", "invitations:write"))).await.ok(200);
    assert_eq!(reply, outcome("unchanged", &Value::Null));
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    app.finish().await;
}

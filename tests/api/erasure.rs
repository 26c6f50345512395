//! Erasing a person: nothing of them is left, whatever is going on meanwhile.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, TestApp, User};

fn path(user: &User) -> String {
    format!("/v1/accounts/PRIMARY/{}", user.username)
}

async fn erase(app: &TestApp, user: &User, query: &str) -> Reply {
    let request = app.request("DELETE", &format!("{}{query}", path(user))).bearer_auth(app.token());
    app.send(request.header("x-request-id", "erase-1")).await
}

/// In how many places of the database the text is found: rows on PostgreSQL, files on SQLite.
fn traces_of(app: &TestApp, text: &str) -> usize {
    if !app.database.is_postgres() {
        return app.database.raw_bytes().windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    }
    let schema = include_str!("../../src/storage/schema.rs");
    let tables = schema.split("diesel::table! {").skip(1).map(|table| table.trim_start().split_once(' ').unwrap().0);
    let rows = tables.map(|table| {
        app.database.count(&format!("SELECT count(*) AS count FROM {table} t WHERE t::text ILIKE '%{text}%'"))
    });
    usize::try_from(rows.sum::<i64>()).unwrap()
}

fn rows_of(app: &TestApp, event: &str) -> i64 {
    app.database.count(&format!(
        "SELECT count(*) AS count FROM audit_event WHERE event = '{event}' AND request_id = 'erase-1' AND actor = 'hr-portal'"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_leaves_no_trace() {
    let app = TestApp::spawn().await;
    let [user, other] = [app.user().await, app.user().await];
    let marker = "personnel-4711-marker";
    let first = app.issue(&user, json!({"metadata": {"personnelNumber": marker}})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.issue(&user, json!({"method": "email_otp"})).await;
    app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    let live = app.issue(&user, json!({"ifExists": "replace", "metadata": {"personnelNumber": marker}})).await;
    let token = app.gateway.last_token().await;
    let kept = app.issue(&other, json!({})).await;
    let personal = [user.username.as_str(), &user.email, &user.id, marker];
    for text in personal {
        assert!(traces_of(&app, text) > 0, "{text} is not even there before");
    }
    let accounts = "SELECT count(DISTINCT account_id) AS count FROM audit_event";
    let (before, trail) =
        (app.database.count(accounts), app.database.count("SELECT count(*) AS count FROM audit_event"));

    assert_eq!(erase(&app, &user, "").await.ok(204), Value::Null);
    for text in personal {
        assert_eq!(traces_of(&app, text), 0, "{text} is left behind");
    }
    app.get(&path(&user)).await.problem(404, "account_not_found");
    for id in [&first["id"], &live["id"]] {
        app.get(&format!("/v1/invitations/{}", id.as_str().unwrap())).await.problem(404, "invitation_not_found");
    }
    app.redeem_token(&token).await.problem(400, "invalid_or_expired");
    assert_eq!((rows_of(&app, "account.erased"), rows_of(&app, "invitation.revoked")), (1, 1));
    assert_eq!(
        app.database.count("SELECT count(*) AS count FROM audit_event"),
        trail + 2,
        "the end of the live one, and the erasure"
    );

    erase(&app, &user, "").await.ok(204);
    assert_eq!(rows_of(&app, "account.erased"), 1, "it was done already");
    assert_eq!(app.invitation(&kept["id"]).await["status"], "pending", "nobody else is touched");
    app.directory.set_active("PRIMARY", &user.id, true).await;
    let anew = app.issue(&user, json!({})).await;
    assert_eq!(app.invitation(&anew["id"]).await["status"], "pending");
    assert_eq!(
        app.database.count(accounts),
        before + 1,
        "another account id, which the trail can't join with the old one"
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_stays_unless_it_is_to_be_lifted() {
    let app = TestApp::spawn().await;
    for (query, active) in [("", false), ("?unlock=false", false), ("?unlock=true", true)] {
        let user = app.user().await;
        app.issue(&user, json!({})).await;
        erase(&app, &user, query).await.ok(204);
        app.work().await;
        assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], active, "{query}");
        app.get(&path(&user)).await.problem(404, "account_not_found");
    }
    let user = app.user().await;
    app.post(&format!("{}/lock", path(&user)), json!({})).await.ok(200);
    app.work().await;
    erase(&app, &user, "?unlock=true").await.ok(204);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true, "an administrator's as well");
    let user = app.user().await;
    app.directory.set_active("PRIMARY", &user.id, false).await;
    app.issue(&user, json!({})).await;
    erase(&app, &user, "?unlock=true").await.ok(204);
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false, "but not somebody else's");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_before_the_lock_is_lifted() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.directory.break_next("PATCH", Fault::Status(503));
    erase(&app, &user, "?unlock=true").await.problem(503, "directory_unavailable");
    assert_eq!(app.account(&user).await["lockReason"], Value::Null);
    assert_eq!(app.invitation(&issued["id"]).await["status"], "revoked");
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true, "the worker goes on with it");
    erase(&app, &user, "").await.ok(204);

    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.directory.delete("PRIMARY", &user.id).await;
    erase(&app, &user, "?unlock=true").await.ok(204);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_password_is_being_set_nothing_is_erased() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    let grant = app.redeem_token(&app.gateway.last_token().await).await.ok(200)["grant"].as_str().unwrap().to_owned();
    let gate = Arc::new(Notify::new());
    app.directory.break_next("PATCH", Fault::Held(Arc::clone(&gate)));
    let set = app.set_password(&grant, PASSWORD);
    let erased = async {
        while app.invitation(&issued["id"]).await["status"] != "accepting" {
            tokio::task::yield_now().await;
        }
        let reply = erase(&app, &user, "").await;
        gate.notify_one();
        reply
    };
    let (set, erased) = tokio::join!(set, erased);
    erased.problem(409, "accept_in_progress");
    set.ok(200);
    erase(&app, &user, "").await.ok(204);
    app.work().await;
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], true);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_whole_whoever_races_with_it() {
    let app = TestApp::spawn().await;
    for round in 0..6 {
        let user = app.user().await;
        let issued = app.issue(&user, json!({"method": "email_link"})).await;
        let token = app.gateway.last_token().await;
        let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
        app.advance(Duration::from_mins(2));
        let resend_path = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
        let query = if round % 2 == 0 { "" } else { "?unlock=true" };
        let (erased, resends, redeemed, accepted, _) = tokio::join!(
            join_all((0..3).map(|_| erase(&app, &user, query))),
            join_all((0..3).map(|_| app.post(&resend_path, json!({})))),
            join_all((0..3).map(|_| app.redeem_token(&token))),
            app.set_password(&grant, PASSWORD),
            join_all((0..4).map(|_| app.tick())),
        );
        let replies = erased.into_iter().chain(resends).chain(redeemed).chain([accepted]);
        for reply in replies.filter(|reply| reply.status >= 500) {
            reply.problem(503, "directory_unavailable");
        }
        app.work().await;
        erase(&app, &user, query).await.ok(204);
        app.work().await;
        app.get(&path(&user)).await.problem(404, "account_not_found");
        for table in ["invitation", "account", "outbox"] {
            assert_eq!(app.database.count(&format!("SELECT count(*) AS count FROM {table}")), 0, "{table}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tenants_own_data_are_erased_and_only_with_the_scope() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let of_acme = app.request("DELETE", &format!("/t/acme{}", path(&user)));
    app.send(of_acme.bearer_auth(app.token_for("acme", "accounts:write"))).await.ok(204);
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    let reader = app.request("DELETE", &path(&user)).bearer_auth(app.token_for("default", "accounts:read"));
    app.send(reader).await.problem(403, "insufficient_scope");
    erase(&app, &user, "?unlock=yes").await.field_problem(400, "unlock", "invalid_value");
    erase(&app, &user, "?force=true").await.field_problem(400, "", "unknown_parameter");
    app.finish().await;
}

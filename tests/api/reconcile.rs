//! Accounts that wait are compared with the directory: wishes given up are asked for again, drift is noticed, locks of others stay.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Settings, TestApp, User};

/// More than an interval.
const DUE: Duration = Duration::from_mins(16);
/// More than the longest wait.
const LONG: Duration = Duration::from_mins(361);

const RELOCKS: Settings = Settings {
    sections: "[reconcile]\nrelock = true",
    gateways_at: None,
    defaults: "",
    directory: "",
    without: &[],
    calls_per_minute: 0,
    keys: None,
    operator: "",
};

/// What the API says of the directory, after the accounts that are due were compared.
async fn compared(app: &TestApp, user: &User, after: Duration) -> Value {
    app.advance(after);
    app.reconcile().await;
    app.account(user).await["directory"].clone()
}

/// What comparisons have written into the audit trail.
fn noticed(app: &TestApp) -> Vec<String> {
    app.database.texts(
        "SELECT event || ' ' || detail AS text FROM audit_event WHERE event IN ('account.drifted', 'account.drift_ended',
         'account.freed', 'account.sync_repeated', 'account.user_missing') ORDER BY at, id",
    )
}

async fn is_active(app: &TestApp, user: &User) -> bool {
    app.directory.user("PRIMARY", &user.id).await["active"] == true
}

async fn codes(app: &TestApp, user: &User) -> Vec<String> {
    let found = app.get(&format!("/v1/accounts/PRIMARY/{}/diagnosis", user.username)).await.ok(200);
    let findings = found["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

async fn accepted(app: &TestApp) -> User {
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    user
}

/// Has the worker fail until it gives the wish up.
async fn give_up(app: &TestApp) {
    for _ in 0..24 {
        app.directory.break_next("GET", Fault::Status(503));
        app.work().await;
        app.advance(DUE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_lifted_is_said_once_and_not_put_back() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"expiresInMinutes": 1440})).await;
    assert_eq!(compared(&app, &user, DUE).await, "synced");
    app.directory.set_active("PRIMARY", &user.id, true).await;
    assert_eq!(compared(&app, &user, DUE).await, "drifted");
    assert_eq!(compared(&app, &user, 2 * DUE).await, "drifted");
    app.work().await;
    assert!(is_active(&app, &user).await && app.directory.patches().len() == 1);
    assert_eq!(noticed(&app), ["account.drifted lock_missing"]);
    assert_eq!(app.account(&user).await["locked"], true, "it is still wanted");
    assert!(codes(&app, &user).await.contains(&"directory_drifted".to_owned()));

    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_after_our_lock_was_lifted_is_disabled_by_others() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"expiresInMinutes": 1440})).await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    assert_eq!(compared(&app, &user, DUE).await, "drifted");
    app.directory.set_active("PRIMARY", &user.id, false).await;
    assert_eq!(compared(&app, &user, 2 * DUE).await, "drifted");
    let grant = app.redeem_token(&app.gateway.last_token().await).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.set_password(&grant, PASSWORD).await.problem(403, "account_disabled");
    app.work().await;
    assert!(!is_active(&app, &user).await);
    app.directory.set_active("PRIMARY", &user.id, true).await;
    app.set_password(&grant, PASSWORD).await.ok(200);
    app.work().await;
    assert_eq!(app.account(&user).await["directory"], "synced");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_set_on_an_account_that_has_drifted() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    assert_eq!(compared(&app, &user, DUE).await, "drifted");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    let account = app.account(&user).await;
    assert_eq!((&account["state"], &account["directory"]), (&json!("UNLOCKED"), &json!("synced")));
    assert_eq!(compared(&app, &user, DUE).await, "synced");
    assert_eq!(app.account(&user).await["nextCheckAt"], Value::Null, "nothing is left to compare");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_says_so_the_lock_is_put_back() {
    let app = TestApp::with(RELOCKS).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    assert_eq!(compared(&app, &user, DUE).await, "pending");
    app.work().await;
    assert_eq!(app.account(&user).await["directory"], "synced");
    assert!(!is_active(&app, &user).await);
    assert_eq!(noticed(&app), ["account.sync_repeated lock"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_was_given_up_is_asked_for_again_when_the_directory_is_back() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.try_issue(&user, json!({})).await.ok(201);
    give_up(&app).await;
    assert_eq!(app.account(&user).await["directory"], "failed");

    app.directory.break_next("GET", Fault::Status(503));
    assert_eq!(compared(&app, &user, Duration::ZERO).await, "failed");
    let next = app.account(&user).await["nextCheckAt"].clone();
    let soonest = app.clock_after(Duration::from_mins(29));
    assert!(next.as_str().unwrap() > soonest.as_str(), "twice the interval: {next}");
    assert_eq!(compared(&app, &user, Duration::from_mins(31)).await, "pending");
    app.work().await;
    assert_eq!(app.account(&user).await["directory"], "synced");
    assert!(!is_active(&app, &user).await);
    assert_eq!(noticed(&app), ["account.sync_repeated lock"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlock_that_was_given_up_is_carried_out_later() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.post(&format!("/v1/accounts/PRIMARY/{}/unlock", user.username), json!({})).await.ok(200);
    give_up(&app).await;
    assert_eq!(app.account(&user).await["directory"], "failed");
    assert!(!is_active(&app, &user).await);
    assert_eq!(compared(&app, &user, DUE).await, "pending");
    app.work().await;
    assert!(is_active(&app, &user).await);
    assert_eq!(app.account(&user).await["directory"], "synced");
    assert_eq!(noticed(&app), ["account.sync_repeated unlock"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_by_others_after_the_acceptance_stays_locked_and_is_said_to_be() {
    let app = TestApp::spawn().await;
    let user = accepted(&app).await;
    app.directory.set_active("PRIMARY", &user.id, false).await;
    let patches = app.directory.patches().len();
    assert_eq!(compared(&app, &user, DUE).await, "drifted");
    assert_eq!(codes(&app, &user).await, ["account_disabled", "directory_drifted", "accepted"]);
    for _ in 0..10 {
        assert_eq!(compared(&app, &user, LONG).await, "drifted");
        app.work().await;
    }
    assert_eq!(app.account(&user).await["nextCheckAt"], Value::Null, "it does not go on for ever");
    assert!(!is_active(&app, &user).await);
    assert_eq!(app.directory.patches().len(), patches);
    assert_eq!(noticed(&app), ["account.drifted locked_by_others"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_had_locked_before_is_theirs_to_lift() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.set_active("PRIMARY", &user.id, false).await;
    app.issue(&user, json!({})).await;
    assert_eq!(compared(&app, &user, DUE).await, "synced");
    assert_eq!(app.account(&user).await["locked"], true);
    app.directory.set_active("PRIMARY", &user.id, true).await;
    assert_eq!(compared(&app, &user, DUE).await, "synced");
    assert_eq!(app.account(&user).await["locked"], false);
    assert_eq!(noticed(&app), ["account.freed "]);
    assert!(app.directory.patches().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_gone_is_looked_for_ten_times_and_a_namesake_never_touched() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 10080})).await;
    app.directory.delete("PRIMARY", &user.id).await;
    let namesake = app.directory.create("PRIMARY", json!({"userName": user.username})).await;
    let before = app.directory.calls().len();
    for _ in 0..12 {
        assert_eq!(compared(&app, &user, LONG).await, "failed");
        app.work().await;
    }
    let calls = app.directory.calls().split_off(before);
    assert_eq!(calls.len(), 10);
    assert!(calls.iter().all(|call| call.method == "GET" && call.path.ends_with(&user.id)), "{calls:?}");
    assert_eq!(app.account(&user).await["nextCheckAt"], Value::Null);
    assert_eq!(app.directory.user("PRIMARY", &namesake).await["active"], true);
    assert_eq!(noticed(&app), ["account.user_missing "]);
    assert!(codes(&app, &user).await.contains(&"user_gone".to_owned()));

    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending", "a look alone ends nothing");
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.problem(409, "user_gone");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_replicas_ask_the_directory_once_for_each_account() {
    let app = TestApp::spawn().await;
    let mut users = Vec::new();
    for _ in 0..20 {
        users.push(app.user().await);
    }
    join_all(users.iter().map(|user| app.issue(user, json!({})))).await;
    app.work().await;
    let before = app.directory.calls().len();
    app.advance(DUE);
    let claimed: usize = join_all((0..8).map(|_| app.reconcile())).await.into_iter().sum();
    assert_eq!((claimed, app.directory.calls().len() - before), (20, 20));
    assert_eq!(app.reconcile().await, 0, "none is due again");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_how_many_a_pass_takes_and_those_that_wait_longest_come_first() {
    let app = TestApp::with(Settings { sections: "[reconcile]\nbatch = 1", ..Settings::default() }).await;
    let (first, second) = (app.user().await, app.user().await);
    app.issue(&first, json!({})).await;
    app.advance(Duration::from_secs(1));
    app.issue(&second, json!({})).await;
    app.advance(DUE);
    assert_eq!(app.reconcile_stopped().await, 0, "told to stop, it takes none on");
    for user in [&first, &second] {
        assert_eq!(app.reconcile().await, 1);
        assert!(app.directory.calls().pop().unwrap().path.ends_with(&user.id));
    }
    assert_eq!(app.reconcile().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_replica_had_claimed_is_compared_by_the_next_one() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    app.advance(DUE);
    let calls = app.directory.calls().len();
    app.directory.break_next("GET", Fault::Held(Arc::new(Notify::new())));
    let asked = async {
        while app.directory.calls().len() == calls {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = app.reconcile() => panic!("it was to die"),
        () = asked => {}
    }
    assert_eq!(app.reconcile().await, 0, "it is still the other's");
    assert_eq!(compared(&app, &user, Duration::from_secs(61)).await, "drifted");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_is_on_its_way_is_the_workers() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.try_issue(&user, json!({})).await.ok(201);
    app.directory.break_next("PATCH", Fault::Status(503));
    app.tick().await;
    let calls = app.directory.calls().len();
    assert_eq!(compared(&app, &user, DUE).await, "pending");
    assert_eq!(app.directory.calls().len(), calls);
    app.work().await;
    assert_eq!(app.account(&user).await["directory"], "synced");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_under_way_is_no_drift() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.advance(DUE);
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.set_password(grant, PASSWORD).await.problem(503, "directory_unavailable");
    assert!(is_active(&app, &user).await);
    assert_eq!(compared(&app, &user, Duration::ZERO).await, "synced");
    app.advance(Duration::from_secs(61));
    app.set_password(grant, PASSWORD).await.ok(200);
    app.work().await;
    assert_eq!(compared(&app, &user, DUE).await, "synced");
    assert!(noticed(&app).is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_something_overtook_counts_for_nothing() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.advance(DUE);
    let (let_go, calls) = (Arc::new(Notify::new()), app.directory.calls().len());
    app.directory.break_next("GET", Fault::Held(Arc::clone(&let_go)));
    let accept = async {
        while app.directory.calls().len() == calls {
            tokio::task::yield_now().await;
        }
        app.accept(&app.gateway.last_token().await).await;
        let_go.notify_one();
    };
    tokio::join!(app.reconcile(), accept);
    assert_eq!(app.account(&user).await["directory"], "synced");
    assert!(noticed(&app).is_empty());
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_down_ends_the_pass() {
    let app = TestApp::spawn().await;
    for _ in 0..10 {
        let user = app.user().await;
        app.issue(&user, json!({})).await;
    }
    for _ in 0..8 {
        app.directory.break_next("GET", Fault::Status(503));
    }
    app.advance(DUE);
    assert_eq!(app.reconcile().await, 8);
    assert_eq!(app.reconcile().await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_off_nothing_is_compared() {
    let app = TestApp::with(Settings { sections: "[reconcile]\ninterval_minutes = 0", ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.directory.set_active("PRIMARY", &user.id, true).await;
    assert_eq!(compared(&app, &user, LONG).await, "synced");
    assert_eq!(app.account(&user).await["nextCheckAt"], Value::Null);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_wso2s_own_in_place_of_ours_is_drift_and_stays() {
    let settings =
        Settings { directory: "driver = \"wso2\"\nlock_details = [\"lockedReason\"]", ..Settings::default() };
    let Some(app) = TestApp::with_wso2(settings).await else { return };
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    assert_eq!(compared(&app, &user, DUE).await, "synced");
    let patches = app.directory.patches().len();
    let theirs = json!({"accountLocked": true, "lockedReason": "MAX_ATTEMPTS_EXCEEDED"});
    app.directory.change_extension("PRIMARY", &user.id, theirs).await;
    assert_eq!(compared(&app, &user, DUE).await, "drifted");
    app.work().await;
    assert_eq!(app.directory.patches().len(), patches);
    assert_eq!(noticed(&app), ["account.drifted locked_by_others"]);
    app.finish().await;
}

//! Jobs of many invitations: what becomes of each row, who gets a message, and what dies with a replica.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use invited::service::bulk::Turned;
use serde_json::{Value, json};

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, TestApp};

pub(crate) const BULK: &str = "/v1/bulk-invitations";

/// A person that nobody has to look up.
pub(crate) fn row(name: &str) -> Value {
    let user = json!({"username": name, "id": format!("id-{name}"), "email": format!("{name}@example.com")});
    json!({"user": user, "lockAccount": false})
}

fn rows(count: usize) -> Vec<Value> {
    (0..count).map(|n| row(&format!("p{n}"))).collect()
}

pub(crate) fn lines(rows: &[Value]) -> String {
    rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

pub(crate) async fn post_lines(app: &TestApp, path: &str, body: impl Into<reqwest::Body>) -> Reply {
    let request = app.request("POST", path).bearer_auth(app.token()).header("Content-Type", "application/x-ndjson");
    app.send(request.body(body)).await
}

/// The job that the body became.
pub(crate) async fn take_on(app: &TestApp, query: &str, body: String) -> Value {
    post_lines(app, &format!("{BULK}{query}"), body).await.ok(202)
}

fn path_of(job: &Value) -> String {
    format!("{BULK}/{}", job["id"].as_str().unwrap())
}

async fn look(app: &TestApp, job: &Value) -> Value {
    app.get(&path_of(job)).await.ok(200)
}

/// Lets the jobs have their turns until none is due.
pub(crate) async fn run(app: &TestApp) {
    while app.runner.turn().await.unwrap() == Turned::Worked {}
}

/// Runs the jobs, and sends what they issued.
async fn run_and_send(app: &TestApp) {
    run(app).await;
    while app.tick().await > 0 {}
}

/// How often each address was written to.
async fn mailed(app: &TestApp) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for mail in app.gateway.received("email").await {
        *times.entry(mail["to"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    times
}

/// The rows' status and problem's code, by their index.
pub(crate) fn outcomes(app: &TestApp, job: &Value) -> HashMap<i64, (String, Value)> {
    let id = job["id"].as_str().unwrap();
    app.database
        .texts(&format!("SELECT position || ' ' || status || ' ' || coalesce(problem, 'null') AS text FROM bulk_row WHERE job_id = '{id}'"))
        .into_iter()
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut next = || parts.next().unwrap();
            (next().parse().unwrap(), (next().to_owned(), serde_json::from_str(next()).unwrap()))
        })
        .collect()
}

fn assert_nothing_is_kept(app: &TestApp) {
    assert_eq!(app.database.count("SELECT count(*) AS count FROM bulk_row WHERE input IS NOT NULL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_rows_each_good_one_is_sent_once_and_each_bad_one_fails_alone() {
    let app = TestApp::spawn().await;
    let live = app.post("/v1/invitations", row("p7")).await.ok(201);
    let mut sent: Vec<String> = rows(1000).iter().map(Value::to_string).collect();
    sent[3] = "{\"user\": hunter2}".to_owned();
    sent[4] = json!({"user": {"username": "p4"}, "colour": "hunter2"}).to_string();
    sent[5] = json!({"user": {"username": "p5", "id": "5", "email": "hunter2"}}).to_string();
    sent[6] =
        json!({"user": {"username": "p6", "id": "6", "email": "p6@example.com"}, "delivery": "return"}).to_string();
    sent[8] = json!({"user": {"username": "nobody"}}).to_string();
    sent[9] = row("p10").to_string();
    let job = take_on(&app, "", sent.join("\n")).await;
    assert_eq!((&job["status"], &job["total"], &job["done"]), (&json!("queued"), &json!(1000), &json!(2)));
    run_and_send(&app).await;

    let done = look(&app, &job).await;
    assert_eq!((&done["status"], &done["done"], &done["failed"]), (&json!("done"), &json!(1000), &json!(7)));
    assert!(done["finishedAt"].is_string());
    let outcomes = outcomes(&app, &job);
    let failed = [
        (3, 400, "malformed_json", Value::Null),
        (4, 400, "invalid_request", json!("/colour")),
        (5, 422, "recipient_rejected", json!("/user/email")),
        (6, 422, "bulk_returns_no_secrets", json!("/delivery")),
        (7, 409, "invitation_exists", Value::Null),
        (8, 422, "user_not_found", json!("/user/username")),
        (10, 409, "invitation_exists", Value::Null),
    ];
    for (index, status, code, pointer) in failed {
        let (row, problem) = &outcomes[&index];
        assert_eq!((row.as_str(), &problem["status"], &problem["code"]), ("failed", &json!(status), &json!(code)));
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{index}");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
    assert_eq!(outcomes[&7].1["invitationId"], live["id"]);
    assert_eq!(outcomes.values().filter(|(status, _)| status == "issued").count(), 993);
    let mailed = mailed(&app).await;
    assert_eq!(mailed.len(), 994);
    assert!(mailed.values().all(|times| *times == 1), "{mailed:?}");
    assert_nothing_is_kept(&app);
    let audit = "SELECT count(*) AS count FROM audit_event WHERE actor = 'hr-portal' AND event = 'invitation.issued' AND request_id IS NOT NULL";
    assert_eq!(app.database.count(audit), 994, "the audit trail names who sent the job");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_trail_has_what_became_of_the_job() {
    let app = TestApp::spawn().await;
    let (first, second) = (take_on(&app, "", lines(&rows(2))).await, take_on(&app, "", lines(&[row("other")])).await);
    app.post(&format!("{}/cancel", path_of(&second)), json!({})).await.ok(200);
    run_and_send(&app).await;
    let count = |event: &str, actor: &str, job: &Value| {
        let id = job["id"].as_str().unwrap();
        let events = "SELECT count(*) AS count FROM audit_event WHERE";
        app.database.count(&format!("{events} event = '{event}' AND actor = '{actor}' AND detail LIKE '{id} total=%'"))
    };
    for (event, actor, times) in [
        ("bulk.created", "hr-portal", [1, 1]),
        ("bulk.finished", "system", [1, 0]),
        ("bulk.cancelled", "hr-portal", [0, 1]),
    ] {
        assert_eq!([count(event, actor, &first), count(event, actor, &second)], times, "{event}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_found_by_its_own_tenant_only() {
    let app = TestApp::spawn().await;
    let job = take_on(&app, "", lines(&rows(1))).await;
    let token = app.token_for("acme", "invitations:read invitations:write");
    let path = format!("/t/acme{}", path_of(&job));
    app.send(app.request("GET", &path).bearer_auth(&token)).await.problem(404, "bulk_job_not_found");
    app.send(app.request("POST", &format!("{path}/cancel")).bearer_auth(&token))
        .await
        .problem(404, "bulk_job_not_found");
    app.get(&format!("{BULK}/blk_0")).await.problem(404, "bulk_job_not_found");
    let request = app.request("POST", &format!("/t/acme{BULK}")).bearer_auth(&token).json(&json!(rows(1)));
    let reply = app.send(request).await;
    let location = reply.header("location").to_owned();
    assert_eq!(location, format!("/t/acme{}", path_of(&reply.ok(202))));
    app.send(app.request("GET", &location).bearer_auth(&token)).await.ok(200);
    run_and_send(&app).await;
    assert_eq!(app.gateway.received("email").await.iter().filter(|mail| mail["tenant"] == "acme").count(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_in_the_middle_nothing_more_is_issued_and_what_is_issued_stays() {
    let app = TestApp::spawn().await;
    let job = take_on(&app, "", lines(&rows(250))).await;
    app.runner.turn().await.unwrap();
    let running = look(&app, &job).await;
    assert_eq!((&running["status"], &running["done"]), (&json!("running"), &json!(100)));
    let cancelled = app.post(&format!("{}/cancel", path_of(&job)), json!({})).await.ok(200);
    assert_eq!((&cancelled["status"], &cancelled["done"]), (&json!("cancelled"), &json!(100)));
    assert_eq!(app.post(&format!("{}/cancel", path_of(&job)), json!({})).await.ok(200), cancelled);
    run_and_send(&app).await;
    assert_eq!(look(&app, &job).await, cancelled);
    assert_eq!(mailed(&app).await.len(), 100);
    assert_eq!(outcomes(&app, &job).values().filter(|(status, _)| status == "cancelled").count(), 150);
    assert_nothing_is_kept(&app);

    let over = take_on(&app, "", lines(&[row("last")])).await;
    run_and_send(&app).await;
    app.post(&format!("{}/cancel", path_of(&over)), json!({})).await.problem(409, "bulk_job_done");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_cancelled_while_it_runs_has_only_what_it_says() {
    let app = TestApp::spawn().await;
    let job = take_on(&app, "", lines(&rows(200))).await;
    let cancel = async {
        while look(&app, &job).await["done"] == 0 {}
        app.post(&format!("{}/cancel", path_of(&job)), json!({})).await.ok(200)
    };
    let ((), cancelled) = tokio::join!(run(&app), cancel);
    while app.tick().await > 0 {}
    assert_eq!(look(&app, &job).await, cancelled);
    let issued = app.database.count("SELECT count(*) AS count FROM invitation");
    assert_eq!(cancelled["done"], issued);
    assert_eq!(mailed(&app).await.len(), usize::try_from(issued).unwrap());
    assert_nothing_is_kept(&app);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_dies_in_the_middle_is_taken_over_and_nobody_is_mailed_twice() {
    let app = TestApp::spawn().await;
    let (first, second) = (app.user().await, app.user().await);
    let mut sent = rows(40);
    sent[10] = json!({"user": {"username": first.username}, "lockAccount": false});
    sent[20] = json!({"user": {"username": second.username}, "lockAccount": false});
    let job = take_on(&app, "", lines(&sent)).await;
    let never = std::sync::Arc::new(tokio::sync::Notify::new());
    app.directory.break_next("GET", Fault::Held(std::sync::Arc::clone(&never)));
    let runner = app.runner.clone();
    let doomed = tokio::spawn(async move { runner.turn().await });
    while look(&app, &job).await["done"].as_i64().unwrap() < 30 {}
    doomed.abort();
    assert!(doomed.await.is_err());
    run(&app).await;
    assert_eq!(look(&app, &job).await["status"], "running", "the lease holds");
    app.advance(Duration::from_secs(61));
    run_and_send(&app).await;
    let done = look(&app, &job).await;
    assert_eq!((&done["status"], &done["done"], &done["failed"]), (&json!("done"), &json!(40), &json!(0)));
    let mailed = mailed(&app).await;
    assert!(mailed.len() == 40 && mailed.values().all(|times| *times == 1), "{mailed:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_at_the_same_rows_issue_each_once() {
    let app = TestApp::spawn().await;
    let sent: Vec<Value> = rows(60)
        .into_iter()
        .map(|mut row| {
            row["ifExists"] = json!("replace");
            row
        })
        .collect();
    let job = take_on(&app, "", lines(&sent)).await;
    let late = async {
        while look(&app, &job).await["done"] == 0 {}
        app.advance(Duration::from_secs(61));
        run(&app).await;
    };
    tokio::join!(run(&app), late);
    while app.tick().await > 0 {}
    assert_eq!(look(&app, &job).await["status"], "done");
    assert_eq!(app.database.count("SELECT count(*) AS count FROM invitation"), 60);
    let mailed = mailed(&app).await;
    assert!(mailed.len() == 60 && mailed.values().all(|times| *times == 1), "{mailed:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_invitation_does_not_wait_for_a_job() {
    let app = TestApp::spawn().await;
    take_on(&app, "", lines(&rows(1000))).await;
    run(&app).await;
    app.post("/v1/invitations", row("single")).await.ok(201);
    assert!(app.tick().await > 0);
    assert_eq!(mailed(&app).await.get("single@example.com"), Some(&1));
    while app.tick().await > 0 {}
    assert_eq!(mailed(&app).await.len(), 1001);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_person_sets_a_password_right_now_waits_and_holds_up_no_other() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.directory.break_next("PATCH", Fault::AppliedThen(500));
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.problem(503, "directory_unavailable");
    let mut sent = rows(150);
    sent[0] = json!({"user": user.known(), "ifExists": "replace"});
    let job = take_on(&app, "", lines(&sent)).await;
    run(&app).await;
    let waiting = look(&app, &job).await;
    assert_eq!((&waiting["done"], &waiting["failed"]), (&json!(149), &json!(0)));
    app.advance(Duration::from_secs(61));
    app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    run(&app).await;
    let done = look(&app, &job).await;
    assert_eq!((&done["status"], &done["done"], &done["failed"]), (&json!("done"), &json!(150), &json!(0)));
    app.work().await;
    app.finish().await;
}

//! Reading jobs and what became of their rows, a page at a time; and the document's examples.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bulk::{BULK, post_lines, row, run, take_on};
use crate::support::TestApp;
use crate::support::database::unique;

/// Every item of a list, page by page of three; on the way each page is found again from the one behind it.
async fn all(app: &TestApp, path: &str) -> Vec<Value> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}limit=3");
    let mut page = app.get(&path).await.ok(200);
    let mut items = page["items"].as_array().unwrap().clone();
    assert_eq!(page["page"]["before"], Value::Null);
    while let Some(after) = page["page"]["after"].as_str() {
        let next = app.get(&format!("{path}&after={after}")).await.ok(200);
        let back = app.get(&format!("{path}&before={}", next["page"]["before"].as_str().unwrap())).await.ok(200);
        assert_eq!(back["items"], page["items"]);
        items.extend(next["items"].as_array().unwrap().clone());
        page = next;
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_read_in_the_order_of_the_file_and_by_status() {
    let app = TestApp::spawn().await;
    let sent: Vec<String> =
        (0..8).map(|n| if n % 3 == 1 { "{}".to_owned() } else { row(&format!("p{n}")).to_string() }).collect();
    let job = take_on(&app, "", sent.join("\n")).await;
    let results = format!("{BULK}/{}/results", job["id"].as_str().unwrap());
    let statuses =
        |items: &[Value]| items.iter().map(|item| item["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let indexes = |items: &[Value]| items.iter().map(|item| item["index"].as_i64().unwrap()).collect::<Vec<_>>();
    let before = all(&app, &results).await;
    assert_eq!(
        statuses(&before),
        ["pending", "failed", "pending", "pending", "failed", "pending", "pending", "failed"]
    );
    run(&app).await;
    while app.tick().await > 0 {}

    let items = all(&app, &results).await;
    assert_eq!(indexes(&items), (0..8).collect::<Vec<_>>());
    assert_eq!(statuses(&items), ["issued", "failed", "issued", "issued", "failed", "issued", "issued", "failed"]);
    assert_eq!(app.invitation(&items[0]["invitationId"]).await["user"]["username"], "p0");
    assert_eq!((&items[0]["problem"], &items[1]["invitationId"]), (&Value::Null, &Value::Null));
    let problem = &items[1]["problem"];
    assert_eq!((&problem["status"], &problem["code"]), (&json!(400), &json!("invalid_request")));
    assert_eq!(problem["errors"], json!([{"pointer": "/user", "code": "missing", "detail": "is required"}]));
    assert_eq!(indexes(&all(&app, &format!("{results}?status=failed")).await), [1, 4, 7]);
    assert_eq!(indexes(&all(&app, &format!("{results}?status=failed&order=desc")).await), [7, 4, 1]);
    assert_eq!(all(&app, &format!("{results}?status=failed,issued")).await, items);
    assert!(all(&app, &format!("{results}?status=cancelled&status=valid")).await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_newest_first_for_their_own_tenant() {
    let app = TestApp::spawn().await;
    let mut jobs = Vec::new();
    for n in 0..7 {
        jobs.push(take_on(&app, "?dryRun=true", row(&format!("p{n}")).to_string()).await);
        app.advance(std::time::Duration::from_millis(5));
    }
    run(&app).await;
    let listed = all(&app, BULK).await;
    let ids = |jobs: &[Value]| jobs.iter().map(|job| job["id"].clone()).collect::<Vec<_>>();
    jobs.reverse();
    assert_eq!(ids(&listed), ids(&jobs));
    assert!(listed.iter().all(|job| job["status"] == "done" && job["done"] == 1 && job["failed"] == 0), "{listed:?}");
    let token = app.token_for("acme", "invitations:read");
    let list = |path: String| app.send(app.request("GET", &path).bearer_auth(&token));
    assert_eq!(list(format!("/t/acme{BULK}")).await.ok(200)["items"], json!([]));
    let results = format!("/t/acme{BULK}/{}/results", jobs[0]["id"].as_str().unwrap());
    list(results).await.problem(404, "bulk_job_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_one_job_is_refused_for_another() {
    let app = TestApp::spawn().await;
    let mut results = Vec::new();
    for tag in ["a", "b"] {
        let body: Vec<String> = (0..3).map(|n| row(&format!("{tag}{n}")).to_string()).collect();
        let job = take_on(&app, "?dryRun=true", body.join("\n")).await;
        results.push(format!("{BULK}/{}/results?limit=2", job["id"].as_str().unwrap()));
    }
    let page = app.get(&results[0]).await.ok(200);
    let after = page["page"]["after"].as_str().unwrap();
    app.get(&format!("{}&after={after}", results[0])).await.ok(200);
    app.get(&format!("{}&after={after}", results[1])).await.problem(400, "invalid_cursor");
    app.get(&format!("{}&status=done", results[1])).await.field_problem(400, "status", "invalid_value");
    run(&app).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_document_work() {
    let app = TestApp::spawn().await;
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let operation = &document["paths"][BULK]["post"];
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let shown = |name: &str| document["components"]["schemas"][name]["example"].clone();
    let content = &operation["requestBody"]["content"];
    // People whom no directory knows.
    let unknown = |example: &str| example.replace("alex", &unique()).replace("robin", &unique());
    let array = serde_json::from_str(&unknown(&content["application/json"]["example"].to_string())).unwrap();
    let array = app.post(BULK, array).await.ok(202);
    let lines = unknown(content["application/x-ndjson"]["example"].as_str().unwrap());
    let job = post_lines(&app, BULK, lines).await.ok(202);
    for job in [&array, &job] {
        assert_eq!(
            (fields(job), &job["total"], &job["failed"]),
            (fields(&shown("BulkInvitationView")), &json!(2), &json!(0))
        );
    }
    run(&app).await;
    let path = format!("{BULK}/{}", job["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.ok(200)["failed"], 2);
    let (page, example) = (app.get(&format!("{path}/results")).await.ok(200), shown("BulkResultPage"));
    assert_eq!((fields(&page), fields(&page["items"][1])), (fields(&example), fields(&example["items"][1])));
    assert_eq!(page["items"][1]["problem"], example["items"][1]["problem"]);
    assert_eq!(fields(&app.get(BULK).await.ok(200)), fields(&shown("BulkInvitationPage")));
    app.post(&format!("{path}/cancel"), json!({})).await.problem(409, "bulk_job_done");
    app.finish().await;
}

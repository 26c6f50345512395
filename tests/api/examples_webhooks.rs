//! The examples of the operations on webhooks, executed.

use serde_json::json;

use crate::examples::Examples;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_webhooks_work() {
    let app = TestApp::spawn().await;
    let examples = Examples::new(app.user().await);
    let created = app.post("/v1/webhooks", examples.request("/v1/webhooks")).await;
    let created = examples.answered("post", "/v1/webhooks", 201, created);
    let path = format!("/v1/webhooks/{}", created["id"].as_str().unwrap());
    examples.answered("get", "/v1/webhooks", 200, app.get("/v1/webhooks").await);
    let one = "/v1/webhooks/{id}";
    examples.answered("get", one, 200, app.get(&path).await);
    examples.answered("patch", one, 200, app.patch(&path, examples.body("patch", one)).await);
    let rotate = "/v1/webhooks/{id}/rotate-secret";
    let rotated = app.post(&format!("{path}/rotate-secret"), examples.request(rotate)).await;
    examples.answered("post", rotate, 200, rotated);
    // Nobody is there, which the answer has a place for as well.
    app.patch(&path, json!({"url": "https://hooks.invalid/"})).await.ok(200);
    let tried = app.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(examples.answered("post", "/v1/webhooks/{id}/test", 200, tried)["delivered"], false);
    assert_eq!(app.delete(&path).await.status, 204);
    app.finish().await;
}

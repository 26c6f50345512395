//! The examples of lists, deliveries and the audit trail, executed.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::examples::Examples;
use crate::support::TestApp;

/// The query that the document shows for a list.
fn query(list: &str) -> String {
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let parameters = document["paths"][list]["get"]["parameters"].as_array().unwrap();
    let shown = parameters
        .iter()
        .filter_map(|parameter| Some(format!("{}={}", parameter["name"].as_str()?, parameter["example"].as_str()?)));
    shown.collect::<Vec<_>>().join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_lists_work() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let examples = Examples::new(user.clone());
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let issued = app.issue(&user, json!({"lockAccount": false})).await;
    let timeline = format!("/v1/invitations/{}/timeline", issued["id"].as_str().unwrap());
    examples.answered("get", "/v1/invitations/{id}/timeline", 200, app.get(&timeline).await);
    for list in ["/v1/invitations", "/v1/deliveries", "/v1/audit-events"] {
        let page = examples.answered("get", list, 200, app.get(list).await);
        assert!(!page["items"].as_array().unwrap().is_empty(), "{list}");
        let filtered = format!("{list}?{}", query(list));
        examples.answered("get", list, 200, app.get(&filtered).await);
    }
    let failed = app.get("/v1/deliveries?status=failed").await.ok(200)["items"][0].clone();
    let path = format!("/v1/deliveries/{}", failed["id"].as_str().unwrap());
    examples.answered("get", "/v1/deliveries/{id}", 200, app.get(&path).await);
    app.advance(std::time::Duration::from_mins(1));
    let retried = app.post(&format!("{path}/retry"), json!({})).await;
    examples.answered("post", "/v1/deliveries/{id}/retry", 200, retried);
    app.work().await;
    app.finish().await;
}

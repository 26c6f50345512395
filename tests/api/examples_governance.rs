//! The examples of WSO2's routes to the settings, executed.

use serde_json::{Value, json};

use crate::examples::Examples;
use crate::support::TestApp;
use crate::wso2_governance::{ASK_PASSWORD, BASE, MANAGEMENT, PASSWORD_RESET, REVERT};

const CONNECTORS: &str = "/api/server/v1/identity-governance/{category_id}/connectors";
const CONNECTOR: &str = "/api/server/v1/identity-governance/{category_id}/connectors/{connector_id}";

/// The example of what a list has, in the request or in the answer of an operation.
fn item(method: &str, path: &str, pointer: &str) -> Value {
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let operation = &document["paths"][path][method];
    let reference = operation.pointer(&format!("{pointer}/content/application~1json/schema/items/$ref")).unwrap();
    document.pointer(reference.as_str().unwrap().trim_start_matches('#')).unwrap()["example"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_governance_work() {
    let app = TestApp::spawn().await;
    let examples = Examples::new(app.user().await);
    let categories = app.get(BASE).await.ok(200);
    assert_eq!(categories[0], item("get", BASE, "/responses/200"));
    let connector = app.get(&format!("{BASE}/{PASSWORD_RESET}")).await;
    let connector = examples.answered("get", CONNECTOR, 200, connector);
    assert_eq!(connector, item("get", CONNECTORS, "/responses/200"));

    let updated = examples.body("patch", CONNECTOR);
    assert_eq!(app.patch(&format!("{BASE}/{ASK_PASSWORD}"), updated).await.status, 200);
    let updated = examples.body("patch", CONNECTORS);
    assert_eq!(app.patch(&format!("{BASE}/{MANAGEMENT}/connectors"), updated).await.status, 200);
    let settings = app.settings_of("default").await["settings"].clone();
    assert_eq!((&settings["method"], &settings["lockAccountUntilPasswordSet"]), (&json!("email_otp"), &json!(false)));
    assert_eq!(settings["passwordReset"], json!({"method": "email_otp", "expiryMinutes": 60, "lockAccount": true}));
    let revert = examples.request("/api/server/v1/identity-governance/{category_id}/connectors/revert");
    assert_eq!(app.post(&format!("{BASE}/{REVERT}"), revert).await.status, 200);
    assert_eq!(app.settings_of("default").await["settings"]["lockAccountUntilPasswordSet"], true);

    let preferences = format!("{BASE}/preferences");
    let found = app.post(&preferences, json!([item("post", &preferences, "/requestBody")])).await.ok(200);
    assert_eq!(found[0], item("post", &preferences, "/responses/200"));
    app.finish().await;
}

//! The examples of the operations on templates, executed.

use crate::examples::Examples;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_templates_work() {
    let app = TestApp::spawn().await;
    let examples = Examples::new(app.user().await);
    let (template, path) = ("/v1/templates/{kind}/{locale}", "/v1/templates/invitation_email_link/de-CH");
    let stored = app.put(path, &examples.body("put", template)).await;
    examples.answered("put", template, 200, stored);
    examples.answered("get", template, 200, app.get(path).await);
    examples.answered("get", "/v1/templates", 200, app.get("/v1/templates").await);
    let preview = format!("{template}/preview");
    let tried = app.post(&format!("{path}/preview"), examples.request(&preview)).await;
    examples.answered("post", &preview, 200, tried);
    assert_eq!(app.delete(path).await.status, 204);
    app.finish().await;
}

//! The examples of WSO2's routes that resend and hand over, executed.

use std::time::Duration;

use serde_json::json;

use crate::examples::Examples;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_resending_and_handing_over_work() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.advance(Duration::from_mins(1));
    let examples = Examples::new(user);
    for path in ["/api/identity/user/v1.0/resend-code", "/api/users/v1/offline-invite-link"] {
        let reply = app.post(path, examples.request(path)).await;
        assert_eq!(reply.status, 201, "{path}: {}", reply.text);
    }
    app.work().await;
    app.finish().await;
}

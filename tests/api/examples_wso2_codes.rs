//! The examples of WSO2's routes that take a code, executed.

use serde_json::{Value, json};

use crate::examples::Examples;
use crate::support::TestApp;
use crate::wso2_recovery::{Invited, SET};

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_routes_that_take_a_code_work() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    let examples = Examples::new(otp.user.clone());
    let filled = |path: &str, field: &str| {
        let mut body: Value = examples.request(path);
        body[field] = json!(otp.secret);
        if let Some(username) = body.pointer_mut("/properties/0/value") {
            *username = json!(otp.user.username);
        }
        body
    };
    for path in [crate::wso2_codes::INTROSPECT, crate::wso2_codes::VALIDATE, crate::wso2_recovery::VALIDATE] {
        examples.answered("post", path, 202, app.post(path, filled(path, "code")).await);
    }
    examples.answered("post", SET, 200, app.post(SET, filled(SET, "key")).await);
    app.work().await;
    app.finish().await;
}

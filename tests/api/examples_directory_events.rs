//! The examples of reports about users, executed: those of the OpenAPI document, and the recipe of `docs/directory-events.md`.

use serde_json::{Value, json};

use crate::examples::Examples;
use crate::support::{Settings, TestApp, User};

const PATH: &str = "/v1/directory-events";

/// An example about `alex`, made one about the user.
fn about(user: &User, mut body: Value) -> Value {
    body["user"]["id"] = json!(user.id);
    body["user"]["userName"] = json!(user.username);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_directory_events_work() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let examples = Examples::new(user.clone());
    let created = app.post(PATH, about(&user, examples.request(PATH))).await;
    let issued = examples.answered("post", PATH, 201, created);
    app.work().await;
    assert_eq!(app.invitation(&issued["id"]).await["status"], "pending");
    let set = app.report("user.password_set", json!({"id": user.id, "userName": user.username})).await;
    assert_eq!(examples.answered("post", PATH, 200, set)["invitationId"], issued["id"]);
    app.work().await;
    app.finish().await;
}

/// The bodies of the recipe's calls of this route, in their order.
fn recipe() -> Vec<Value> {
    let page = include_str!("../../docs/directory-events.md");
    let calls = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let calls = calls.filter(|call| call.contains("/v1/directory-events"));
    calls
        .map(|call| {
            let body = call.split_once("-d '").expect("a call without a body").1.split_once('\'').unwrap().0;
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_of_the_page_works() {
    let app = TestApp::with(Settings { defaults: "notifications = \"external\"", ..Settings::default() }).await;
    let user = app.user().await;
    let mut told = Vec::new();
    for body in recipe() {
        let reply = app.post(PATH, about(&user, body.clone())).await;
        let has_code = !reply.header("ask-password-confirmation-code").is_empty();
        told.push((body["type"].as_str().unwrap().to_owned(), reply.status, has_code));
        app.work().await;
    }
    let expected = [
        ("user.created", 201, true),
        ("user.updated", 201, true),
        ("user.password_set", 200, false),
        ("user.deleted", 200, false),
    ];
    assert_eq!(told, expected.map(|(what, status, has_code)| (what.to_owned(), status, has_code)));
    app.finish().await;
}

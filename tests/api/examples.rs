//! The examples of the OpenAPI document, executed: what it shows is what is taken and what comes back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Reply, TestApp, User};

/// The document, and a person in place of its `alex`.
pub(crate) struct Examples {
    document: Value,
    user: User,
}

impl Examples {
    pub(crate) fn new(user: User) -> Self {
        Self { document: serde_json::from_str(&invited::http::openapi::json()).unwrap(), user }
    }

    fn schema(&self, reference: &Value) -> &Value {
        self.document.pointer(reference["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap()
    }

    /// The example of a POST's body.
    pub(crate) fn request(&self, path: &str) -> Value {
        self.body("post", path)
    }

    /// The example of an operation's body.
    pub(crate) fn body(&self, method: &str, path: &str) -> Value {
        let body =
            self.document["paths"][path][method].pointer("/requestBody/content/application~1json/schema").unwrap();
        let mut example = self.schema(body)["example"].clone();
        for pointer in ["/username", "/user/username", "/user/userName"] {
            if let Some(username) = example.pointer_mut(pointer) {
                *username = json!(self.user.username);
            }
        }
        example
    }

    /// The answer must have the fields that the document's example shows, no more and no less.
    pub(crate) fn answered(&self, method: &str, path: &str, status: u16, reply: Reply) -> Value {
        let body = reply.ok(status);
        let answer = &self.document["paths"][path][method]["responses"][status.to_string()];
        let schema = self.schema(&answer["content"]["application/json"]["schema"]);
        let listed = &schema["properties"]["items"]["items"];
        if schema.get("example").is_none() && listed["$ref"].is_string() {
            // A page shows the example of its items.
            assert_eq!(shape(&body["items"][0]), shape(&self.schema(listed)["example"]), "{method} {path}");
            assert!(body["page"].is_object() && body["page"].as_object().unwrap().len() == 2, "{method} {path}");
            return body;
        }
        let example = schema.get("example").or_else(|| {
            // An issued invitation is an invitation and, perhaps, its secret.
            schema["allOf"].as_array()?.iter().find_map(|part| self.schema_if_named(part)?.get("example"))
        });
        assert_eq!(
            shape(&body),
            shape(example.unwrap_or_else(|| panic!("{method} {path} has no example"))),
            "{method} {path}"
        );
        body
    }

    fn schema_if_named(&self, part: &Value) -> Option<&Value> {
        part.get("$ref").map(|_| self.schema(part))
    }
}

/// The places of all values, lists taken as one; what is inside `metadata` is the caller's.
pub(crate) fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(place: &str, value: &Value, found: &mut BTreeSet<String>) {
        found.insert(place.to_owned());
        for (key, inner) in value.as_object().into_iter().flatten().filter(|_| !place.ends_with("/metadata")) {
            walk(&format!("{place}/{key}"), inner, found);
        }
    }
    let mut found = BTreeSet::new();
    walk("", value, &mut found);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_document_work() {
    let app = TestApp::spawn().await;
    let examples = Examples::new(app.user().await);
    let issue = app.post("/v1/invitations", examples.request("/v1/invitations")).await;
    let issued = examples.answered("post", "/v1/invitations", 201, issue);
    let path = format!("/v1/invitations/{}", issued["id"].as_str().unwrap());
    app.work().await;
    examples.answered("get", "/v1/invitations/{id}", 200, app.get(&path).await);
    app.advance(std::time::Duration::from_mins(1));
    let resent = app.post(&format!("{path}/resend"), examples.request("/v1/invitations/{id}/resend")).await;
    examples.answered("post", "/v1/invitations/{id}/resend", 200, resent);
    app.work().await;

    let login = app.post("/v1/otp-logins", examples.request("/v1/otp-logins")).await.ok(200);
    assert_eq!(login, json!({"outcome": "not_applicable"}));
    app.redeem(examples.request("/v1/redemptions")).await.problem(400, "invalid_or_expired");
    for (path, status) in [("/v1/redemptions/decline", 400), ("/v1/redemptions/request-new", 202)] {
        let reply = app.send(app.request("POST", path).json(&examples.request(path))).await;
        assert_eq!(reply.status, status, "its example is nobody's link");
    }
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await;
    let redeemed = examples.answered("post", "/v1/redemptions", 200, redeemed);
    let password = examples.request("/v1/redemptions/password");
    let set = app.set_password(redeemed["grant"].as_str().unwrap(), password["password"].as_str().unwrap()).await;
    examples.answered("post", "/v1/redemptions/password", 200, set);

    let account = format!("/v1/accounts/PRIMARY/{}", examples.user.username);
    examples.answered("get", "/v1/accounts/{realm}/{username}", 200, app.get(&account).await);
    let diagnosed = app.get(&format!("{account}/diagnosis")).await;
    examples.answered("get", "/v1/accounts/{realm}/{username}/diagnosis", 200, diagnosed);
    for what in ["lock", "unlock"] {
        let template = format!("/v1/accounts/{{realm}}/{{username}}/{what}");
        examples.answered("post", &template, 200, app.post(&format!("{account}/{what}"), json!({})).await);
    }
    let again = app.issue(&examples.user, json!({})).await;
    let path = format!("/v1/invitations/{}/revoke", again["id"].as_str().unwrap());
    let revoked = app.post(&path, examples.request("/v1/invitations/{id}/revoke")).await;
    examples.answered("post", "/v1/invitations/{id}/revoke", 200, revoked);
    for path in ["/health/live", "/health/ready"] {
        examples.answered("get", path, 200, app.get(path).await);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_document_is_routed_for_every_tenant() {
    let app = TestApp::spawn().await;
    let examples = Examples::new(app.user().await);
    for (path, item) in examples.document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            for prefix in ["", "/t/acme"] {
                let path = path.replace("{id}", "inv_0").replace("{realm}", "PRIMARY").replace("{username}", "nobody");
                let path = path.replace("{kind}", "activation_sms").replace("{locale}", "en");
                let reply = app.send(app.request(&method.to_uppercase(), &format!("{prefix}{path}"))).await;
                let code = reply.body["code"].as_str().unwrap_or_default();
                assert!(!matches!(code, "not_found" | "method_not_allowed"), "{method} {prefix}{path}: {}", reply.text);
            }
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_its_pages_are_served_with_all_they_need() {
    let app = TestApp::spawn().await;
    let served = app.send(app.request("GET", "/openapi.json")).await;
    assert_eq!((served.status, served.text), (200, invited::http::openapi::json()));
    let page = app.send(app.request("GET", "/docs/")).await;
    assert_eq!(page.status, 200);
    let links = page.text.split(['"', '\'']).filter(|link| matches!(link.rsplit('.').next(), Some("js" | "css")));
    let links: Vec<&str> = links.collect();
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        assert!(!link.starts_with("http") && !link.starts_with("//"), "{link} is somebody else's");
        let asset = app.send(app.request("GET", &format!("/docs/{}", link.trim_start_matches("./")))).await;
        assert_eq!(asset.status, 200, "{link}");
    }
    app.finish().await;
}

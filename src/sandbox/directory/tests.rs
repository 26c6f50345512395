use reqwest::{Method, StatusCode};

use super::super::faults::FaultChange;
use super::super::test_client;
use super::*;
use crate::clock::SystemClock;

const MARKER: &str = "urn:example:params:scim:schemas:extension:invited:2.0:User";

struct Client {
    directory: Running,
    faults: Arc<Faults>,
}

struct Reply {
    status: StatusCode,
    etag: Option<String>,
    body: Value,
}

impl Client {
    fn start() -> Self {
        let faults = Arc::<Faults>::default();
        let options = DirectoryOptions {
            port: 0,
            token: Secret::new("t0ken".into()),
            faults: Arc::clone(&faults),
            clock: Arc::new(SystemClock),
        };
        Self { directory: start(options).unwrap(), faults }
    }

    async fn send(&self, method: Method, path: &str, if_match: Option<&str>, body: Option<Value>) -> Reply {
        let url = format!("{}/scim{path}", self.directory.base_url);
        let mut request = test_client().request(method, url).bearer_auth("t0ken");
        if let Some(tag) = if_match {
            request = request.header("If-Match", tag);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", SCIM_JSON).body(body.to_string());
        }
        let reply = request.send().await.unwrap();
        let etag = reply.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let status = reply.status();
        let body = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default();
        Reply { status, etag, body }
    }

    async fn find(&self, realm: &str, user_name: &str) -> Reply {
        let filter = format!("userName eq {}", json!(user_name));
        let query = serde_urlencoded(&filter);
        self.send(Method::GET, &format!("/{realm}/v2/Users?filter={query}"), None, None).await
    }

    async fn alex(&self) -> String {
        self.find("PRIMARY", "alex").await.body["Resources"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn patch(&self, id: &str, if_match: Option<&str>, operations: Value) -> Reply {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        self.send(Method::PATCH, &format!("/PRIMARY/v2/Users/{id}"), if_match, Some(body)).await
    }

    async fn login(&self, realm: &str, password: &str) -> StatusCode {
        let url = format!("{}/scim/{realm}/login", self.directory.base_url);
        let request = test_client().post(url).json(&json!({"userName": "Alex", "password": password}));
        request.send().await.unwrap().status()
    }
}

fn serde_urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[actix_web::test]
async fn a_person_is_found_by_name_in_any_case_and_only_in_their_realm() {
    let client = Client::start();
    let found = client.find("primary", "ALEX").await.body;
    assert_eq!((&found["totalResults"], &found["Resources"][0]["userName"]), (&json!(1), &json!("alex")));
    assert_eq!(found["Resources"][0]["emails"][0]["value"], "alex@example.com");
    assert_eq!(client.find("SECONDARY", "alex").await.body["totalResults"], 0);
    assert_eq!(client.find("PRIMARY", "a\" or userName sw \"").await.body["totalResults"], 0);
    assert_eq!(client.find("OTHER", "alex").await.status, StatusCode::NOT_FOUND);
    let refused = client.send(Method::GET, "/PRIMARY/v2/Users?filter=id%20pr", None, None).await;
    assert_eq!((refused.status, &refused.body["scimType"]), (StatusCode::BAD_REQUEST, &json!("invalidFilter")));
}

#[actix_web::test]
async fn users_are_listed_page_by_page() {
    let client = Client::start();
    let page = client.send(Method::GET, "/PRIMARY/v2/Users?startIndex=2&count=1", None, None).await.body;
    assert_eq!((&page["totalResults"], &page["itemsPerPage"], &page["startIndex"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!(page["Resources"][0]["userName"], "sam");
}

#[actix_web::test]
async fn a_new_user_has_a_place_a_version_and_no_visible_password() {
    let client = Client::start();
    let user =
        json!({"userName": "new.one", "password": "correct horse", "active": false, MARKER: {"lastAcceptance": "x"}});
    let made = client.send(Method::POST, "/SECONDARY/v2/Users", None, Some(user.clone())).await;
    assert_eq!((made.status, made.etag.as_deref()), (StatusCode::CREATED, Some("W/\"1\"")));
    assert_eq!(made.body["active"], false);
    assert_eq!(made.body["schemas"][1], MARKER);
    assert!(made.body["password"].is_null());
    let path = format!("/SECONDARY/v2/Users/{}", made.body["id"].as_str().unwrap());
    assert_eq!(client.send(Method::GET, &path, None, None).await.body, made.body);

    let again = client.send(Method::POST, "/SECONDARY/v2/Users", None, Some(user)).await;
    assert_eq!((again.status, &again.body["scimType"]), (StatusCode::CONFLICT, &json!("uniqueness")));
    assert_eq!(client.send(Method::DELETE, &path, None, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.send(Method::GET, &path, None, None).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn one_patch_sets_the_password_the_state_and_the_marker() {
    let client = Client::start();
    let id = client.alex().await;
    assert_eq!(client.login("PRIMARY", "correct horse").await, StatusCode::UNAUTHORIZED);
    let operations = json!([
        {"op": "replace", "path": "password", "value": "correct horse"},
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": format!("{MARKER}:lastAcceptance"), "value": "inv:1:1"},
    ]);
    let patched = client.patch(&id, Some("W/\"1\""), operations).await;
    assert_eq!((patched.status, patched.etag.as_deref()), (StatusCode::OK, Some("W/\"2\"")));
    assert_eq!((&patched.body["active"], &patched.body[MARKER]["lastAcceptance"]), (&json!(false), &json!("inv:1:1")));

    assert_eq!(client.login("PRIMARY", "correct horse").await, StatusCode::FORBIDDEN);
    client.patch(&id, None, json!([{"op": "add", "path": "active", "value": true}])).await;
    assert_eq!(client.login("PRIMARY", "correct horse").await, StatusCode::OK);
    assert_eq!(client.login("PRIMARY", "wrong").await, StatusCode::UNAUTHORIZED);
    assert_eq!(client.login("SECONDARY", "correct horse").await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_patch_with_one_bad_operation_changes_nothing() {
    let client = Client::start();
    let id = client.alex().await;
    let lock = json!({"op": "replace", "path": "active", "value": false});
    for (bad, scim_type) in [
        (json!({"op": "replace", "path": "userName", "value": "x"}), "invalidPath"),
        (json!({"op": "replace", "path": "password", "value": "my-ALEX-password"}), "invalidValue"),
        (json!({"op": "replace", "path": "password", "value": ""}), "invalidValue"),
        (json!({"op": "remove", "path": "displayName", "value": "x"}), "invalidSyntax"),
    ] {
        let refused = client.patch(&id, None, json!([lock, bad])).await;
        assert_eq!((refused.status, &refused.body["scimType"]), (StatusCode::BAD_REQUEST, &json!(scim_type)));
    }
    let after = client.send(Method::GET, &format!("/PRIMARY/v2/Users/{id}"), None, None).await;
    assert_eq!((&after.body["active"], after.etag.as_deref()), (&json!(true), Some("W/\"1\"")));
}

#[actix_web::test]
async fn a_stale_version_is_refused() {
    let client = Client::start();
    let id = client.alex().await;
    let unlock = json!([{"op": "replace", "path": "active", "value": true}]);
    assert_eq!(client.patch(&id, Some("W/\"1\""), unlock.clone()).await.status, StatusCode::OK);
    assert_eq!(client.patch(&id, Some("W/\"1\""), unlock.clone()).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(client.patch(&id, Some("W/\"1\", W/\"2\""), unlock.clone()).await.status, StatusCode::OK);
    assert_eq!(client.patch(&id, Some("*"), unlock).await.etag.as_deref(), Some("W/\"4\""));
    let path = format!("/PRIMARY/v2/Users/{id}");
    assert_eq!(client.send(Method::DELETE, &path, Some("W/\"1\""), None).await.status, StatusCode::PRECONDITION_FAILED);
}

#[actix_web::test]
async fn nothing_is_answered_without_the_token() {
    let client = Client::start();
    let url = format!("{}/scim/PRIMARY/v2/Users", client.directory.base_url);
    let reply = test_client().get(url).bearer_auth("other").send().await.unwrap();
    assert_eq!(
        (reply.status(), &reply.headers()["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
}

#[actix_web::test]
async fn a_directory_that_is_down_does_nothing() {
    let client = Client::start();
    let id = client.alex().await;
    client.faults.change(FaultChange { directory: Some(DirectoryFault::Down), ..FaultChange::default() });
    let lock = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(client.patch(&id, None, lock).await.status, StatusCode::SERVICE_UNAVAILABLE);
    client.faults.change(FaultChange { directory: Some(DirectoryFault::Ok), ..FaultChange::default() });
    assert_eq!(client.find("PRIMARY", "alex").await.body["Resources"][0]["active"], true);
}

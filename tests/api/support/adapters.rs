//! Other directories than SCIM ones, played before the real SCIM directory: Keycloak's admin API, and our own contract.

use std::collections::HashMap;
use std::sync::Mutex;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use url::Url;

/// What translates for the real directory.
pub(super) struct Adapter {
    upstream: String,
    client: reqwest::Client,
    /// What is kept of a user that the real directory has no place for.
    kept: Mutex<HashMap<String, Value>>,
}

impl Adapter {
    pub(super) fn new(upstream: String) -> Self {
        Self { upstream, client: reqwest::Client::builder().no_proxy().build().unwrap(), kept: Mutex::default() }
    }

    /// As Keycloak: `/admin/realms/{realm}/users…`.
    pub(super) async fn as_keycloak(&self, request: &HttpRequest, body: &[u8]) -> HttpResponse {
        let segments: Vec<&str> = request.path().split('/').skip(3).collect();
        match (request.method().as_str(), segments.as_slice()) {
            ("GET", [realm, "users"]) => {
                let found = self.find(realm, &query(request, "username")).await;
                let users: Vec<_> = found.iter().map(|user| self.representation(user)).collect();
                HttpResponse::Ok().json(users)
            }
            ("GET", [realm, "users", id]) => match self.scim("GET", realm, id, None).await {
                (200, user) => HttpResponse::Ok().json(self.representation(&user)),
                (status, _) => empty(status),
            },
            ("PUT", [realm, "users", id]) => {
                let whole: Value = serde_json::from_slice(body).unwrap();
                let (status, _) = self.scim("PATCH", realm, id, Some(json!({"active": whole["enabled"]}))).await;
                // What is left out is cleared.
                self.kept.lock().unwrap().insert((*id).to_owned(), whole);
                empty(status)
            }
            ("PUT", [realm, "users", id, "reset-password"]) => {
                let credential: Value = serde_json::from_slice(body).unwrap();
                assert_eq!((&credential["type"], &credential["temporary"]), (&json!("password"), &json!(false)));
                empty(self.scim("PATCH", realm, id, Some(json!({"password": credential["value"]}))).await.0)
            }
            _ => empty(404),
        }
    }

    fn representation(&self, user: &Value) -> Value {
        let id = user["id"].as_str().unwrap();
        let mut kept = self.kept.lock().unwrap();
        let fresh = json!({
            "firstName": user["displayName"], "emailVerified": false, "requiredActions": ["UPDATE_PASSWORD"],
            "attributes": {"phoneNumber": [user["phoneNumbers"][0]["value"]], "department": ["sales"]}
        });
        let whole = kept.entry(id.to_owned()).or_insert(fresh).as_object_mut().unwrap();
        let known = json!({
            "id": id, "username": user["userName"], "enabled": user["active"], "email": user["emails"][0]["value"]
        });
        whole.extend(known.as_object().unwrap().clone());
        whole.clone().into()
    }

    /// As a directory of our own contract: `/contract/users…`.
    pub(super) async fn as_contract(&self, request: &HttpRequest, body: &[u8]) -> HttpResponse {
        let realm = query(request, "realm");
        let segments: Vec<&str> = request.path().split('/').skip(2).collect();
        match (request.method().as_str(), segments.as_slice()) {
            ("GET", ["users"]) => {
                let found = self.find(&realm, &query(request, "username")).await;
                HttpResponse::Ok()
                    .json(json!({"users": found.iter().map(|user| self.contract_user(user)).collect::<Vec<_>>()}))
            }
            ("GET", ["users", id]) => match self.scim("GET", &realm, id, None).await {
                (200, user) => HttpResponse::Ok().json(self.contract_user(&user)),
                (status, _) => empty(status),
            },
            ("PUT", ["users", id, "lock"]) => {
                let lock: Value = serde_json::from_slice(body).unwrap();
                let active = json!({"active": lock["locked"] == false});
                empty(self.scim("PATCH", &realm, id, Some(active)).await.0)
            }
            ("PUT", ["users", id, "password"]) => {
                let change: Value = serde_json::from_slice(body).unwrap();
                let mut value = json!({"password": change["password"]});
                if change["unlock"] == true {
                    value["active"] = json!(true);
                }
                let (status, _) = self.scim("PATCH", &realm, id, Some(value)).await;
                if status == 204 {
                    self.kept.lock().unwrap().insert((*id).to_owned(), change["acceptance"].clone());
                }
                empty(status)
            }
            _ => empty(404),
        }
    }

    fn contract_user(&self, user: &Value) -> Value {
        let acceptance = self.kept.lock().unwrap().get(user["id"].as_str().unwrap()).cloned();
        json!({
            "id": user["id"], "username": user["userName"], "displayName": user["displayName"],
            "email": user["emails"][0]["value"], "phone": user["phoneNumbers"][0]["value"],
            "state": if user["active"] == false { "locked" } else { "active" },
            "lastAcceptance": acceptance
        })
    }

    async fn find(&self, realm: &str, username: &str) -> Vec<Value> {
        let mut url = Url::parse(&format!("{}/{realm}/v2/Users", self.upstream)).unwrap();
        url.query_pairs_mut().append_pair("filter", &format!("userName eq {}", Value::from(username)));
        let answer = self.client.get(url).bearer_auth("directory-token").send().await.unwrap();
        let list: Value = answer.json().await.unwrap();
        list["Resources"].as_array().cloned().unwrap_or_default()
    }

    /// A call to the real directory, as status and body; a value is what a PATCH replaces.
    async fn scim(&self, method: &str, realm: &str, id: &str, value: Option<Value>) -> (u16, Value) {
        let url = format!("{}/{realm}/v2/Users/{id}", self.upstream);
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth("directory-token");
        if let Some(value) = value {
            let operations = [json!({"op": "replace", "value": value})];
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
            request = request.json(&json!({"schemas": schemas, "Operations": operations}));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (if status == 200 && method == "PATCH" { 204 } else { status }, answer.json().await.unwrap_or(Value::Null))
    }
}

fn query(request: &HttpRequest, wanted: &str) -> String {
    let pairs = web::Query::<HashMap<String, String>>::from_query(request.query_string()).unwrap();
    pairs.get(wanted).cloned().unwrap_or_default()
}

fn empty(status: u16) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
}

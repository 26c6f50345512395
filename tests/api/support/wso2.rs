//! What a WSO2 Identity Server does that `scim2-server` does not: user stores as a query parameter and before the names, ids that are
//! good in every store, tenants in the path, and `ADMIN_INITIATED` on a lock that comes without a reason.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use url::Url;

pub(super) const EXTENSION: &str = "urn:scim:wso2:schema";
/// The user stores there are.
const STORES: [&str; 2] = ["PRIMARY", "SECONDARY"];

/// Translates for a `scim2-server` that knows stores by path and nothing of the rest.
pub(super) struct Translator {
    upstream: String,
    client: reqwest::Client,
}

impl Translator {
    pub(super) fn new(upstream: String) -> Self {
        Self { upstream, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Answers a request for `/t/{tenant}/scim2/Users…`.
    pub(super) async fn forward(&self, request: &HttpRequest, body: &web::Bytes) -> HttpResponse {
        let segments: Vec<&str> = request.path().split('/').collect();
        match segments.as_slice() {
            ["", "t", _, "scim2", "Users"] => self.list(request).await,
            ["", "t", _, "scim2", "Users", id] => match self.store_of(id).await {
                Some(store) => self.one(request, store, id, body).await,
                None => HttpResponse::NotFound().json(json!({"status": "404"})),
            },
            _ => HttpResponse::NotFound().json(json!({"status": "404"})),
        }
    }

    async fn list(&self, request: &HttpRequest) -> HttpResponse {
        let asked = Url::parse(&format!("http://localhost{}", request.uri())).unwrap();
        let (domain, rest): (Vec<_>, Vec<_>) = asked.query_pairs().partition(|(name, _)| name == "domain");
        let store = STORES.iter().find(|store| domain.iter().any(|(_, asked)| asked.eq_ignore_ascii_case(store)));
        let Some(store) = store else { return HttpResponse::Ok().json(json!({"totalResults": 0})) };
        let mut url = Url::parse(&format!("{}/{store}/v2/Users", self.upstream)).unwrap();
        url.query_pairs_mut().extend_pairs(rest);
        let (status, _, mut list) = self.send(request, url.as_str(), &web::Bytes::new()).await;
        for user in list["Resources"].as_array_mut().into_iter().flatten() {
            name_with_store(user, store);
        }
        HttpResponse::build(status).json(list)
    }

    async fn one(&self, request: &HttpRequest, store: &str, id: &str, body: &web::Bytes) -> HttpResponse {
        let url = format!("{}/{store}/v2/Users/{id}", self.upstream);
        let (status, etag, mut user) = self.send(request, &url, body).await;
        if request.method() == "PATCH" && status.is_success() {
            self.say_who_locked(&url, body).await;
        }
        name_with_store(&mut user, store);
        let mut response = HttpResponse::build(status);
        if let Some(etag) = etag {
            response.insert_header(("etag", etag));
        }
        response.json(user)
    }

    /// A lock without a reason was an administrator's, as far as WSO2 can tell.
    async fn say_who_locked(&self, url: &str, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let request = self.client.get(url).bearer_auth("directory-token");
        let user: Value = request.send().await.unwrap().json().await.unwrap();
        let reason = user[EXTENSION]["lockedReason"].as_str().unwrap_or_default();
        let (locked, unlocked) = (text.contains("\"accountLocked\":true"), text.contains("\"accountLocked\":false"));
        let stamp = match (locked, unlocked) {
            (true, _) if reason.is_empty() => "ADMIN_INITIATED",
            (_, true) => "",
            _ => return,
        };
        change(&self.client, url, json!({EXTENSION: {"lockedReason": stamp}})).await;
    }

    async fn store_of(&self, id: &str) -> Option<&'static str> {
        for store in STORES {
            let request = self.client.get(format!("{}/{store}/v2/Users/{id}", self.upstream));
            if request.bearer_auth("directory-token").send().await.unwrap().status().is_success() {
                return Some(store);
            }
        }
        None
    }

    async fn send(
        &self,
        request: &HttpRequest,
        url: &str,
        body: &web::Bytes,
    ) -> (actix_web::http::StatusCode, Option<String>, Value) {
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
        let mut forwarded = self.client.request(method, url).body(body.to_vec());
        for name in ["authorization", "content-type", "if-match", "accept"] {
            if let Some(value) = request.headers().get(name) {
                forwarded = forwarded.header(name, value.to_str().unwrap());
            }
        }
        let answer = forwarded.send().await.unwrap();
        let status = actix_web::http::StatusCode::from_u16(answer.status().as_u16()).unwrap();
        let etag = answer.headers().get("etag").map(|value| value.to_str().unwrap().to_owned());
        let body = answer.json().await.unwrap_or(Value::Null);
        // WSO2 answers a change with the user.
        if status == 204 { (actix_web::http::StatusCode::OK, etag, json!({})) } else { (status, etag, body) }
    }
}

fn name_with_store(user: &mut Value, store: &str) {
    if let Some(name) = user["userName"].as_str().filter(|_| store != "PRIMARY") {
        user["userName"] = json!(format!("{store}/{name}"));
    }
}

/// Somebody changes the user at `url`, past everything.
pub(super) async fn change(client: &reqwest::Client, url: &str, value: Value) {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": value}]
    });
    let request = client.patch(url).bearer_auth("directory-token").json(&body);
    request.send().await.unwrap().error_for_status().unwrap();
}

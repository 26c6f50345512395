use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use invited::clock::SystemClock;
use invited::domain::secret::Secret;
use invited::sandbox::directory::DirectoryOptions;
use invited::sandbox::{self, Running};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::adapters::Adapter;
use super::app::User;
use super::database::unique;
use super::wso2;

/// What goes wrong with the next request of a method.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing, this time.
    None,
    /// It is not passed on; this status instead.
    Status(u16),
    /// It is not passed on; this status and SCIM error instead.
    Refusal(u16, Value),
    /// It is passed on and applied, but the answer is this status.
    AppliedThen(u16),
    /// It is passed on and applied, but the answer never comes.
    AppliedThenSilence,
    /// It is not passed on, and no answer comes.
    Silence,
    /// It waits until the test lets it go, and is passed on then.
    Held(Arc<Notify>),
}

/// A call that reached the directory.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) if_match: Option<String>,
    pub(crate) body: Value,
}

impl Call {
    /// The value that a PATCH replaces at `path`.
    pub(crate) fn replaced(&self, path: &str) -> Option<&Value> {
        self.body["Operations"]
            .as_array()?
            .iter()
            .find(|operation| operation["path"] == path)
            .map(|operation| &operation["value"])
    }
}

#[derive(Default)]
struct Log {
    calls: Vec<Call>,
    faults: VecDeque<(String, Fault)>,
}

/// How what passes is translated for the real directory.
enum Speaks {
    Scim,
    Wso2(wso2::Translator),
    Keycloak(Adapter),
    Contract(Adapter),
}

/// What the directory is played to be.
#[derive(Clone, Copy)]
pub(crate) enum Played {
    Keycloak,
    /// A directory of our own contract.
    Contract,
}

/// A proxy before the real directory that writes down what passes and can break it.
pub(crate) struct Directory {
    url: String,
    upstream: String,
    client: reqwest::Client,
    log: Arc<Mutex<Log>>,
    base_path: &'static str,
    _stand_in: Option<Running>,
}

impl Directory {
    pub(crate) fn start() -> Self {
        let (upstream, stand_in) = upstream();
        Self::before(upstream, stand_in, Speaks::Scim)
    }

    /// One that is not a SCIM directory.
    pub(crate) fn start_as(played: Played) -> Self {
        let (upstream, stand_in) = upstream();
        let adapter = Adapter::new(upstream.clone());
        let speaks = match played {
            Played::Keycloak => Speaks::Keycloak(adapter),
            Played::Contract => Speaks::Contract(adapter),
        };
        Self::before(upstream, stand_in, speaks)
    }

    /// One that behaves as WSO2 Identity Server does; `None`, after saying so, where there is no server to be it.
    pub(crate) fn start_wso2() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the tests are told their directory by the environment")]
        let Ok(upstream) = std::env::var("TEST_SCIM_WSO2_URL") else {
            crate::skipped::say("TEST_SCIM_WSO2_URL names no server; scripts/with-scim.sh starts one");
            return None;
        };
        Some(Self::before(upstream.clone(), None, Speaks::Wso2(wso2::Translator::new(upstream))))
    }

    fn before(upstream: String, stand_in: Option<Running>, speaks: Speaks) -> Self {
        let base_path = match &speaks {
            Speaks::Scim => "/{realm}/v2",
            Speaks::Wso2(_) => "/t/{tenant}/scim2",
            Speaks::Keycloak(_) => "/admin/realms/{realm}",
            Speaks::Contract(_) => "/contract",
        };
        let log = Arc::new(Mutex::new(Log::default()));
        let proxy = Arc::new(Proxy {
            upstream: upstream.clone(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            log: Arc::clone(&log),
            speaks,
        });
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::from(Arc::clone(&proxy))).default_service(web::to(pass))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, upstream, client, log, base_path, _stand_in: stand_in }
    }

    /// Base URL for the service.
    pub(crate) fn base_url(&self) -> String {
        format!("{}{}", self.url, self.base_path)
    }

    /// Breaks the next request of this method; later faults queue up behind.
    pub(crate) fn break_next(&self, method: &str, fault: Fault) {
        self.log.lock().unwrap().faults.push_back((method.to_owned(), fault));
    }

    /// Answers the next request of this method with a SCIM error.
    pub(crate) fn refuse_next(&self, method: &str, status: u16, error: Value) {
        self.break_next(method, Fault::Refusal(status, error));
    }

    /// Every call that the service made.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.log.lock().unwrap().calls.clone()
    }

    /// Every PATCH that the service made.
    pub(crate) fn patches(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.method == "PATCH").collect()
    }

    /// A new person in the realm PRIMARY.
    pub(crate) async fn person(&self) -> User {
        self.person_in("PRIMARY").await
    }

    pub(crate) async fn person_in(&self, realm: &str) -> User {
        let name = format!("alex.{}", unique());
        let (email, phone) = (format!("{name}@example.com"), "+15550100001".to_owned());
        let user = json!({
            "userName": name, "displayName": "Alex", "emails": [{"value": email, "primary": true}],
            "phoneNumbers": [{"value": phone, "type": "mobile"}]
        });
        let id = self.create(realm, user).await;
        User { id, username: name, email, phone }
    }

    /// Creates a user in the directory, past the proxy; returns its id.
    pub(crate) async fn create(&self, realm: &str, user: Value) -> String {
        let mut body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "active": true});
        body.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
        let request =
            self.client.post(format!("{}/{realm}/v2/Users", self.upstream)).bearer_auth("directory-token").json(&body);
        let created: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        created["id"].as_str().unwrap().to_owned()
    }

    /// The user as the directory has it, past the proxy.
    pub(crate) async fn user(&self, realm: &str, id: &str) -> Value {
        let request =
            self.client.get(format!("{}/{realm}/v2/Users/{id}", self.upstream)).bearer_auth("directory-token");
        request.send().await.unwrap().json().await.unwrap()
    }

    /// An administrator changes the user in the directory itself.
    pub(crate) async fn set_active(&self, realm: &str, id: &str, active: bool) {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "active", "value": active}]});
        let request = self
            .client
            .patch(format!("{}/{realm}/v2/Users/{id}", self.upstream))
            .bearer_auth("directory-token")
            .json(&body);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Somebody changes WSO2's extension of the user in the directory itself.
    pub(crate) async fn change_extension(&self, realm: &str, id: &str, value: Value) {
        let url = format!("{}/{realm}/v2/Users/{id}", self.upstream);
        wso2::change(&self.client, &url, json!({wso2::EXTENSION: value})).await;
    }

    pub(crate) async fn delete(&self, realm: &str, id: &str) {
        let request =
            self.client.delete(format!("{}/{realm}/v2/Users/{id}", self.upstream)).bearer_auth("directory-token");
        request.send().await.unwrap().error_for_status().unwrap();
    }
}

/// The real directory: a running `scim2-server` that `TEST_SCIM_URL` names, else the sandbox's own.
fn upstream() -> (String, Option<Running>) {
    #[expect(clippy::disallowed_methods, reason = "the tests are told their directory by the environment")]
    if let Ok(url) = std::env::var("TEST_SCIM_URL") {
        return (url, None);
    }
    let options = DirectoryOptions {
        port: 0,
        token: Secret::new("directory-token".to_owned()),
        faults: Arc::default(),
        clock: Arc::new(SystemClock),
    };
    let running = sandbox::directory::start(options).unwrap();
    (format!("{}/scim", running.base_url), Some(running))
}

struct Proxy {
    speaks: Speaks,
    upstream: String,
    client: reqwest::Client,
    log: Arc<Mutex<Log>>,
}

impl Proxy {
    fn note(&self, request: &HttpRequest, body: &[u8]) -> Option<Fault> {
        let mut log = self.log.lock().unwrap();
        log.calls.push(Call {
            method: request.method().to_string(),
            path: request.uri().to_string(),
            if_match: request.headers().get("if-match").map(|value| value.to_str().unwrap().to_owned()),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
        });
        let at = log.faults.iter().position(|(method, _)| *method == request.method().as_str())?;
        log.faults.remove(at).map(|(_, fault)| fault)
    }

    async fn forward(&self, request: &HttpRequest, body: web::Bytes) -> HttpResponse {
        match &self.speaks {
            Speaks::Scim => self.forward_scim(request, body).await,
            Speaks::Wso2(translator) => translator.forward(request, &body).await,
            Speaks::Keycloak(adapter) => adapter.as_keycloak(request, &body).await,
            Speaks::Contract(adapter) => adapter.as_contract(request, &body).await,
        }
    }

    async fn forward_scim(&self, request: &HttpRequest, body: web::Bytes) -> HttpResponse {
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
        let mut forwarded =
            self.client.request(method, format!("{}{}", self.upstream, request.uri())).body(body.to_vec());
        for name in ["authorization", "content-type", "if-match", "accept"] {
            if let Some(value) = request.headers().get(name) {
                forwarded = forwarded.header(name, value.to_str().unwrap());
            }
        }
        let answer = forwarded.send().await.unwrap();
        let mut response =
            HttpResponse::build(actix_web::http::StatusCode::from_u16(answer.status().as_u16()).unwrap());
        for name in ["content-type", "etag"] {
            if let Some(value) = answer.headers().get(name) {
                response.insert_header((name, value.to_str().unwrap()));
            }
        }
        response.body(answer.bytes().await.unwrap())
    }
}

async fn pass(request: HttpRequest, body: web::Bytes, proxy: web::Data<Proxy>) -> HttpResponse {
    let status = |code| HttpResponse::build(actix_web::http::StatusCode::from_u16(code).unwrap()).finish();
    match proxy.note(&request, &body) {
        None | Some(Fault::None) => proxy.forward(&request, body).await,
        Some(Fault::Status(code)) => status(code),
        Some(Fault::Refusal(code, error)) => {
            HttpResponse::build(actix_web::http::StatusCode::from_u16(code).unwrap()).json(error)
        }
        Some(Fault::AppliedThen(code)) => {
            proxy.forward(&request, body).await;
            status(code)
        }
        Some(Fault::AppliedThenSilence) => {
            proxy.forward(&request, body).await;
            silence().await
        }
        Some(Fault::Silence) => silence().await,
        Some(Fault::Held(until)) => {
            until.notified().await;
            proxy.forward(&request, body).await
        }
    }
}

/// Longer than any deadline of the tests' service.
async fn silence() -> HttpResponse {
    tokio::time::sleep(Duration::from_secs(30)).await;
    HttpResponse::GatewayTimeout().finish()
}

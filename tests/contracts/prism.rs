//! A vendor's description, served by Prism, behind a proxy that writes down what Prism found wrong with each request.
//!
//! Prism knows the shape of requests and keeps no state; where its example answers will not do, a test puts its own in their place.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

/// A request as Prism judged it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: String,
    /// What is wrong with it, in Prism's words; empty when it is as described.
    pub(crate) violations: Vec<String>,
}

/// An answer in place of Prism's own, for the next request that is as described.
#[derive(Clone)]
struct Answer {
    method: &'static str,
    status: u16,
    body: Value,
}

#[derive(Default)]
struct Log {
    judged: Vec<Judged>,
    answers: VecDeque<Answer>,
    /// The status that Prism is to answer the next request with.
    preferred: Option<u16>,
}

/// A described service. Ends when dropped.
pub(crate) struct Prism {
    process: Child,
    url: String,
    log: Arc<Mutex<Log>>,
}

impl Prism {
    /// Serves a vendor's description; `None`, after saying why, where it can't be.
    pub(crate) async fn serve(file: &str, flags: &[&str]) -> Option<Self> {
        let Some(description) = specs().map(|folder| folder.join(file)).filter(|path| path.is_file()) else {
            crate::skipped::say(&format!("there is no {file} in TEST_SPECS or shared/specs"));
            return None;
        };
        Self::serve_at(&description, flags).await
    }

    /// Serves a description that is at `path`.
    pub(crate) async fn serve_at(path: &Path, flags: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            crate::skipped::say("Prism is not installed; scripts/with-tools.sh does that");
            return None;
        };
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["mock", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args(flags)
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let url = start_proxy(format!("http://127.0.0.1:{port}"), Arc::clone(&log));
        let mut prism = Self { process, url, log };
        prism.ready(port).await;
        Some(prism)
    }

    async fn ready(&mut self, port: u16) {
        for _ in 0..300 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "Prism ended with {ended:?}: it can't read the description");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Prism does not start");
    }

    /// Base URL of the described service.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers the next request of this method so, if it is as described; further answers queue up behind.
    pub(crate) fn answer_next(&self, method: &'static str, status: u16, body: Value) {
        self.log.lock().unwrap().answers.push_back(Answer { method, status, body });
    }

    /// Has Prism answer the next request with its example for this status, which the description must have.
    pub(crate) fn prefer_next(&self, status: u16) {
        self.log.lock().unwrap().preferred = Some(status);
    }

    /// Every request, in order.
    pub(crate) fn judged(&self) -> Vec<Judged> {
        self.log.lock().unwrap().judged.clone()
    }

    /// Asserts that these requests were made, as `METHOD path`, and that all are as described.
    pub(crate) fn assert_as_described(&self, requests: &[&str]) {
        let judged = self.judged();
        let wrong: Vec<_> = judged.iter().filter(|one| !one.violations.is_empty()).collect();
        assert!(wrong.is_empty(), "not as described: {wrong:#?}");
        let made: Vec<_> = judged.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
        assert_eq!(made, requests);
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn specs() -> Option<PathBuf> {
    let named = std::env::var_os("TEST_SPECS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|parent| parent.join("shared/specs"));
    named.or(beside).filter(|folder| folder.is_dir())
}

fn program() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let tools = std::env::var_os("TEST_NODE_TOOLS").map_or(own, PathBuf::from);
    Some(tools.join("node_modules/.bin/prism")).filter(|program| program.exists())
}

struct Proxy {
    upstream: String,
    client: reqwest::Client,
    log: Arc<Mutex<Log>>,
}

fn start_proxy(upstream: String, log: Arc<Mutex<Log>>) -> String {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let proxy = Arc::new(Proxy { upstream, client, log });
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::from(Arc::clone(&proxy))).default_service(web::to(pass))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let url = format!("http://{}", server.addrs()[0]);
    tokio::spawn(server.run());
    url
}

async fn pass(request: HttpRequest, body: web::Bytes, proxy: web::Data<Proxy>) -> HttpResponse {
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
    let mut forwarded =
        proxy.client.request(method, format!("{}{}", proxy.upstream, request.uri())).body(body.to_vec());
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        forwarded = forwarded.header(name.as_str(), value.as_bytes());
    }
    let preferred = proxy.log.lock().unwrap().preferred.take();
    if let Some(preferred) = preferred {
        forwarded = forwarded.header("prefer", format!("code={preferred}"));
    }
    let answer = forwarded.send().await.unwrap();
    let status = answer.status().as_u16();
    let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let found = answer.headers().get("sl-violations").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let text = answer.text().await.unwrap();
    let violations = violations(status, preferred, found.as_deref(), &text);
    let is_valid = violations.is_empty();
    let mut log = proxy.log.lock().unwrap();
    log.judged.push(Judged {
        method: request.method().to_string(),
        path: request.uri().to_string(),
        body: String::from_utf8_lossy(&body).into_owned(),
        violations,
    });
    let at = log.answers.iter().position(|answer| is_valid && answer.method == request.method().as_str());
    if let Some(own) = at.and_then(|at| log.answers.remove(at)) {
        return HttpResponse::build(StatusCode::from_u16(own.status).unwrap()).json(own.body);
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    response.content_type(media_type.as_deref().unwrap_or("application/octet-stream")).body(text)
}

/// What Prism says is wrong with the request. It may say so in a header beside an example of the vendor's own error, or in the body;
/// what it finds wrong with its own answers is not our affair.
fn violations(status: u16, preferred: Option<u16>, header: Option<&str>, body: &str) -> Vec<String> {
    let listed: Vec<Value> = header.and_then(|header| serde_json::from_str(header).ok()).unwrap_or_default();
    let of_request = listed.iter().filter(|violation| violation["location"][0] == "request");
    let mut found: Vec<_> = of_request.map(ToString::to_string).collect();
    if status >= 400 && preferred != Some(status) && found.is_empty() {
        found.push(format!("{status} {body}"));
    }
    found
}

#[tokio::test]
async fn what_is_not_as_described_is_found() {
    let Some(prism) = Prism::serve("wso2_scim2.yaml", &[]).await else { return };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let wrong = client.get(format!("{}/Users?count=many", prism.url())).basic_auth("a", Some("b"));
    assert_eq!(wrong.send().await.unwrap().status(), 422);
    let nowhere = client.get(format!("{}/Nobody", prism.url()));
    assert_eq!(nowhere.send().await.unwrap().status(), 404);
    let right = client.get(format!("{}/Users?count=1", prism.url())).basic_auth("a", Some("b"));
    prism.answer_next("GET", 200, serde_json::json!({"own": true}));
    assert_eq!(right.send().await.unwrap().json::<Value>().await.unwrap()["own"], true);
    let judged = prism.judged();
    assert_eq!(judged.iter().map(|one| one.violations.len()).collect::<Vec<_>>(), [1, 1, 0], "{judged:?}");
    assert!(judged[0].violations[0].contains("count must be integer"), "{judged:?}");
}

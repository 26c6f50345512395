//! Calls leave through the proxy that is configured, and through none that is not.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Receiver, Settings, TestApp};

/// A proxy for plain http that hands every call to one server, whatever its name.
struct Proxy {
    port: u16,
    /// The first line of each call.
    seen: Arc<Mutex<Vec<String>>>,
    leads_to: Arc<Mutex<Option<SocketAddr>>>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy =
            Self { port: listener.local_addr().unwrap().port(), seen: Arc::default(), leads_to: Arc::default() };
        let (seen, leads_to) = (Arc::clone(&proxy.seen), Arc::clone(&proxy.leads_to));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(pass_on(stream, Arc::clone(&seen), Arc::clone(&leads_to)));
            }
        });
        proxy
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// One call for each connection: the proxy says that it closes.
async fn pass_on(
    mut client: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    leads_to: Arc<Mutex<Option<SocketAddr>>>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let read = client.read(&mut buffer).await?;
    let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(line);
    let target = *leads_to.lock().unwrap();
    let Some(target) = target else {
        return client.write_all(b"HTTP/1.1 407 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    };
    let mut server = TcpStream::connect(target).await?;
    server.write_all(&buffer[..read]).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The service with gateways that only the proxy can find.
async fn behind(proxy: &Proxy, webhooks: &str) -> TestApp {
    let outbound = format!("[outbound]\nallow_insecure_http = true\nproxy = \"http://127.0.0.1:{}\"\n", proxy.port);
    let sections = format!("{outbound}[webhooks]\nallowed_ranges = [\"127.0.0.0/8\"]\n{webhooks}\n").leak();
    let settings = Settings { sections, gateways_at: Some("http://mail.gateway.invalid"), ..Settings::default() };
    let app = TestApp::with(settings).await;
    *proxy.leads_to.lock().unwrap() = Some(app.gateway.address());
    app
}

const MAIL: &str = "POST http://mail.gateway.invalid/email HTTP/1.1";

#[tokio::test(flavor = "multi_thread")]
async fn an_email_leaves_through_the_proxy_and_an_event_does_not() {
    let proxy = Proxy::start().await;
    let app = behind(&proxy, "").await;
    let receiver = Receiver::start().await;
    app.webhook(&receiver, &["invitation.sent"]).await;
    let nowhere = app.post("/v1/webhooks", json!({"url": "http://endpoint.invalid/"})).await.ok(201);
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.work().await;
    assert_eq!(app.gateway.last("email").await["to"], user.email.as_str());
    assert_eq!(receiver.received().await.len(), 1, "the endpoint on this machine was called directly");
    let test = format!("/v1/webhooks/{}/test", nowhere["id"].as_str().unwrap());
    assert_eq!(app.post(&test, json!({})).await.ok(200)["error"], "endpoint_unreachable");
    assert_eq!(proxy.seen(), [MAIL], "the directory is on this machine, and endpoints don't go through it");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_leave_through_the_proxy_when_the_operator_wants_that() {
    let proxy = Proxy::start().await;
    let app = behind(&proxy, "use_proxy = true").await;
    let endpoint = app.post("/v1/webhooks", json!({"url": "http://endpoint.invalid/events"})).await.ok(201);
    let test = format!("/v1/webhooks/{}/test", endpoint["id"].as_str().unwrap());
    assert_eq!(app.post(&test, json!({})).await.ok(200)["status"], 202);
    assert_eq!(proxy.seen(), ["POST http://endpoint.invalid/events HTTP/1.1"]);
    let refused = app.post("/v1/webhooks", json!({"url": "http://10.0.0.1/"})).await;
    assert_eq!(refused.status, 422, "an address that stands in a URL is still judged here");
}

/// What `check-config --connect` says with a directory that is not there, and whether the proxy was asked.
async fn check(proxy: &Proxy, lines: &str, variables: &'static [&'static str]) -> (String, bool) {
    let toml = format!(
        "secrets.master_keys = [\"k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\n\
         auth = {{ issuer = \"https://id.example.com\", audience = \"invited\", jwks_url = \"https://id.invalid/\" }}\n\
         directory = {{ base_url = \"http://directory.invalid/{{realm}}\", token = \"directory-token\" }}\n\
         outbound.allow_insecure_http = true\n{lines}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let output = tokio::task::spawn_blocking(move || {
        let mut invited = Command::new(env!("CARGO_BIN_EXE_invited"));
        invited.args(["check-config", "--connect", "--config"]).arg(file.path());
        invited.envs(variables.iter().map(|name| (*name, url.as_str()))).output().unwrap()
    });
    let said = String::from_utf8(output.await.unwrap().stdout).unwrap();
    (said, !proxy.seen().is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_only_the_environment_names_is_not_used() {
    let variables = &["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let proxy = Proxy::start().await;
    let (said, was_asked) = check(&proxy, "", variables).await;
    assert!(said.contains("directory: the directory did not take the request: unreachable"), "{said}");
    assert!(!was_asked);
    let configured = format!("outbound.proxy = \"http://127.0.0.1:{}\"", proxy.port);
    let (said, was_asked) = check(&proxy, &configured, &[]).await;
    assert!(said.contains("directory: the proxy refuses us: look at outbound.proxy_username"), "{said}");
    assert!(was_asked);
}
